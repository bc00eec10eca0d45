//! The drive as a folder of this machine, by FUSE: what runs on it is the real program with its real system calls.
//!
//! Nothing is cached, so that a cut is seen at once. Needs root and `/dev/fuse`. Read "fuse.txt" of the kernel's
//! documentation first.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, SystemTime};

use fuser::{
    BackgroundSession, BsdFileFlags, Config, Errno, FileAttr, FileHandle, FileType, Filesystem,
    FopenFlags, Generation, INodeNo, LockOwner, MountOption, OpenFlags, RenameFlags, ReplyAttr,
    ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyLseek, ReplyOpen,
    ReplyStatfs, ReplyWrite, Request, TimeOrNow, WriteFlags,
};

use super::cut::Times;
use super::{BTreeMap, Drive, Node, OsStr, PAGE, State};

/// Nothing is remembered by the kernel.
const NEVER: Duration = Duration::ZERO;

/// What a program may write in all, as `statvfs` tells it: 16 GiB.
const ROOM: u64 = 4 << 20;

/// `lseek(2)`: the next byte that is not in a hole.
const SEEK_DATA: i32 = 3;

/// How files are opened. A program that ends must not wait for a drive that hangs, so closing asks nothing.
const UNCACHED: FopenFlags = FopenFlags::FOPEN_DIRECT_IO.union(FopenFlags::FOPEN_NOFLUSH);

/// A drive in use; unmounted when dropped.
#[derive(Debug)]
pub struct Mounted {
    at: PathBuf,
    session: Option<BackgroundSession>,
    drive: Drive,
    plug: Option<Child>,
}

impl Mounted {
    /// Mounts `drive` at the folder `at`; `None`, and a word about it, where that is not allowed.
    ///
    /// # Panics
    /// When it is not allowed and `CI` is set.
    pub fn mount(drive: &Drive, at: &Path) -> Option<Self> {
        let mut config = Config::default();
        config.mount_options = vec![MountOption::FSName("trackless-drive".into())];
        match fuser::spawn_mount(Face(drive.clone()), at, &config) {
            Ok(session) => Some(Self {
                at: at.to_owned(),
                session: Some(session),
                drive: drive.clone(),
                plug: None,
            }),
            Err(error) => {
                assert!(std::env::var_os("CI").is_none(), "cannot mount: {error}");
                eprintln!("skipped: needs root and /dev/fuse: {error}");
                None
            }
        }
    }
}

impl Mounted {
    /// From now on nobody is answered.
    pub fn hang(&mut self) {
        self.drive.break_it(|faults| faults.hangs = true);
        let plug = Command::new("test")
            .arg("-e")
            .arg(self.at.join(super::PLUG))
            .spawn();
        self.plug = Some(plug.expect("coreutils"));
    }

    /// Everybody is answered again.
    pub fn go_on(&mut self) {
        self.drive.break_it(|faults| faults.hangs = false);
        if let Some(mut plug) = self.plug.take() {
            let _ = plug.wait();
        }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        self.go_on();
        self.drive
            .break_it(|faults| *faults = super::Faults::default());
        // Lazily: a program that is still ending may stand in it.
        let _ = Command::new("umount").arg("-l").arg(&self.at).status();
        drop(self.session.take());
    }
}

/// What the kernel talks to.
struct Face(Drive);

impl Face {
    /// The state once the drive answers.
    fn wait(&self) -> std::sync::MutexGuard<'_, State> {
        let delay = self.0.state().faults.delay;
        if !delay.is_zero() {
            std::thread::sleep(delay);
        }
        self.0.state()
    }

    /// The same for what changes or syncs: EIO without power, EROFS if it must not.
    fn change(&self) -> Result<std::sync::MutexGuard<'_, State>, Errno> {
        let mut state = self.wait();
        if state.faults.read_only {
            return Err(Errno::EROFS);
        }
        if state.powered() {
            Ok(state)
        } else {
            Err(Errno::EIO)
        }
    }

    /// The same for what only looks.
    fn look(&self) -> Result<std::sync::MutexGuard<'_, State>, Errno> {
        let state = self.wait();
        if state.off {
            Err(Errno::EIO)
        } else {
            Ok(state)
        }
    }
}

