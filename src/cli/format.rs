//! Numbers and names for people, both ways: sizes, rates and durations as text and back, and names
//! from the network made harmless for a terminal.
//!
//! Threat: a torrent's name and paths are chosen by strangers. Control characters could drive the
//! terminal, bidirectional marks could make `exe.txt` of `txt.exe`; [`escape`] shows them as codes.

use std::fmt::Write as _;
use std::time::Duration;

/// Parses a size or a rate in bytes: `500k`, `2.5M`, `1GiB`, `1000`, `64 KiB`; `0` is allowed.
///
/// Units count in 1024, as everything that this program prints; `kB`, `MB` … are powers of 1000.
///
/// # Errors
/// A sentence for the user.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let split = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let factor: u64 = match unit
        .trim()
        .trim_end_matches("/s")
        .to_ascii_lowercase()
        .as_str()
    {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "t" | "tib" => 1 << 40,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        _ => return Err(format!("unknown unit `{}`: use k, M, G or T", unit.trim())),
    };
    scale(number, factor).ok_or_else(|| "not a size such as 500k, 2.5M or 1GiB".to_owned())
}

/// Parses a duration: `90s`, `5m`, `1h30m`, `2d`, `250ms`, `1.5h`; a bare number is seconds.
///
/// # Errors
/// A sentence for the user.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    const WRONG: &str = "not a duration such as 90s, 5m or 1h30m";
    let mut rest = text.trim();
    let mut total: u64 = 0;
    if rest.is_empty() {
        return Err(WRONG.to_owned());
    }
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let (number, behind) = rest.split_at(digits);
        let letters = behind
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(letters);
        let millis = match unit {
            "ms" => 1,
            "" | "s" | "sec" => 1_000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(format!("unknown unit `{unit}`: use s, m, h or d")),
        };
        let part = scale(number, millis).ok_or(WRONG)?;
        total = total.checked_add(part).ok_or(WRONG)?;
        rest = behind.trim_start();
    }
    Ok(Duration::from_millis(total))
}

/// Parses a share ratio: a finite number that is not negative.
///
/// # Errors
/// A sentence for the user.
pub fn parse_ratio(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(ratio) if ratio.is_finite() && ratio >= 0.0 => Ok(ratio),
        _ => Err("not a ratio such as 1.0".to_owned()),
    }
}

/// A decimal number times a factor, without floating point; `None` if it is no number or too large.
fn scale(number: &str, factor: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    let whole = if whole.is_empty() {
        0
    } else {
        whole.parse::<u64>().ok()?
    };
    // Nine decimals are finer than any unit can show.
    let fraction: String = fraction.chars().take(9).collect();
    let tenths = 10u128.pow(u32::try_from(fraction.len()).ok()?);
    let part = if fraction.is_empty() {
        0
    } else {
        fraction.parse::<u128>().ok()?
    };
    let part = u64::try_from(part.checked_mul(u128::from(factor))? / tenths).ok()?;
    whole.checked_mul(factor)?.checked_add(part)
}

/// `17 B`, `22.1 KiB`, `789.0 MiB`, `1.4 GiB`.
pub fn bytes(count: u64) -> String {
    let (unit, shift) = unit_of(count);
    in_unit(count, unit, shift)
}

/// Two sizes in one unit, that of the second: `339.3/789.0 MiB`.
pub fn bytes_of(have: u64, total: u64) -> String {
    let (unit, shift) = unit_of(total);
    let have = in_unit(have, "", shift);
    format!("{}/{}", have.trim_end(), in_unit(total, unit, shift))
}

/// `12.4 MiB/s`.
pub fn rate(bytes_per_second: u64) -> String {
    format!("{}/s", bytes(bytes_per_second))
}

fn unit_of(count: u64) -> (&'static str, u32) {
    match count {
        0..=1023 => ("B", 0),
        0x400..=0xF_FFFF => ("KiB", 10),
        0x10_0000..=0x3FFF_FFFF => ("MiB", 20),
        0x4000_0000..=0xFF_FFFF_FFFF => ("GiB", 30),
        _ => ("TiB", 40),
    }
}

fn in_unit(count: u64, unit: &str, shift: u32) -> String {
    if shift == 0 {
        return format!("{count} {unit}");
    }
    // Cut, never rounded up: 99.99 % is not yet 100 %.
    let tenths = (u128::from(count) * 10) >> shift;
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

/// Whole per cent, 100 only when it is complete.
pub fn percent(have: u64, total: u64) -> u8 {
    match total {
        0 => 100,
        _ => u8::try_from((u128::from(have) * 100 / u128::from(total)).min(100)).unwrap_or(100),
    }
}

/// A span of time that passed: `0.4 s`, `36 s`, `1 m 04 s`, `2 h 05 m`, `3 d 04 h`.
pub fn duration(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..=9 => format!("{}.{} s", seconds, span.subsec_millis() / 100),
        10..=59 => format!("{seconds} s"),
        60..=3599 => format!("{} m {:02} s", seconds / 60, seconds % 60),
        3600..=86_399 => format!("{} h {:02} m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {:02} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// A span of time to come: as [`duration`] but without tenths, `—` if unknown.
pub fn eta(span: Option<Duration>) -> String {
    match span {
        Some(span) if span.as_secs() < 10 => format!("{} s", span.as_secs()),
        Some(span) => duration(span),
        None => "—".to_owned(),
    }
}

/// A bar of `width` columns: `━━━━╸━━━` with the open part drawn by the caller's second string.
/// Returns the filled part (with its head) and the open part, so that the caller can colour them.
pub fn bar(have: u64, total: u64, width: usize) -> (String, String) {
    let cells = u128::try_from(width).unwrap_or(0);
    let filled = match total {
        0 => cells,
        _ => (u128::from(have) * cells / u128::from(total)).min(cells),
    };
    let filled = usize::try_from(filled).unwrap_or(0);
    let open = width.saturating_sub(filled);
    match open {
        0 => ("━".repeat(width), String::new()),
        _ => (format!("{}╸", "━".repeat(filled)), "─".repeat(open - 1)),
    }
}

/// Whether a character may stand on a terminal as it is.
pub fn is_harmless(character: char) -> bool {
    !character.is_control()
        && !matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{2800}' | '\u{3164}'
            | '\u{ffa0}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

/// Blanks in a row that a name may have; more are counted instead of shown.
const BLANKS: usize = 3;

/// A name from the network for a terminal: control, bidirectional and invisible characters become
/// `\u{…}`, line breaks too, so that one name is always one line; of many blanks only the number is
/// shown. Threat (reliability.md A15): `photo.jpg`, 500 spaces, `.exe`.
pub fn escape(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut rest = name.chars().peekable();
    while let Some(character) = rest.next() {
        let blank = |c: char| c.is_whitespace() && is_harmless(c);
        let mut blanks = usize::from(blank(character));
        while blanks > 0 && rest.next_if(|next| blank(*next)).is_some() {
            blanks += 1;
        }
        // Writing to a String cannot fail.
        let _ = match blanks {
            0 if is_harmless(character) => write!(out, "{character}"),
            0 => write!(out, "\\u{{{:x}}}", u32::from(character)),
            1..=BLANKS => write!(out, "{}", character.to_string().repeat(blanks)),
            _ => write!(out, " [{blanks} blanks] "),
        };
    }
    out
}

/// Edit distance (insert, delete, replace; each costs 1), for "did you mean".
pub fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(&b) {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = *cell;
            left = replaced.min(left + 1).min(*cell + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests;
