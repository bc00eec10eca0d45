//! Each `Threat:` comment of the crate has a test that would fail without what stands beside it.

use std::path::{Path, PathBuf};

/// File below `src`, words of the comment, test.
const REGISTER: [(&str, &str, &str); 37] = [
    (
        "node/supervisor.rs",
        "only hearsay is not asked again",
        "threat_4_6_whom_one_source_names_is_not_asked_twice",
    ),
    (
        "contact.rs",
        "one host must not fill a table",
        "threat_4_2_one_address_is_one_contact",
    ),
    (
        "contact.rs",
        "addresses within it come for nothing",
        "one_network_displaces_only_its_own",
    ),
    (
        "items.rs",
        "a key of small order",
        "threat_4_7_a_key_of_small_order_signs_nothing",
    ),
    (
        "items/store.rs",
        "displaces its own",
        "one_network_displaces_only_its_own",
    ),
    (
        "lookup.rs",
        "a trap that always invents closer nodes",
        "threat_4_6_a_trap_of_ever_closer_nodes_ends",
    ),
    (
        "lookup.rs",
        "must not take over the candidates",
        "threat_4_6_a_reply_makes_at_most_eight_questions",
    ),
    (
        "lookup.rs",
        "too few vouch for it",
        "threat_4_6_whom_one_source_names_is_not_asked_twice",
    ),
    (
        "lookup.rs",
        "knock at strangers' doors",
        "threat_4_6_a_trap_of_ever_closer_nodes_ends",
    ),
    (
        "lookup.rs",
        "many ids on one host",
        "threat_4_1_one_host_with_many_ids_is_one_candidate",
    ),
    (
        "tuning.rs",
        "may all be the work of one attacker",
        "an_anchor_breaks_the_ring_of_those_who_name_only_each_other",
    ),
    (
        "node/asking.rs",
        "one filter with all",
        "threat_4_12_an_overfull_filter_counts_for_nothing",
    ),
    (
        "node/asking.rs",
        "only hash and signature",
        "threat_4_12_a_forged_item_is_counted_and_not_told",
    ),
    (
        "node/naming.rs",
        "whoever wins the vote",
        "it_changes_once_in_ten_minutes_and_never_without_need",
    ),
    (
        "node/queries.rs",
        "may be forged, and the reply",
        "threat_4_5_a_stranger_gets_few_values",
    ),
    (
        "node/replies.rs",
        "votes us to an address",
        "threat_4_11_nobody_votes_us_into_a_private_range",
    ),
    (
        "node/replies.rs",
        "the closest to whatever is looked up",
        "threat_4_2_an_impostor_is_evicted_and_names_nobody",
    ),
    (
        "node/survey.rs",
        "whoever names nobody new",
        "who_names_nobody_new_does_not_end_the_survey_among_many",
    ),
    (
        "node/searches.rs",
        "endless lists of victims",
        "threat_4_12_endless_peer_lists_are_cut",
    ),
    (
        "node/upkeep.rs",
        "whoever asks us makes us send",
        "threat_4_2_a_crowd_of_queriers_does_not_make_us_ask_a_crowd",
    ),
    (
        "peers",
        "announces every port",
        "threat_4_7_one_address_has_few_places_of_a_hash",
    ),
    (
        "peers",
        "squatting and flooding",
        "threat_4_7_a_full_store_still_takes_an_honest_announce",
    ),
    (
        "",
        "a thousand peers that call on port 53",
        "threat_4_4_ports_that_are_none_are_refused",
    ),
    (
        "",
        "many forged sources, each of them",
        "threat_4_5_everybody_together_is_limited",
    ),
    (
        "population.rs",
        "full of Sybils is one sample",
        "a_few_crowded_neighbourhoods_change_little",
    ),
    (
        "reachability.rs",
        "must not rename us",
        "threat_4_11_one_network_does_not_name_us",
    ),
    (
        "rtt.rs",
        "others say about distances",
        "threat_4_10_what_an_answer_says_about_its_speed_is_nothing",
    ),
    (
        "table.rs",
        "is not taken over",
        "threat_4_2_a_living_contact_keeps_its_address_and_its_id",
    ),
    (
        "table/anchors.rs",
        "one network, however large",
        "threat_4_8_one_block_of_addresses_gives_one_anchor",
    ),
    (
        "table/near.rs",
        "decides who finds whom here",
        "threat_4_2_one_network_does_not_surround_us",
    ),
    (
        "table/near.rs",
        "does not drive out whoever was here",
        "threat_4_2_one_network_does_not_surround_us",
    ),
    (
        "table/bucket.rs",
        "must not fill a bucket",
        "a_crowded_network_gives_way_to_another",
    ),
    (
        "table/bucket.rs",
        "ids next to ours",
        "an_id_that_follows_from_its_address_is_preferred_in_a_small_bucket",
    ),
    (
        "table/seat.rs",
        "whoever asked us, or was just asked",
        "a_newcomer_is_asked_again_when_its_hole_is_closed",
    ),
    (
        "node/question.rs",
        "victim that many answers name",
        "threat_4_6_a_silent_victim_is_not_asked_by_every_lookup_at_once",
    ),
    (
        "link.rs",
        "makes the link look alive",
        "an_answer_from_anybody_speaks_against_the_silent",
    ),
    (
        "transactions.rs",
        "must guess 32 bits",
        "threat_4_8_a_spray_of_transactions_hits_nothing",
    ),
];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
    found
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("readable")
}

/// Every `Threat:` comment: its file below `src`, and its words to the end of the next line.
fn comments(src: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for path in sources(src) {
        let file = path.strip_prefix(src).expect("below");
        let text = read(&path);
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (index, line) in lines.iter().enumerate() {
            if let Some((_, words)) = line.split_once("Threat:") {
                let next = lines.get(index + 1).copied().unwrap_or_default();
                let next = next.trim_start_matches(['/', '!']);
                let words = format!("{words}{next}");
                found.push((file.display().to_string(), words));
            }
        }
    }
    found
}

#[test]
fn every_threat_comment_has_its_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = [root.join("src"), root.join("tests")];
    let sources = folders.iter().flat_map(|it| sources(it));
    let all: String = sources.map(|it| read(&it)).collect();
    let mut problems = Vec::new();
    for (file, words) in comments(&root.join("src")) {
        let mut rows = REGISTER
            .iter()
            .filter(|(of, part, _)| file.starts_with(of) && words.contains(part));
        match rows.next() {
            None => problems.push(format!("no row here for {file}: Threat:{words}")),
            Some((_, _, test)) if !all.contains(&format!("fn {test}()")) => {
                problems.push(format!(
                    "no test {test}, which is to show {file}: Threat:{words}"
                ));
            }
            Some(_) => {}
        }
    }
    assert!(problems.is_empty(), "\n  {}\n", problems.join("\n  "));
}
