//! Secret keys of mutable items: files of 64 hexadecimal digits that only their owner may read.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use dht::Item;

use super::super::exit::{ExitCode, Failure};
use super::super::plan::Secret;
use super::super::report::{Reporter, Style};
use crate::io;

/// Makes a key, and prints its public half.
///
/// # Errors
/// A file that exists or cannot be written.
pub(super) fn run(path: &Path, reporter: &mut Reporter) -> Result<ExitCode, Failure> {
    let secret = generate(path)?;
    let key = hex::encode(public(&secret));
    if reporter.style() == Style::Json {
        reporter.print_json(&serde_json::json!({
            "type": "key", "key": key, "path": path.display().to_string(),
        }));
    } else {
        reporter.print(&format!("{key}\n"));
    }
    Ok(ExitCode::Ok)
}

/// Makes a key and writes it to a new file.
///
/// # Errors
/// [`ExitCode::Conflict`] if there is such a file: a key that is overwritten is lost for ever.
pub(super) fn generate(path: &Path) -> Result<Secret, Failure> {
    let seed = io::seed().map_err(|error| Failure::io("the system has no randomness", &error))?;
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    let written = file.and_then(|mut file| {
        file.write_all((hex::encode(seed) + "\n").as_bytes())?;
        file.sync_all()
    });
    match written {
        Ok(()) => Ok(Secret(seed)),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let message = format!("{} exists already", path.display());
            Err(Failure::new(ExitCode::Conflict, message).hint("--key FILE uses it"))
        }
        Err(error) => Err(Failure::io(
            format!("cannot write {}", path.display()),
            &error,
        )),
    }
}

/// The public half.
pub(super) fn public(secret: &Secret) -> [u8; 32] {
    match Item::signed(&secret.0, Vec::new(), 0, b"0:".to_vec()) {
        Ok(Item::Mutable { key, .. }) => key,
        _ => unreachable!("an empty text without salt is within every limit"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_is_written_once_and_for_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let secret = generate(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.trim(), hex::encode(secret.0));
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(generate(&path).unwrap_err().code, ExitCode::Conflict);
        assert!(!format!("{secret:?}").contains(text.trim()));
    }
}
