//! Names of files inside a torrent (BEP 3, `name` and `path`), made safe to join to a directory.
//!
//! Invariant: a [`FilePath`] has at least one component, and every component is one ordinary name
//! on Linux, macOS and Windows alike: it cannot climb, cannot be absolute, cannot address a device.
//! What is dangerous is refused, because a changed dangerous name may meet another file's name;
//! only what is harmless (invisible characters, trailing dots) is tidied. Collisions after tidying
//! are settled by `clash`. This file knows no file system.

use std::fmt;

use sha1::{Digest, Sha1};

/// Longest component in bytes. File systems allow 255; 15 are kept for our own suffixes.
pub(super) const MAX_COMPONENT: usize = 240;
/// Deepest path in components (reliability: 64), the torrent's name included.
pub(super) const MAX_DEPTH: usize = 64;
/// Bytes of a component as it stands in the torrent; above, it is not worth shortening.
pub(super) const MAX_RAW_COMPONENT: usize = 4096;
/// Longest extension in bytes, with its dot, that survives shortening.
pub(super) const MAX_EXTENSION: usize = 16;

/// A relative path that stays below the directory it is joined to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FilePath(Vec<String>);

/// Why a name of a torrent is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// No component at all, or one that is empty (also: empty once tidied).
    #[error("a file has an empty name")]
    Empty,
    /// `.` or `..`.
    #[error("a file name climbs out of the directory (`.` or `..`)")]
    Climbs,
    /// `/` or `\` inside of a component.
    #[error("a file name has a slash or backslash in it")]
    Separator,
    /// NUL or another control character.
    #[error("a file name has a control character in it")]
    Control,
    /// A device of Windows, such as `CON` or `COM1.txt`.
    #[error("a file name is reserved for a device")]
    Device,
    /// `C:` or `C:name`.
    #[error("a file name starts with a drive letter")]
    Drive,
    /// More than 64 components.
    #[error("a file path is more than {MAX_DEPTH} directories deep")]
    TooDeep,
    /// A component of more than `MAX_RAW_COMPONENT` bytes.
    #[error("a file name is longer than {MAX_RAW_COMPONENT} bytes")]
    TooLong,
}

impl FilePath {
    /// Checks and tidies the components of a path, outermost directory first.
    ///
    /// # Errors
    /// The first rule of [`PathError`] that is broken.
    pub fn new<S: AsRef<str>>(components: &[S]) -> Result<Self, PathError> {
        match components.len() {
            0 => return Err(PathError::Empty),
            1..=MAX_DEPTH => {}
            _ => return Err(PathError::TooDeep),
        }
        components
            .iter()
            .map(|name| component(name.as_ref()))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Of components that are tidy already; at least one.
    pub(super) fn of_tidy(components: Vec<String>) -> Self {
        Self(components)
    }

    /// The components, outermost first; never empty.
    #[must_use]
    pub fn components(&self) -> &[String] {
        &self.0
    }

    /// The last component: the file itself.
    #[must_use]
    pub fn file_name(&self) -> &str {
        self.0.last().map_or("", String::as_str)
    }
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("/"))
    }
}

/// Checks one component as it stands in the torrent, then tidies it.
///
/// # Errors
/// The first rule of [`PathError`] that is broken before or after tidying.
pub(super) fn component(name: &str) -> Result<String, PathError> {
    if name.len() > MAX_RAW_COMPONENT {
        return Err(PathError::TooLong);
    }
    check(name)?;
    let visible: String = name.chars().filter(|c| !is_invisible(*c)).collect();
    // Threat: `.\u{200b}.` turns into `..` by tidying, so the rules hold for the result as well;
    // `.. ` likewise, before its end is cut.
    check(&visible)?;
    let trimmed = visible.trim_end_matches(['.', ' ']);
    if trimmed.is_empty() {
        return Err(PathError::Empty);
    }
    check(trimmed)?;
    Ok(shorten(trimmed))
}

/// The rules that lead to refusal.
fn check(name: &str) -> Result<(), PathError> {
    if name.is_empty() {
        return Err(PathError::Empty);
    }
    if matches!(name.trim_end_matches(' '), "." | "..") {
        return Err(PathError::Climbs);
    }
    if name.contains(['/', '\\']) {
        return Err(PathError::Separator);
    }
    if name.chars().any(char::is_control) {
        return Err(PathError::Control);
    }
    let mut start = name.bytes();
    if start.next().is_some_and(|b| b.is_ascii_alphabetic()) && start.next() == Some(b':') {
        return Err(PathError::Drive);
    }
    if is_device(name) {
        Err(PathError::Device)
    } else {
        Ok(())
    }
}

/// Whether Windows opens a device instead of a file: the name up to its first dot counts.
fn is_device(name: &str) -> bool {
    let stem = name
        .split('.')
        .next()
        .unwrap_or(name)
        .trim_end_matches(' ')
        .to_ascii_uppercase();
    if matches!(
        stem.as_str(),
        "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$" | "CLOCK$"
    ) {
        return true;
    }
    let number = stem
        .strip_prefix("COM")
        .or_else(|| stem.strip_prefix("LPT"));
    // Superscript digits count as digits there.
    number.is_some_and(|n| {
        let mut digits = n.chars();
        matches!(digits.next(), Some('0'..='9' | '¹' | '²' | '³')) && digits.next().is_none()
    })
}

/// Zero-width characters and those that turn the direction of writing.
///
/// Threat: `gpj.exe` behind a right-to-left override is displayed as `exe.jpg`.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{00ad}' | '\u{061c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Cuts a long name to [`MAX_COMPONENT`] bytes: start, `~`, 8 hex digits of its SHA-1, extension.
fn shorten(name: &str) -> String {
    if name.len() <= MAX_COMPONENT {
        return name.to_owned();
    }
    let extension = name
        .rfind('.')
        .and_then(|dot| name.get(dot..))
        .filter(|extension| (2..=MAX_EXTENSION).contains(&extension.len()))
        .unwrap_or("");
    let digest = hex::encode(Sha1::digest(name.as_bytes()));
    let digest = digest.get(..8).unwrap_or(&digest);
    let room = MAX_COMPONENT
        .saturating_sub(1)
        .saturating_sub(digest.len())
        .saturating_sub(extension.len());
    let end = name.floor_char_boundary(room);
    format!("{}~{digest}{extension}", name.get(..end).unwrap_or(""))
}
