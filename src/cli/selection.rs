//! Which files of a torrent are wanted: `-f 1,3-5` by the numbers that `--list` shows (from 1),
//! `-f '*.mkv'` by pattern, and both together.

use std::ops::RangeInclusive;

use super::exit::{ExitCode, Failure};

/// The longest pattern; matching costs pattern × path at worst.
const MAX_PATTERN: usize = 1024;

/// The user's choice of files.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Selection {
    /// Every file.
    All,
    /// Files that one of these picks; never empty.
    Some(Vec<Pick>),
}

/// One item of a choice.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Pick {
    /// Numbers from 1, both ends included.
    Numbers(RangeInclusive<u32>),
    /// `*` is any number of characters (`/` too), `?` is one. Compared with the whole path inside
    /// the torrent, and, if it has no `/`, with the file's name.
    Pattern(String),
}

impl Selection {
    /// Reads the values of `--files`; none at all is everything.
    ///
    /// # Errors
    /// [`ExitCode::Usage`]: number 0, a range that ends before it starts, an empty pattern.
    pub fn parse(values: &[String]) -> Result<Self, Failure> {
        let mut picks = Vec::new();
        for value in values {
            match numbers(value) {
                Some(list) => picks.extend(list?),
                None => picks.push(pattern(value)?),
            }
        }
        Ok(if picks.is_empty() {
            Self::All
        } else {
            Self::Some(picks)
        })
    }

    /// Whether a file is wanted. `index` counts from 0, `path` is the path inside the torrent with
    /// `/` between its parts.
    pub fn picks(&self, index: u32, path: &str) -> bool {
        match self {
            Self::All => true,
            Self::Some(picks) => picks.iter().any(|pick| match pick {
                Pick::Numbers(range) => index
                    .checked_add(1)
                    .is_some_and(|number| range.contains(&number)),
                Pick::Pattern(pattern) => {
                    let name = path.rsplit('/').next().unwrap_or(path);
                    matches(pattern, path) || !pattern.contains('/') && matches(pattern, name)
                }
            }),
        }
    }
}

/// `None` if it is not made of digits, commas and dashes only: then it is a pattern.
fn numbers(value: &str) -> Option<Result<Vec<Pick>, Failure>> {
    let is_list = value.contains(|c: char| c.is_ascii_digit())
        && value
            .chars()
            .all(|c| c.is_ascii_digit() || matches!(c, ',' | '-' | ' '));
    is_list.then(|| {
        value
            .split(',')
            .map(|item| one_range(item.trim()))
            .collect()
    })
}

fn one_range(item: &str) -> Result<Pick, Failure> {
    let (first, last) = item.split_once('-').unwrap_or((item, item));
    let number = |text: &str| text.trim().parse::<u32>().ok().filter(|number| *number > 0);
    match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => Ok(Pick::Numbers(first..=last)),
        _ => Err(Failure::new(
            ExitCode::Usage,
            format!("`{item}` is no file number or range"),
        )
        .hint("files are counted from 1: --files 1,3-5; `--list` shows their numbers")),
    }
}

fn pattern(value: &str) -> Result<Pick, Failure> {
    if value.is_empty() || value.len() > MAX_PATTERN {
        return Err(Failure::new(
            ExitCode::Usage,
            "an empty or endless file pattern",
        ));
    }
    Ok(Pick::Pattern(value.to_owned()))
}

/// `*` and `?` only. On a mismatch it goes back to the last `*` and lets that eat one more
/// character: pattern × text steps at worst, no recursion.
fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(character) = text.get(t) {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(wanted) if *wanted == '?' || wanted == character => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, eaten)) => {
                    star = Some((at, eaten + 1));
                    p = at + 1;
                    t = eaten + 1;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|left| *left == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(values: &[&str]) -> Result<Selection, Failure> {
        Selection::parse(
            &values
                .iter()
                .map(|value| (*value).to_owned())
                .collect::<Vec<_>>(),
        )
    }

    #[test]
    fn numbers_count_from_one() {
        let chosen = selection(&["1,3-5", "9"]).unwrap();
        let picked: Vec<u32> = (0..12).filter(|index| chosen.picks(*index, "x")).collect();
        assert_eq!(picked, [0, 2, 3, 4, 8]);
        assert!(!chosen.picks(u32::MAX, "x"));
        assert!(selection(&[]).unwrap().picks(7, "any"));
    }

    #[test]
    fn wrong_numbers_are_errors() {
        for value in ["0", "5-3", "1,,2", "1-", "-3", "1-2-3", "4294967296", ""] {
            let failure = selection(&[value]).unwrap_err();
            assert_eq!(failure.code, ExitCode::Usage, "{value}");
        }
    }

    #[test]
    fn patterns() {
        for (pattern, path, expected) in [
            ("*.mkv", "show/season 1/a.mkv", true),
            ("*.mkv", "show/a.mkv.txt", false),
            ("a?c", "x/abc", true),
            ("x/*", "x/abc", true),
            ("y/*", "x/abc", false),
            ("abc", "x/abc", true),
            ("x/abc", "x/abc", true),
            ("*ä*", "x/häß", true),
            ("*", "", true),
            ("?", "", false),
            ("**a**b", "aXab", true),
        ] {
            assert_eq!(
                selection(&[pattern]).unwrap().picks(0, path),
                expected,
                "{pattern} {path}"
            );
        }
    }

    #[test]
    fn a_hostile_pattern_ends() {
        let chosen = selection(&[&"*a".repeat(500)]).unwrap();
        assert!(!chosen.picks(0, &"a".repeat(400)));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_selection_or_an_error(value in "[0-9,*?a/-]{0,12}", path in "[a/*]{0,9}") {
            if let Ok(chosen) = selection(&[&value]) {
                let _ = chosen.picks(3, &path);
            }
        }

        #[test]
        fn a_pattern_of_its_own_text_matches(path in "[a-c/]{1,12}") {
            proptest::prop_assert!(selection(&[&path]).unwrap().picks(0, &path));
        }
    }
}
