//! The storage machine's slow half: noticing changes by others, group commits, final names.
//!
//! Invariant: as in [`super::disk`]. Knows no peers and no clock.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::time::Instant;

use super::backing::{Fingerprint, Place};
use super::check;
use super::disk::{Disk, FOREIGN, Standing};
use super::error::{is_broken, is_forbidden, is_full, is_read_only};
use super::foreign::WHOLE;
use super::journal::Record;
use super::notes::{StateNews, ranges};
use super::sync::{SYNC_AFTER, SYNC_FILES, SyncJob, SyncOutcome, describe};
use crate::swarm::disk::DiskError;

impl Disk {
    /// When [`Disk::begin_sync`] has something to do: 5 s after the first write that is not
    /// durable, or a time that has passed if 64 MiB wait; also 5 s after a sync that failed or
    /// a state that could not be saved. `None`: nothing waits.
    pub fn next_sync(&self) -> Option<Instant> {
        let waiting = [self.unsynced.due(), self.doubts_due, self.notes_due];
        waiting.into_iter().flatten().min()
    }

    /// The group commit that is due, for another thread. One at a time: `None` also while one runs.
    /// What a failed one has left in doubt is found out right here.
    pub fn begin_sync(&mut self, now: Instant) -> Option<SyncJob> {
        if !self.syncing.is_empty() {
            return None;
        }
        if self.doubts_due.is_some_and(|due| due <= now)
            && let Err(error) = self.resolve_doubts(now)
        {
            tracing::warn!(?error, "pieces after a failed sync");
        }
        if self.notes_due.is_some_and(|due| due <= now) {
            self.notes.record([]);
            self.notes_due = None;
            self.plan_notes(now);
        }
        if self.unsynced.due().is_none_or(|due| due > now) {
            return None;
        }
        Some(self.sync_job())
    }

    /// Whether saving the torrent's state has begun to fail, or to work again, since this was last
    /// asked. A failure is tried again every five seconds, from the first job on.
    pub fn take_news(&mut self) -> Option<StateNews> {
        self.notes.news()
    }

    pub(super) fn plan_notes(&mut self, now: Instant) {
        if !self.notes.is_waiting() {
            self.notes_due = None;
        } else if self.notes_due.is_none() {
            self.notes_due = now.checked_add(SYNC_AFTER);
        }
    }

    /// Records what a group commit has made durable, and gives files that are complete their names.
    pub fn finish_sync(&mut self, now: Instant, outcome: SyncOutcome) {
        self.syncing.clear();
        if let Some(error) = outcome.failed {
            tracing::warn!(error, "written pieces could not be made durable");
            for piece in outcome.pieces {
                // The kernel reports a lost write once and forgets it: the next sync says nothing.
                self.verified.clear(piece);
                self.doubtful.insert(piece);
            }
            self.doubts_due = now.checked_add(SYNC_AFTER);
            return;
        }
        let pieces: BTreeSet<u32> = outcome
            .pieces
            .into_iter()
            .filter(|piece| !self.doubtful.contains(piece))
            .collect();
        // Recorded only now, after the sync: a record is a promise that a power cut must not break.
        let mut touched = BTreeSet::new();
        for piece in &pieces {
            self.durable.set(*piece);
            touched.extend(self.layout.piece_spans(*piece).map(|span| span.file));
        }
        self.notes.record(ranges(pieces));
        self.plan_notes(now);
        if let Err(error) = self.settle(touched) {
            tracing::warn!(?error, "a complete file could not get its name");
        }
    }

    /// Everything written so far becomes durable and recorded, complete files get their names; then
    /// the top-level path.
    ///
    /// # Errors
    /// Something could not be made durable or named; what is complete stays under its unfinished
    /// name. [`DiskError::Damaged`]: a piece that was stored is no longer there.
    pub fn flush(&mut self, now: Instant) -> Result<Vec<PathBuf>, DiskError> {
        self.commit(now)?;
        if self.lost.is_empty() {
            Ok(vec![self.top.clone()])
        } else {
            Err(DiskError::Damaged)
        }
    }

