//! Where a report goes: standard output and files.
//!
//! Text or JSON lines go to standard output, CSV and charts to files that are replaced. Knows
//! nothing of what is in them.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::Report;

/// Whether programs or people read standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Json {
    /// An object a line.
    Yes,
    /// Text.
    #[default]
    No,
}

/// What is asked for besides the text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outputs {
    /// The first chart's file; the others are `FILE-2.svg`, `FILE-3.svg`, ...
    pub svg: Option<PathBuf>,
    /// All tables' file.
    pub csv: Option<PathBuf>,
    /// What standard output gets.
    pub json: Json,
}

/// Prints the report and writes the files.
///
/// # Errors
/// A file or standard output cannot be written.
pub fn write(report: &Report, outputs: &Outputs) -> io::Result<()> {
    let text = match outputs.json {
        Json::Yes => report.json_lines(),
        Json::No => report.to_string(),
    };
    io::stdout().lock().write_all(text.as_bytes())?;
    if let Some(path) = &outputs.csv {
        fs::write(path, report.csv())?;
    }
    if let Some(path) = &outputs.svg {
        for (i, chart) in report.charts.iter().enumerate() {
            fs::write(numbered(path, i + 1), chart.to_svg())?;
        }
    }
    Ok(())
}

/// The file of the chart of this number, from 1.
fn numbered(path: &Path, number: usize) -> PathBuf {
    if number == 1 {
        return path.to_owned();
    }
    let part = |part: Option<&std::ffi::OsStr>| part.map(|p| p.to_string_lossy().into_owned());
    let stem = part(path.file_stem()).unwrap_or_default();
    let extension = part(path.extension()).unwrap_or_else(|| "svg".to_owned());
    path.with_file_name(format!("{stem}-{number}.{extension}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn further_charts_are_numbered() {
        let path = Path::new("out/a.svg");
        assert_eq!(numbered(path, 1), path);
        assert_eq!(numbered(path, 2), Path::new("out/a-2.svg"));
        assert_eq!(numbered(Path::new("a"), 3), Path::new("a-3.svg"));
    }
}
