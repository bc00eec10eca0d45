//! Names of files: what is refused, what is tidied.

use super::super::path::{MAX_COMPONENT, MAX_DEPTH, MAX_RAW_COMPONENT, component};
use super::super::{FilePath, PathError};

/// Rows C11: names that climb, are absolute, hold separators or control characters, or name a device.
#[test]
fn dangerous_names_are_refused() {
    use PathError as E;
    for (name, expected) in [
        ("", E::Empty),
        (".", E::Climbs),
        ("..", E::Climbs),
        (".. ", E::Climbs),
        ("...", E::Empty),
        (" ", E::Empty),
        (". .", E::Empty),
        ("\u{200b}", E::Empty),
        (".\u{200b}.", E::Climbs),
        ("\u{feff}..", E::Climbs),
        ("a/b", E::Separator),
        ("/", E::Separator),
        ("a\\b", E::Separator),
        ("a\0", E::Control),
        ("a\nb", E::Control),
        ("\u{1b}[2J", E::Control),
        ("a\u{85}b", E::Control),
        ("con", E::Device),
        ("CON.tar.gz", E::Device),
        ("nul .txt", E::Device),
        ("Aux.", E::Device),
        ("com1", E::Device),
        ("COM¹.txt", E::Device),
        ("lpt9.x", E::Device),
        ("co\u{200d}n", E::Device),
        ("C:", E::Drive),
        ("c:x", E::Drive),
        ("\u{202e}c:", E::Drive),
    ] {
        assert_eq!(component(name), Err(expected), "{name:?}");
    }
}

#[test]
fn ordinary_names_stay() {
    for name in [
        "a",
        ".hidden",
        "..a",
        "a..b",
        "con1",
        "com",
        "com10",
        "console",
        "Ünïcödé 名前.mkv",
        "ab:c d",
        "10:30.txt",
        "~",
        "-rf",
        " leading",
    ] {
        assert_eq!(component(name).as_deref(), Ok(name));
    }
}

/// Rows C11: invisible characters and trailing dots go.
#[test]
fn harmless_oddities_are_tidied() {
    for (name, tidy) in [
        ("a.", "a"),
        ("a. . ", "a"),
        ("\u{202e}gpj.exe", "gpj.exe"),
        ("a\u{200b}\u{feff}b\u{2066}", "ab"),
        ("x \u{200b}", "x"),
    ] {
        assert_eq!(component(name).as_deref(), Ok(tidy), "{name:?}");
    }
}

/// Rows C9: at most 240 bytes, told apart by a part of their hash.
#[test]
fn long_names_are_shortened_and_stay_apart() {
    let whole = "a".repeat(MAX_COMPONENT);
    assert_eq!(component(&whole).as_deref(), Ok(whole.as_str()));
    let first = component(&format!("{}1.mkv", "a".repeat(300))).unwrap();
    let second = component(&format!("{}2.mkv", "a".repeat(300))).unwrap();
    assert_ne!(first, second);
    assert_eq!(first.len(), MAX_COMPONENT);
    assert!(first.ends_with(".mkv") && first.as_bytes()[MAX_COMPONENT - 13] == b'~');
    let wide = component(&"名".repeat(100)).unwrap();
    assert!(wide.len() <= MAX_COMPONENT && wide.contains('~'));
    let no_extension = component(&format!("a.{}", "b".repeat(300))).unwrap();
    assert_eq!(no_extension.len(), MAX_COMPONENT);
    assert!(component(&"a".repeat(MAX_RAW_COMPONENT)).is_ok());
    assert_eq!(
        component(&"a".repeat(MAX_RAW_COMPONENT + 1)),
        Err(PathError::TooLong)
    );
}

/// Rows C9: 64 folders deep and no deeper.
#[test]
fn depth_is_bounded() {
    assert_eq!(FilePath::new::<&str>(&[]), Err(PathError::Empty));
    assert_eq!(
        FilePath::new(&vec!["d"; MAX_DEPTH])
            .unwrap()
            .components()
            .len(),
        MAX_DEPTH
    );
    assert_eq!(
        FilePath::new(&vec!["d"; MAX_DEPTH + 1]),
        Err(PathError::TooDeep)
    );
    let path = FilePath::new(&["a", "b.", "c"]).unwrap();
    assert_eq!(
        (path.to_string().as_str(), path.file_name()),
        ("a/b/c", "c")
    );
}