    fn commit(&mut self, now: Instant) -> Result<(), DiskError> {
        let job = self.sync_job();
        let outcome = job.run();
        self.finish_sync(now, outcome);
        self.resolve_doubts(now)?;
        self.settle(0..self.layout.files.len())
    }

    /// [`Disk::flush`], then the mark that makes the next start believe what is recorded.
    pub fn close(&mut self, now: Instant) {
        if let Err(error) = self.commit(now) {
            // Without the mark the next start hashes what this run has touched.
            tracing::warn!(?error, "not everything could be made durable");
            return;
        }
        // As we last saw them, not as they are: what others changed since must not be believed.
        // What is somebody else's and not right is hashed again, so that the next start refuses it.
        let open = self.files.iter().enumerate().filter_map(|(file, watched)| {
            let print = watched
                .seen
                .filter(|_| watched.standing == Standing::Open && watched.protected != WHOLE)?;
            Some(Record::Seen(u32::try_from(file).ok()?, print))
        });
        let records: Vec<Record> = open.chain([Record::Closed]).collect();
        self.notes.record(records);
    }

    fn sync_job(&mut self) -> SyncJob {
        // A commit whose thread never came back counts as not done.
        let mut pieces = std::mem::take(&mut self.syncing);
        pieces.extend(self.unsynced.take());
        let touched: BTreeSet<usize> = pieces
            .iter()
            .flat_map(|piece| self.layout.piece_spans(*piece).map(|span| span.file))
            .filter(|file| self.layout.is_data(*file))
            .collect();
        let touched: Vec<usize> = touched.into_iter().collect();
        let (mut files, mut failed, mut whole) = (Vec::new(), None, None);
        if touched.len() > SYNC_FILES {
            whole = self.storage.file_system(&touched);
        }
        if whole.is_none()
            && let Err(error) = self.sync_new_names(&touched)
        {
            failed = Some(describe("sync", "the folder", &error));
        }
        for file in touched.into_iter().filter(|_| whole.is_none()) {
            let path = self.storage.path(file).display().to_string();
            match self.storage.handle(file) {
                // On several file systems: what is too much to hold is synced right here.
                Ok(Some(handle)) if files.len() >= SYNC_FILES => {
                    if let Err(error) = handle.sync_data() {
                        failed = Some(describe("sync", &path, &error));
                    }
                }
                Ok(Some(handle)) => files.push((handle, path)),
                Ok(None) => {}
                Err(error) => failed = Some(describe("open", &path, &error)),
            }
        }
        self.syncing.clone_from(&pieces);
        SyncJob {
            pieces,
            files,
            whole,
            failed,
        }
    }

    /// The names of files that were not durable yet; each costs its folders one sync in a run.
    fn sync_new_names(&mut self, files: &[usize]) -> io::Result<()> {
        let new = |file: &usize| !self.named.contains(file);
        let new: Vec<usize> = files.iter().copied().filter(new).collect();
        if !new.is_empty() {
            self.storage.sync_names(&new)?;
            self.named.extend(new);
        }
        Ok(())
    }

    /// After a failed sync: what the device holds is read back past the cache and hashed.
    fn resolve_doubts(&mut self, now: Instant) -> Result<(), DiskError> {
        self.doubts_due = None;
        if self.doubtful.is_empty() {
            return Ok(());
        }
        let doubtful = std::mem::take(&mut self.doubtful);
        for piece in &doubtful {
            let spans: Vec<_> = self.layout.piece_spans(*piece).collect();
            for span in spans
                .into_iter()
                .filter(|span| self.layout.is_data(span.file))
            {
                if let Ok(Some(file)) = self.storage.handle(span.file) {
                    // Advice: without it the cache answers, and a later read may find the damage.
                    let _ = rustix::fs::fadvise(&*file, 0, None, rustix::fs::Advice::DontNeed);
                }
            }
            match self.verify(*piece) {
                Ok(()) => {
                    let size = self.layout.geometry.piece_size(*piece);
                    self.unsynced.push(now, *piece, size);
                }
                Err(DiskError::Damaged) => {}
                Err(_) => {
                    // It could not be read at all, for now: as doubtful as before.
                    self.doubtful.insert(*piece);
                    self.doubts_due = now.checked_add(SYNC_AFTER);
                }
            }
        }
        let outcome = self.sync_job().run();
        let failed = outcome.failed.clone();
        self.finish_sync(now, outcome);
        match failed {
            Some(error) => Err(DiskError::Io(error)),
            None if doubtful.iter().any(|piece| !self.durable.has(*piece)) => {
                Err(DiskError::Damaged)
            }
            None => Ok(()),
        }
    }

