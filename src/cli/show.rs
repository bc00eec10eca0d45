//! What is in a torrent, for people and for scripts. `show FILE` is here; the same view serves
//! `show MAGNET` and `get --list` once the network has given the metadata.

use serde::Serialize;

use super::exit::{ExitCode, Failure};
use super::fetch;
use super::format::{bytes, escape};
use super::input::Input;
use super::plan::{FileList, ShowPlan};
use super::report::{Reporter, Style};
use super::torrent;
use super::torrents::Named;
use crate::metainfo::{FileKind, Info, Torrent};

/// Runs it.
///
/// # Errors
/// That of the torrent file, or of the network.
pub(super) fn run(plan: ShowPlan, reporter: &mut Reporter) -> Result<ExitCode, Failure> {
    match &plan.input {
        Input::TorrentFile(path) => {
            print(&torrent::load(path)?, plan.files, reporter);
            Ok(ExitCode::Ok)
        }
        Input::Magnet(_) | Input::Publisher(_) | Input::Hash(_) => {
            let named = Named::read(&plan.input, &plan.network.state_dir)?;
            match fetch::ask(named, &plan.network, plan.patience, reporter)? {
                Ok(info) => {
                    print(&Torrent::from_info(info), plan.files, reporter);
                    Ok(ExitCode::Ok)
                }
                Err(interrupted) => Ok(interrupted),
            }
        }
        Input::Url(_) | Input::Stdin => {
            let message = "show needs a torrent file, a magnet link or an info hash";
            Err(Failure::new(ExitCode::BadInput, message))
        }
    }
}

/// The answer as JSON.
#[derive(Serialize)]
struct View<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    info_hash: String,
    name: &'a str,
    size: u64,
    pieces: u32,
    piece_length: u32,
    private: bool,
    trackers: &'a [Vec<String>],
    magnet: String,
    /// Always complete, whatever `--files` says.
    files: Vec<FileView>,
}

/// One file; padding is left out, as it is in every list. That leaves gaps in the numbers: they
/// are those of the torrent, which `--files` and a magnet's `so` (less one) mean too.
#[derive(Serialize)]
struct FileView {
    /// From 1, as `get --files` takes it.
    number: usize,
    path: String,
    size: u64,
}

/// Writes the view on stdout: it is the command's answer, not a report on its way.
///
/// Threat: name, comment, maker and paths come from strangers; each is escaped for the terminal.
pub(super) fn print(torrent: &Torrent, list: FileList, reporter: &mut Reporter) {
    let info = &*torrent.info;
    if reporter.style() == Style::Json {
        return reporter.print_json(&View {
            kind: "torrent",
            info_hash: info.info_hash().to_string(),
            name: info.name(),
            size: info.total_length(),
            pieces: info.piece_count(),
            piece_length: info.piece_length(),
            private: info.is_private(),
            trackers: &torrent.trackers,
            magnet: torrent::magnet_of(torrent).to_string(),
            files: files(info),
        });
    }
    let mut text = String::new();
    let mut row = |key: &str, value: &str| {
        text.push_str(&format!("{key:<10}  {}\n", escape(value)));
    };
    row("Name", info.name());
    row("Info hash", &info.info_hash().to_string());
    row(
        "Size",
        &format!(
            "{} ({} bytes)",
            bytes(info.total_length()),
            info.total_length()
        ),
    );
    row("Files", &files(info).len().to_string());
    row(
        "Pieces",
        &format!(
            "{} × {}",
            info.piece_count(),
            bytes(u64::from(info.piece_length()))
        ),
    );
    if info.is_private() {
        row("Private", "yes: peers from its trackers only");
    }
    if let Some(maker) = &torrent.created_by {
        row("Created by", maker);
    }
    if let Some(comment) = &torrent.comment {
        row("Comment", comment);
    }
    torrent
        .trackers
        .iter()
        .flatten()
        .for_each(|url| row("Tracker", url));
    row("Magnet", &torrent::magnet_of(torrent).to_string());
    reporter.print(&text);
    if list == FileList::All {
        print_files(info, reporter);
    }
}

/// The numbered list of files on stdout; what `--files` of `get` refers to.
pub(super) fn print_files(info: &Info, reporter: &mut Reporter) {
    let files = files(info);
    // Right-aligned numbers, so that a list of thousands can be read and cut by columns.
    let digits = files.last().map_or(1, |file| file.number.to_string().len());
    let lines = files.iter().map(|file| {
        format!(
            "{:>digits$}  {:>12}  {}\n",
            file.number,
            bytes(file.size),
            escape(&file.path)
        )
    });
    reporter.print(&lines.collect::<String>());
}

/// The data files with their numbers.
fn files(info: &Info) -> Vec<FileView> {
    let data = info
        .files()
        .iter()
        .enumerate()
        .filter(|(_, file)| file.kind == FileKind::Data);
    data.map(|(index, file)| FileView {
        number: index.saturating_add(1),
        path: file.path.to_string(),
        size: file.length,
    })
    .collect()
}
