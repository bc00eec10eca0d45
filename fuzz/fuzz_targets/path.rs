//! Any names as the paths of a torrent's files (reliability.md C9-C11): they stay inside their folder.
//!
//! Input: names; `\n` ends a component, `\r` a file. What is accepted is one ordinary name a component, below the
//! torrent's own, no two of them the same when case does not count, none the folder of another.
#![cfg_attr(fuzzing, no_main)]

use std::path::{Component, Path};

use bytes::Bytes;
use trackless::metainfo::{FilePath, Info};

/// One input.
pub(crate) fn run(data: &[u8]) {
    let mut parts = data.split(|byte| *byte == b'\r');
    let name = parts.next().unwrap_or_default();
    let files: Vec<&[u8]> = parts.take(8).collect();
    let mut raw = b"d5:filesl".to_vec();
    for file in &files {
        raw.extend_from_slice(b"d6:lengthi1e4:pathl");
        for component in file.split(|byte| *byte == b'\n') {
            string(&mut raw, component);
        }
        raw.extend_from_slice(b"ee");
    }
    raw.extend_from_slice(b"e4:name");
    string(&mut raw, name);
    raw.extend_from_slice(b"12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaae");
    let Ok(info) = Info::from_bytes(Bytes::from(raw)) else {
        return;
    };
    let mut seen: Vec<Vec<String>> = Vec::new();
    for file in info.files().iter().filter(|file| file.is_data()) {
        let components = file.path.components();
        assert!(components.len() >= 2 && components[0] == info.name());
        let joined = Path::new("/root").join(file.path.to_string());
        let mut walked = joined.components();
        assert_eq!(walked.next(), Some(Component::RootDir));
        assert!(walked.all(|part| matches!(part, Component::Normal(_))));
        assert_eq!(joined.components().count(), components.len() + 2);
        // What is safe stays as it is.
        assert_eq!(FilePath::new(components).as_ref(), Ok(&file.path));
        let folded: Vec<String> = components.iter().map(|name| name.to_lowercase()).collect();
        for other in &seen {
            assert!(
                !folded.starts_with(other) && !other.starts_with(&folded),
                "{folded:?}"
            );
        }
        seen.push(folded);
    }
}

fn string(out: &mut Vec<u8>, text: &[u8]) {
    out.extend_from_slice(format!("{}:", text.len()).as_bytes());
    out.extend_from_slice(text);
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| run(data));