    /// Gives the complete ones among these files, and the empty ones once all pieces are there,
    /// their names, and records how they look.
    pub(super) fn settle(
        &mut self,
        files: impl IntoIterator<Item = usize>,
    ) -> Result<(), DiskError> {
        let all = self.durable.is_full();
        let empty = if all {
            0..self.layout.files.len()
        } else {
            0..0
        };
        let empty: Vec<usize> = empty
            .filter(|file| self.layout.pieces_of(*file).is_empty())
            .collect();
        let (mut finished, mut first_error) = (Vec::new(), None);
        for file in files.into_iter().chain(empty) {
            match self.finish(file) {
                Ok(true) => finished.push(file),
                Ok(false) => {}
                Err(error) => {
                    first_error.get_or_insert(error);
                }
            }
        }
        // Names first, then their durability once for all, then the fingerprints: renaming changes
        // a file's ctime.
        if !finished.is_empty() {
            // On a read-only device nothing waits to be written; it can be shared from. A name that it has lost is found
            // under the unfinished one.
            if let Err(error) = self.storage.sync_names(&finished)
                && !is_read_only(&error)
            {
                return Err(DiskError::Io(format!("cannot sync the folder: {error}")));
            }
            let mut records = Vec::new();
            for file in finished {
                let seen = self.storage.fingerprint(file);
                if let (Some(watched), Some(print)) = (self.files.get_mut(file), seen) {
                    watched.seen = seen;
                    watched.standing = Standing::Settled;
                    records.extend(u32::try_from(file).map(|file| Record::Seen(file, print)));
                }
            }
            self.notes.record(records);
        }
        first_error.map_or(Ok(()), Err)
    }

    /// `true` if the file got its name or had it.
    fn finish(&mut self, file: usize) -> Result<bool, DiskError> {
        let pieces = self.layout.pieces_of(file);
        let complete = pieces.clone().all(|piece| self.durable.has(piece))
            && (!pieces.is_empty() || self.durable.is_full());
        if !complete || !self.layout.is_data(file) {
            return Ok(false);
        }
        // The last look before the name: what is called complete was hashed as it lies there.
        self.look(file);
        let standing = self
            .files
            .get(file)
            .map_or(Standing::Open, |watched| watched.standing);
        let named = self.storage.place(file) == Place::Final;
        if standing == Standing::Settled || standing == Standing::Changed && named {
            return Ok(false);
        }
        if matches!(standing, Standing::Disturbed | Standing::Changed) {
            // All of them, so that all that are wrong are fetched again at once.
            let mut wrong = None;
            for piece in pieces {
                if !self.verified.has(piece)
                    && let Err(error) = self.verify(piece)
                {
                    wrong = Some(error);
                }
            }
            if let Some(error) = wrong {
                return Err(error);
            }
            // Every piece was hashed just now, and `look` will notice the next change.
            if let Some(watched) = self.files.get_mut(file) {
                watched.standing = Standing::Open;
            }
        }
        let length = self.layout.files.get(file).map_or(0, |entry| entry.length);
        let size = self.storage.fingerprint(file).map(|print| print.size);
        let protected = self.files.get(file).is_some_and(|file| file.protected > 0);
        if protected && size.is_some_and(|size| size > length) {
            let path = self.storage.path(file).display().to_string();
            let error = io::Error::new(io::ErrorKind::AlreadyExists, FOREIGN);
            return Err(DiskError::Io(describe("cut", &path, &error)));
        }
        // What has its name already may lie on a read-only device: not even opened for writing.
        if !named || size != Some(length) {
            self.storage
                .finish(file)
                .map_err(|error| self.failure("name", file, &error))?;
        }
        Ok(true)
    }

