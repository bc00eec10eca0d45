//! Self-restraint: after it has started, a process of ours can touch the folders it works in and no others (Linux,
//! Landlock). Whoever finds a way to make the client write a path of their choosing finds that the kernel refuses.
//!
//! Invariant: what is not granted cannot be opened for writing, created, renamed, linked, removed or started as a program
//! by this thread and by all that it starts later. Reading is granted where the system keeps what name resolution and
//! certificates need. Files that are open already stay usable, and so do sockets.
//!
//! Does not know: what a disk that is unmounted and mounted again does. The grant is of the folder that was there; the
//! command has to be started again.

use std::io;
use std::path::{Path, PathBuf};

/// What resolvers, TLS and the C library read on the systems we know of.
const SYSTEM: [&str; 12] = [
    "/bin",
    "/dev",
    "/etc",
    "/gnu/store",
    "/lib",
    "/lib64",
    "/nix/store",
    "/proc",
    "/run/systemd/resolve",
    "/sys",
    "/usr",
    "/var/run/nscd",
];

/// Certificates that the user named (OpenSSL's variables, which TLS of ours obeys too).
const CERTIFICATES: [&str; 2] = ["SSL_CERT_FILE", "SSL_CERT_DIR"];

/// A folder or file, and what remains possible at it and below it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Grant {
    /// Files are read and folders listed.
    Read(PathBuf),
    /// Everything but starting programs.
    Write(PathBuf),
}

/// How far the kernel goes along.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Confinement {
    /// All of it.
    Full,
    /// A kernel before Linux 6.10: some kinds of access are not watched.
    Partial,
    /// No Landlock in this kernel, or it is switched off: nothing has changed.
    Unsupported,
}

#[cfg(target_os = "linux")]
use kernel::enforce;

/// Confines the calling thread, and every thread and process that it starts from now on, to `grants` and to reading the
/// system's own folders. Cannot be undone. Where a folder does not exist yet, the nearest one above it is granted.
///
/// # Errors
/// The kernel has Landlock and refuses.
pub fn confine(grants: &[Grant]) -> io::Result<Confinement> {
    let system = SYSTEM.iter().map(PathBuf::from);
    let certificates = CERTIFICATES
        .iter()
        .filter_map(std::env::var_os)
        .map(PathBuf::from);
    // Where the link leads depends on who runs the network of this machine.
    let resolver = Path::new("/etc/resolv.conf").canonicalize();
    let read = system.chain(certificates).chain(resolver).map(Grant::Read);
    let null = Grant::Write(PathBuf::from("/dev/null"));
    enforce(read.chain([null]).chain(grants.iter().cloned()))
}

#[cfg(target_os = "linux")]
mod kernel {
    use std::io;

    use landlock::{
        ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset,
        RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus,
    };

    use super::{Confinement, Grant, existing};

    /// The newest rules we know. An older kernel enforces those of them that it knows.
    const RULES: ABI = ABI::V5;

    pub(super) fn enforce(grants: impl Iterator<Item = Grant>) -> io::Result<Confinement> {
        restrict(grants).map_err(io::Error::other)
    }

    fn restrict(grants: impl Iterator<Item = Grant>) -> Result<Confinement, RulesetError> {
        let everything = AccessFs::from_all(RULES);
        let reading = AccessFs::from_read(RULES) & !BitFlags::from(AccessFs::Execute);
        let writing = everything & !BitFlags::from(AccessFs::Execute);
        let mut rules = Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(everything)?
            .create()?;
        for grant in grants {
            let (path, access) = match &grant {
                Grant::Read(path) => (path.as_path(), reading),
                Grant::Write(path) => (existing(path), writing),
            };
            // What is not there, or may not be seen, needs no grant.
            if let Ok(folder) = PathFd::new(path) {
                rules = rules.add_rule(PathBeneath::new(folder, access))?;
            }
        }
        let status = rules.restrict_self()?;
        Ok(match status.ruleset {
            RulesetStatus::FullyEnforced => Confinement::Full,
            RulesetStatus::PartiallyEnforced => Confinement::Partial,
            RulesetStatus::NotEnforced => Confinement::Unsupported,
        })
    }
}

/// Other systems have other means.
#[cfg(not(target_os = "linux"))]
fn enforce(_: impl Iterator<Item = Grant>) -> io::Result<Confinement> {
    Ok(Confinement::Unsupported)
}

/// The path itself, or the nearest folder above it that exists.
fn existing(path: &Path) -> &Path {
    let found = path.ancestors().find(|at| at.exists());
    found
        .filter(|at| !at.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;

    use super::*;

    /// Landlock binds threads: this one alone is confined.
    fn confined<T: Send>(grants: &[Grant], then: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                let how = confine(grants).expect("the kernel takes the rules");
                assert_ne!(
                    how,
                    Confinement::Unsupported,
                    "these tests need Landlock (Linux 5.13)"
                );
                then()
            });
            thread.join().expect("the confined thread ends well")
        })
    }

    fn is_refused<T: std::fmt::Debug>(done: std::io::Result<T>) -> bool {
        done.is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied)
    }

    #[test]
    fn only_what_is_granted_can_be_written() {
        let dir = tempfile::tempdir().expect("a folder");
        let [data, shared, other] = ["data", "shared", "other"].map(|name| dir.path().join(name));
        for folder in [&data, &shared, &other] {
            fs::create_dir(folder).expect("a folder");
            fs::write(folder.join("file"), "old").expect("a file");
        }
        let grants = [Grant::Write(data.clone()), Grant::Read(shared.clone())];
        confined(&grants, || {
            fs::create_dir(data.join("new")).expect("granted");
            fs::write(data.join("new/file"), "new").expect("granted");
            fs::rename(data.join("new/file"), data.join("moved")).expect("granted");
            fs::remove_file(data.join("file")).expect("granted");
            assert_eq!(fs::read(shared.join("file")).expect("granted"), b"old");
            assert!(is_refused(fs::write(shared.join("file"), "new")));
            assert!(is_refused(fs::read(other.join("file"))));
            assert!(is_refused(fs::write(other.join("new"), "new")));
            assert!(is_refused(fs::remove_file(other.join("file"))));
            assert!(is_refused(fs::rename(
                data.join("moved"),
                other.join("moved")
            )));
        });
        assert_eq!(fs::read(other.join("file")).expect("untouched"), b"old");
    }

    #[test]
    fn no_program_is_started_and_the_system_s_files_are_read() {
        confined(&[], || {
            assert!(is_refused(Command::new("/bin/true").status()));
            fs::read_to_string("/etc/hosts").expect("names are resolved with it");
            fs::read_dir("/proc/self/fd").expect("open files are counted with it");
            fs::write("/dev/null", "nothing").expect("programs write to it");
        });
    }

    #[test]
    fn a_folder_that_does_not_exist_yet_can_be_made() {
        let dir = tempfile::tempdir().expect("a folder");
        let new = dir.path().join("a/b");
        confined(&[Grant::Write(new.clone())], || {
            fs::create_dir_all(&new).expect("granted by the folder above it");
        });
    }

    #[test]
    fn whoever_is_started_later_is_confined_too() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("file");
        let refused = confined(&[], || {
            let later = std::thread::spawn(move || is_refused(fs::write(file, "new")));
            later.join().expect("it ends well")
        });
        assert!(refused);
    }
}
