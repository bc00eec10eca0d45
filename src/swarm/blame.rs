//! Who sent the wrong block? BEP 3 hashes whole pieces, so a wrong piece with several senders
//! proves nothing yet. The digests of its blocks are kept until the piece is right: a block that
//! differs from the right one was a lie, whoever sent the others.
//!
//! Invariant: only senders of a block that differs from the right piece, or sole senders of a wrong
//! piece, are ever named. Knows no data and no connections.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bencode::Endpoint;

use super::disk::Digest;

/// Block records kept, over all pieces: at 52 bytes each about 3 MiB. Beyond, the oldest wrong
/// copy is forgotten and its liar may try again.
const MAX_RECORDS: usize = 65_536;

/// Wrong copies kept of one piece.
const MAX_COPIES: usize = 4;

/// Wrong copies of one piece after which it rests (reliability.md P4: at most 3 × size).
const PATIENCE: u32 = 3;

/// The first rest; doubles with each further wrong copy.
const REST: Duration = Duration::from_secs(10);

/// The longest rest.
const MAX_REST: Duration = Duration::from_secs(600);

/// A wrong copy: digest and sender of every block.
type Copy = Vec<(Digest, Endpoint)>;

#[derive(Debug, Default)]
struct Case {
    copies: Vec<Copy>,
    failures: u32,
}

/// What a wrong copy means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// One peer sent all of it.
    Guilty(Endpoint),
    /// To be decided when the piece is right.
    Open,
}

/// The open cases of a torrent.
#[derive(Debug, Default)]
pub struct Blame {
    cases: BTreeMap<u32, Case>,
    records: usize,
}

impl Blame {
    /// No suspicion.
    pub fn new() -> Blame {
        Blame::default()
    }

    /// Whether the piece was wrong before: then its next copy should come from one peer, and its
    /// digests are wanted.
    pub fn is_suspect(&self, piece: u32) -> bool {
        self.cases.contains_key(&piece)
    }

    /// A wrong copy, digest and sender by block. Lists of different lengths are cut.
    pub fn wrong(&mut self, piece: u32, digests: &[Digest], senders: &[Endpoint]) -> Verdict {
        let case = self.cases.entry(piece).or_default();
        case.failures = case.failures.saturating_add(1);
        if let Some(sender) = only_one(senders) {
            return Verdict::Guilty(sender);
        }
        if case.copies.len() < MAX_COPIES && digests.len() <= MAX_RECORDS {
            let copy: Copy = digests
                .iter()
                .copied()
                .zip(senders.iter().copied())
                .collect();
            self.records += copy.len();
            case.copies.push(copy);
            self.shrink(piece);
        }
        Verdict::Open
    }

    /// The piece is right and its blocks have these digests: names the liars, each once, and closes
    /// the case.
    pub fn right(&mut self, piece: u32, digests: &[Digest]) -> Vec<Endpoint> {
        let Some(case) = self.cases.remove(&piece) else {
            return Vec::new();
        };
        let mut guilty = Vec::new();
        for copy in &case.copies {
            self.records -= copy.len();
            let lies = copy
                .iter()
                .zip(digests)
                .filter(|((told, _), right)| told != *right);
            guilty.extend(lies.map(|((_, sender), _)| *sender));
        }
        guilty.sort_unstable();
        guilty.dedup();
        guilty
    }

    /// How long the piece should rest after its last wrong copy; `None`: try again at once.
    pub fn rest(&self, now: Instant, piece: u32) -> Option<Instant> {
        let beyond = self.cases.get(&piece)?.failures.checked_sub(PATIENCE)?;
        Some(now + REST.saturating_mul(1 << beyond.min(10)).min(MAX_REST))
    }

    /// Forgets wrong copies of other pieces, lowest index first, until the bound holds.
    fn shrink(&mut self, keep: u32) {
        for (piece, case) in &mut self.cases {
            while self.records > MAX_RECORDS && (*piece != keep || case.copies.len() > 1) {
                if case.copies.is_empty() {
                    break;
                }
                self.records -= case.copies.remove(0).len();
            }
        }
    }
}

/// Who sent all of a piece.
pub(super) fn only_one(senders: &[Endpoint]) -> Option<Endpoint> {
    let (first, rest) = senders.split_first()?;
    rest.iter().all(|other| other == first).then_some(*first)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "virtual time starts somewhere")]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use proptest::prelude::*;

    use super::*;

    fn peer(n: u8) -> Endpoint {
        Endpoint::new(IpAddr::V4(Ipv4Addr::new(198, 18, 0, n)), 6881)
    }

    /// Rows P3: a whole piece of one sender is proof.
    #[test]
    fn the_only_sender_is_guilty_at_once() {
        let mut blame = Blame::new();
        let verdict = blame.wrong(7, &[[1; 20], [2; 20]], &[peer(1), peer(1)]);
        assert_eq!(verdict, Verdict::Guilty(peer(1)));
        assert!(blame.is_suspect(7) && blame.right(7, &[[1; 20], [9; 20]]).is_empty());
        assert!(!blame.is_suspect(7));
    }

    /// Rows P4: a piece that is wrong again and again rests.
    #[test]
    fn a_piece_rests_after_three_wrong_copies() {
        let (mut blame, now) = (Blame::new(), Instant::now());
        for copy in 1..=30 {
            blame.wrong(0, &[[copy; 20]; 2], &[peer(1), peer(2)]);
            assert_eq!(blame.rest(now, 0).is_some(), copy >= 3);
            assert!(
                blame
                    .rest(now, 0)
                    .is_none_or(|until| until <= now + MAX_REST)
            );
        }
    }

    #[test]
    fn records_are_bounded() {
        let mut blame = Blame::new();
        let senders: Vec<_> = (0..8_192u32).map(|n| peer((n % 7) as u8)).collect();
        for piece in 0..50 {
            blame.wrong(piece, &vec![[0; 20]; 8_192], &senders);
            assert!(blame.records <= MAX_RECORDS);
        }
    }

    proptest! {
        #[test]
        fn liars_are_found_and_nobody_else(
            copies in prop::collection::vec(prop::collection::vec(0u8..8, 6), 1..4),
            liars in prop::collection::btree_set(0u8..8, 1..3),
        ) {
            let mut blame = Blame::new();
            let right: Vec<Digest> = (0..6).map(|n| [n; 20]).collect();
            let mut lied = std::collections::BTreeSet::new();
            for senders in &copies {
                let digests: Vec<Digest> = senders.iter().zip(&right)
                    .map(|(sender, right)| if liars.contains(sender) { [99; 20] } else { *right })
                    .collect();
                let mixed = senders.iter().any(|sender| sender != &senders[0]);
                if digests == right || !mixed { continue }
                lied.extend(senders.iter().filter(|s| liars.contains(s)).map(|s| peer(*s)));
                let senders: Vec<_> = senders.iter().map(|s| peer(*s)).collect();
                prop_assert_eq!(blame.wrong(3, &digests, &senders), Verdict::Open);
            }
            prop_assert_eq!(blame.right(3, &right), lied.into_iter().collect::<Vec<_>>());
            prop_assert_eq!(blame.records, 0);
        }
    }
}