    /// Notices if somebody else has changed a file since we last saw it.
    pub(super) fn look(&mut self, file: usize) {
        if !self.layout.is_data(file) {
            return;
        }
        let seen = self.storage.fingerprint(file);
        let named = self.storage.place(file) == Place::Final;
        let Some(watched) = self
            .files
            .get_mut(file)
            .filter(|watched| watched.seen != seen)
        else {
            return;
        };
        let which = |print: Fingerprint| (print.device, print.inode);
        if watched.seen.map(which) != seen.map(which) {
            // Another one lies there now, or none: nothing of it is kept from the old one.
            let foreign = named && seen.is_some();
            watched.protected = if foreign { WHOLE } else { 0 };
            self.named.remove(&file);
        }
        watched.seen = seen;
        watched.standing = match watched.standing {
            Standing::Open | Standing::Disturbed => Standing::Disturbed,
            Standing::Settled | Standing::Changed => Standing::Changed,
        };
        for piece in self.layout.pieces_of(file) {
            self.verified.clear(piece);
        }
    }

    /// Hashes a piece on disk.
    pub(super) fn verify(&mut self, piece: u32) -> Result<(), DiskError> {
        match check::is_right(&self.layout, &mut *self.storage, piece, &mut self.buffer) {
            Ok(true) => {
                self.verified.set(piece);
                self.unsure.remove(&piece);
                Ok(())
            }
            Ok(false) => Err(self.lose(piece)),
            // The device has it no more.
            Err(error) if is_broken(&error) => Err(self.lose(piece)),
            Err(error) => Err(self.failure("read", self.first_file(piece), &error)),
        }
    }

    /// Hashes one of the pieces that are believed since a run that ended by force; whether more wait.
    pub fn check_next(&mut self) -> bool {
        let Some(piece) = self.unsure.pop_first() else {
            return false;
        };
        let files: BTreeSet<usize> = self.layout.piece_spans(piece).map(|it| it.file).collect();
        for file in &files {
            self.look(*file);
        }
        if !self.verified.has(piece)
            && let Err(error) = self.verify(piece)
        {
            tracing::warn!(piece, ?error, "recorded, and not to be read as it was");
        }
        if self.unsure.is_empty() {
            self.believe_again();
        }
        !self.unsure.is_empty()
    }

    /// Files of which everything recorded was hashed are as good as if the last run had ended tidily.
    fn believe_again(&mut self) {
        for file in 0..self.files.len() {
            let mut pieces = self.layout.pieces_of(file);
            let hashed = pieces.all(|it| !self.durable.has(it) || self.verified.has(it));
            if let Some(watched) = self.files.get_mut(file)
                && watched.standing == Standing::Disturbed
                && hashed
            {
                watched.standing = Standing::Open;
            }
        }
    }

    /// Pieces that turned out damaged since the last call, other than those that a read has told of.
    pub fn take_lost(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.untold).into_iter().collect()
    }

    /// A piece is not what it was.
    pub(super) fn lose(&mut self, piece: u32) -> DiskError {
        self.verified.clear(piece);
        self.unsure.remove(&piece);
        self.lost.insert(piece);
        self.untold.insert(piece);
        if self.durable.clear(piece) {
            self.notes.record([Record::Lost(piece)]);
        }
        DiskError::Damaged
    }

    pub(super) fn failure(&self, operation: &str, file: usize, error: &io::Error) -> DiskError {
        if is_full(error) {
            return DiskError::Full;
        }
        let path = self.storage.path(file).display().to_string();
        let words = describe(operation, &path, error);
        if operation == "write" && is_forbidden(error) {
            return DiskError::ReadOnly(words);
        }
        DiskError::Io(words)
    }

    fn first_file(&self, piece: u32) -> usize {
        self.layout
            .piece_spans(piece)
            .next()
            .map_or(0, |span| span.file)
    }
}