fn time(ticks: u64) -> SystemTime {
    // Some moment in 2026; a tick is a millisecond.
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_780_000_000) + Duration::from_millis(ticks)
}

fn attributes(number: u64, node: &Node) -> FileAttr {
    let kind = if node.names.is_some() {
        FileType::Directory
    } else {
        FileType::RegularFile
    };
    FileAttr {
        ino: INodeNo(number),
        size: node.size,
        blocks: node.pages.len() as u64 * (PAGE as u64 / 512),
        atime: time(node.modified),
        mtime: time(node.modified),
        ctime: time(node.changed),
        crtime: time(0),
        kind,
        perm: 0o755,
        nlink: node.links,
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: 4096,
        flags: 0,
    }
}

/// Answers a request with what `found` says.
macro_rules! answer {
    ($reply:expr, $found:expr, |$value:ident| $answer:expr) => {
        match $found {
            Ok($value) => $answer,
            Err(error) => $reply.error(error),
        }
    };
}

impl Filesystem for Face {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        if name == super::PLUG {
            self.0.wait_while_it_hangs();
        }
        let found = self.look().and_then(|state| {
            let number = state.lookup(parent.0, name).ok_or(Errno::ENOENT)?;
            let node = state.live.get(&number).ok_or(Errno::ENOENT)?;
            Ok(attributes(number, node))
        });
        answer!(reply, found, |it| reply.entry(&NEVER, &it, Generation(0)));
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        let found = self.look().and_then(|state| {
            let node = state.live.get(&ino.0).ok_or(Errno::ESTALE)?;
            Ok(attributes(ino.0, node))
        });
        answer!(reply, found, |it| reply.attr(&NEVER, &it));
    }

    fn setattr(
        &self,
        _: &Request,
        ino: INodeNo,
        _: Option<u32>,
        _: Option<u32>,
        _: Option<u32>,
        size: Option<u64>,
        _: Option<TimeOrNow>,
        _: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let found = self.change().and_then(|mut state| {
            if let Some(size) = size {
                state.resize(ino.0, size);
            }
            let node = state.live.get(&ino.0).ok_or(Errno::ESTALE)?;
            Ok(attributes(ino.0, node))
        });
        answer!(reply, found, |it| reply.attr(&NEVER, &it));
    }

    fn mkdir(&self, _: &Request, parent: INodeNo, name: &OsStr, _: u32, _: u32, reply: ReplyEntry) {
        let found = self.change().and_then(|mut state| {
            if state.lookup(parent.0, name).is_some() {
                return Err(Errno::EEXIST);
            }
            let number = state.make(parent.0, name, Some(BTreeMap::new()));
            Ok(attributes(number, &state.live[&number]))
        });
        answer!(reply, found, |it| reply.entry(&NEVER, &it, Generation(0)));
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let found = self.change().and_then(|mut state| {
            state.lookup(parent.0, name).ok_or(Errno::ENOENT)?;
            state.change(vec![(parent.0, name.to_owned(), None)]);
            Ok(())
        });
        answer!(reply, found, |_it| reply.ok());
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let found = self.change().and_then(|mut state| {
            let number = state.lookup(parent.0, name).ok_or(Errno::ENOENT)?;
            let taken = state.lookup(new_parent.0, new_name).is_some();
            if taken && flags.contains(RenameFlags::RENAME_NOREPLACE) {
                return Err(Errno::EEXIST);
            }
            state.change(vec![
                (new_parent.0, new_name.to_owned(), Some(number)),
                (parent.0, name.to_owned(), None),
            ]);
            Ok(())
        });
        answer!(reply, found, |_it| reply.ok());
    }

    fn create(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        _: u32,
        _: u32,
        _: i32,
        reply: ReplyCreate,
    ) {
        let found = self.change().map(|mut state| {
            let number = state.lookup(parent.0, name);
            let number = number.unwrap_or_else(|| state.make(parent.0, name, None));
            attributes(number, &state.live[&number])
        });
        let direct = UNCACHED;
        answer!(reply, found, |it| reply.created(
            &NEVER,
            &it,
            Generation(0),
            FileHandle(0),
            direct
        ));
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        let found = self.look().map(drop);
        answer!(reply, found, |_it| reply.opened(FileHandle(0), UNCACHED));
    }

    fn read(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let found = self.look().and_then(|state| {
            if let Some((part, from)) = &state.faults.bad_from
                && state.is_named(ino.0, part)
                && offset + u64::from(size) > *from
            {
                return Err(Errno::EIO);
            }
            Ok(state.read(ino.0, offset, size as usize))
        });
        answer!(reply, found, |it| reply.data(&it));
    }

    fn write(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let (stalls, stall) = {
            let mut state = self.0.state();
            state.writes += 1;
            let every = state.faults.stall_every;
            (
                every != 0 && state.writes.is_multiple_of(every),
                state.faults.stall,
            )
        };
        if stalls {
            std::thread::sleep(stall);
        }
        let found = self.change().and_then(|mut state| {
            let bad = state.faults.bad_writes.as_deref();
            if bad.is_some_and(|part| state.is_named(ino.0, part)) {
                return Err(Errno::EIO);
            }
            let end = offset + data.len() as u64;
            if state.faults.largest.is_some_and(|largest| end > largest) {
                return Err(Errno::EFBIG);
            }
            state.write(ino.0, offset, data);
            Ok(u32::try_from(data.len()).expect("as long as a request"))
        });
        answer!(reply, found, |it| reply.written(it));
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn fsync(&self, _: &Request, ino: INodeNo, _: FileHandle, data: bool, reply: ReplyEmpty) {
        let times = if data { Times::Not } else { Times::Too };
        let found = self.change().map(|mut state| state.sync_file(ino.0, times));
        answer!(reply, found, |_it| reply.ok());
    }

    fn fsyncdir(&self, _: &Request, ino: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        let found = self.change().map(|mut state| state.sync_folder(ino.0));
        answer!(reply, found, |_it| reply.ok());
    }

    fn readdir(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let found = self.look().map(|state| {
            let node = state.live.get(&ino.0);
            let names = node.and_then(|node| node.names.clone()).unwrap_or_default();
            let kind = |number| {
                let node = state.live.get(&number);
                let folder = node.is_some_and(|node| node.names.is_some());
                if folder {
                    FileType::Directory
                } else {
                    FileType::RegularFile
                }
            };
            let entry = |(name, number)| (name, number, kind(number));
            names.into_iter().map(entry).collect::<Vec<_>>()
        });
        answer!(reply, found, |names| {
            let skipped = usize::try_from(offset).unwrap_or(usize::MAX);
            for (index, (name, number, kind)) in names.into_iter().enumerate().skip(skipped) {
                if reply.add(INodeNo(number), index as u64 + 1, kind, name) {
                    break;
                }
            }
            reply.ok();
        });
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        reply.statfs(ROOM, ROOM, ROOM, 1 << 20, 1 << 20, 4096, 255, 4096);
    }

    fn lseek(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: i64,
        whence: i32,
        reply: ReplyLseek,
    ) {
        let found = self.look().and_then(|state| {
            let node = state.live.get(&ino.0).ok_or(Errno::ESTALE)?;
            let from = u64::try_from(offset).map_err(|_| Errno::ENXIO)?;
            if whence != SEEK_DATA {
                return Err(Errno::EINVAL);
            }
            let page = node.pages.range(from / PAGE as u64..).next();
            let at = page.map(|(page, _)| (page * PAGE as u64).max(from));
            let at = at.filter(|at| *at < node.size).ok_or(Errno::ENXIO)?;
            Ok(i64::try_from(at).expect("a length"))
        });
        answer!(reply, found, |it| reply.offset(it));
    }
}
