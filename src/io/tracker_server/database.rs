//! The tracker's memory on disk (`--db FILE`, SQLite): a thread that writes down what changes, and the
//! copy that the next start reads.
//!
//! Invariant: the file is consistent whenever the process or the machine ends. Who was told of a peer
//! [`COMMIT_EVERY`] ago finds it after `kill -9`; after a power cut a few seconds may be missing. Peers that
//! could not announce because the tracker was down are not punished for it. Times are unix seconds,
//! since a monotonic clock means nothing after a restart. Knows no sockets.

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use bencode::Endpoint;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::metainfo::InfoHash;
use crate::tracker::server::{Change, Part, Saved};

/// The longest that a change waits to be written.
const COMMIT_EVERY: Duration = Duration::from_millis(50);

/// Most changes in one transaction.
const MAX_BATCH: usize = 20_000;

/// Batches that may wait for a slow disk; then announces wait too, and memory does not grow.
const QUEUE: usize = 1024;

/// Between two signs of life while nothing changes: they tell the next start how long it was down.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// Between two removals of those who became silent.
const EXPIRE_EVERY: Duration = Duration::from_secs(300);

/// A tracker that was down for longer has lost its swarms; before that, peers are as old as they were.
const FORGIVEN: Duration = Duration::from_secs(24 * 3600);

/// What the file says it is (`PRAGMA application_id`): "TLtr".
const APPLICATION: i32 = 0x544c_7472;

/// The shape of the tables (`PRAGMA user_version`).
const VERSION: i32 = 1;

const TABLES: &str = "
    CREATE TABLE torrents (hash BLOB PRIMARY KEY, completed INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE peers (
        hash BLOB NOT NULL, at BLOB NOT NULL, part INTEGER NOT NULL, seen INTEGER NOT NULL,
        PRIMARY KEY (hash, at)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE alive (id INTEGER PRIMARY KEY CHECK (id = 1), at INTEGER NOT NULL) STRICT;
";

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// Another process has it open.
    #[error("another process uses it")]
    Taken,
    /// The file belongs to another program.
    #[error("it is no tracker's database")]
    Foreign,
    /// A later version of this program wrote it.
    #[error("a newer version wrote it (format {0})")]
    Newer(i32),
    /// SQLite's words.
    #[error("{0}")]
    Sqlite(String),
}

impl From<rusqlite::Error> for DatabaseError {
    fn from(error: rusqlite::Error) -> DatabaseError {
        use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked, NotADatabase};
        match error.sqlite_error_code() {
            Some(DatabaseBusy | DatabaseLocked) => DatabaseError::Taken,
            Some(NotADatabase) => DatabaseError::Foreign,
            _ => DatabaseError::Sqlite(error.to_string()),
        }
    }
}

/// An open file, not yet written to.
pub(super) struct Database {
    connection: Connection,
    lifetime: Duration,
}

impl Database {
    /// Opens `path`, or makes it.
    ///
    /// # Errors
    /// See [`DatabaseError`].
    pub(super) fn open(path: &Path, lifetime: Duration) -> Result<Database, DatabaseError> {
        let connection = Connection::open(path)?;
        // No waiting: whoever has it keeps it for as long as he runs.
        connection.busy_timeout(Duration::ZERO)?;
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        let application: i32 =
            connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
        let version: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let tables: i64 =
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        match (application, version, tables) {
            (APPLICATION, VERSION, _) | (0, 0, 0) => {}
            (APPLICATION, version, _) => return Err(DatabaseError::Newer(version)),
            _ => return Err(DatabaseError::Foreign),
        }
        // A write-ahead log: a commit is one write; the disk is waited for at checkpoints only, which
        // keeps the file consistent and may cost the last commits in a power cut.
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        let mut database = Database {
            connection,
            lifetime,
        };
        let begun = database.connection.transaction()?;
        if tables == 0 {
            begun.execute_batch(TABLES)?;
            begun.pragma_update(None, "application_id", APPLICATION)?;
            begun.pragma_update(None, "user_version", VERSION)?;
        }
        set_alive(&begun, None)?;
        begun.commit()?;
        Ok(database)
    }

    /// Reads what an earlier run knew: peers one by one, then the counts of completed downloads.
    ///
    /// # Errors
    /// SQLite's.
    pub(super) fn load(
        &mut self,
        mut peer: impl FnMut(&Saved),
        mut completed: impl FnMut(InfoHash, u32),
    ) -> Result<(), DatabaseError> {
        let now = unix_now();
        let begun = self.connection.transaction()?;
        let alive: i64 = begun.query_row("SELECT at FROM alive", [], |row| row.get(0))?;
        // Nobody could announce meanwhile, so that time does not count.
        let down = now.saturating_sub(alive).clamp(0, whole_seconds(FORGIVEN));
        begun.execute("UPDATE peers SET seen = seen + ?", [down])?;
        expire(&begun, now, self.lifetime)?;
        {
            let mut rows = begun.prepare("SELECT hash, at, part, seen FROM peers")?;
            let mut rows = rows.query([])?;
            while let Some(row) = rows.next()? {
                let hash = row.get_ref(0)?.as_blob().ok().and_then(info_hash);
                let at = row
                    .get_ref(1)?
                    .as_blob()
                    .ok()
                    .and_then(Endpoint::from_compact);
                let part = if row.get::<_, i64>(2)? == 1 {
                    Part::Seeder
                } else {
                    Part::Leecher
                };
                let silent = now.saturating_sub(row.get(3)?);
                let silent = Duration::from_secs(u64::try_from(silent).unwrap_or(0));
                // A file is input as any other: what is no hash or endpoint is left out.
                if let (Some(hash), Some(at)) = (hash, at) {
                    peer(&Saved {
                        hash,
                        at,
                        part,
                        silent,
                    });
                }
            }
            let mut rows = begun.prepare("SELECT hash, completed FROM torrents")?;
            let mut rows = rows.query([])?;
            while let Some(row) = rows.next()? {
                let hash = row.get_ref(0)?.as_blob().ok().and_then(info_hash);
                if let (Some(hash), Ok(count)) = (hash, u32::try_from(row.get::<_, i64>(1)?)) {
                    completed(hash, count);
                }
            }
        }
        set_alive(&begun, Some(now))?;
        begun.commit()?;
        Ok(())
    }

    /// Starts the thread that writes.
    pub(super) fn start(self) -> Journal {
        let (queue, changes) = sync_channel(QUEUE);
        let thread = std::thread::spawn(move || self.run(&changes));
        Journal { queue, thread }
    }

    /// Writes until the other end is gone, then what is left.
    fn run(mut self, changes: &Receiver<Vec<Change>>) -> Result<(), DatabaseError> {
        let mut expired = Instant::now();
        let mut outcome = Ok(());
        loop {
            let mut batch = match changes.recv_timeout(HEARTBEAT) {
                Ok(batch) => batch,
                Err(RecvTimeoutError::Timeout) => Vec::new(),
                Err(RecvTimeoutError::Disconnected) => break,
            };
            let end = Instant::now() + COMMIT_EVERY;
            while batch.len() < MAX_BATCH {
                match changes.recv_timeout(end.saturating_duration_since(Instant::now())) {
                    Ok(more) => batch.extend(more),
                    Err(_) => break,
                }
            }
            let mut written = self.write(&batch);
            if written.is_ok() && expired.elapsed() >= EXPIRE_EVERY {
                expired = Instant::now();
                written = expire(&self.connection, unix_now(), self.lifetime);
            }
            // A full disk does not end the service: what is missing is written down again when its peer
            // announces the next time but few, and what is left too much becomes silent.
            if let Err(error) = &written {
                tracing::warn!("the tracker's database was not written: {error}");
            }
            outcome = written;
        }
        // Closing the connection moves the log into the file.
        outcome
    }

    fn write(&mut self, batch: &[Change]) -> Result<(), DatabaseError> {
        let now = unix_now();
        let begun = self.connection.transaction()?;
        apply(&begun, batch, now)?;
        set_alive(&begun, Some(now))?;
        begun.commit()?;
        Ok(())
    }
}

/// The way to the thread that writes.
pub(super) struct Journal {
    queue: SyncSender<Vec<Change>>,
    thread: JoinHandle<Result<(), DatabaseError>>,
}

impl Journal {
    /// Hands changes over, in their order. Waits while the disk is [`QUEUE`] batches behind.
    pub(super) fn write(&self, changes: Vec<Change>) {
        // The other end is gone only if the thread panicked; the tracker serves on.
        let _ = self.queue.send(changes);
    }

    /// Writes what waits and closes the file.
    ///
    /// # Errors
    /// Of the last transaction.
    pub(super) fn close(self) -> Result<(), DatabaseError> {
        drop(self.queue);
        let ended = self.thread.join();
        ended.unwrap_or_else(|_| Err(DatabaseError::Sqlite("the writing thread ended".to_owned())))
    }
}

/// Writes a batch, with each statement prepared once.
fn apply(begun: &Transaction<'_>, batch: &[Change], now: i64) -> Result<(), DatabaseError> {
    let mut here = begun.prepare(
        "INSERT INTO peers (hash, at, part, seen) VALUES (?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET part = excluded.part, seen = excluded.seen",
    )?;
    let mut gone = begun.prepare("DELETE FROM peers WHERE hash = ? AND at = ?")?;
    let mut completed = begun.prepare(
        "INSERT INTO torrents (hash, completed) VALUES (?, ?)
         ON CONFLICT DO UPDATE SET completed = excluded.completed",
    )?;
    for change in batch {
        match change {
            Change::Here(hash, at, part) => {
                let part = i64::from(*part == Part::Seeder);
                here.execute(params![hash.0, compact(*at), part, now])?;
            }
            Change::Gone(hash, at) => {
                gone.execute(params![hash.0, compact(*at)])?;
            }
            Change::Completed(hash, count) => {
                completed.execute(params![hash.0, count])?;
            }
        }
    }
    Ok(())
}

/// Removes who is silent. Their last announce may have come up to an eighth of a lifetime after it was
/// written down last.
fn expire(begun: &Connection, now: i64, lifetime: Duration) -> Result<(), DatabaseError> {
    let before = now.saturating_sub(whole_seconds(lifetime + lifetime / 8));
    begun.execute("DELETE FROM peers WHERE seen < ?", [before])?;
    Ok(())
}

/// Notes that the tracker is up; `None` only if it never was before.
fn set_alive(begun: &Transaction<'_>, now: Option<i64>) -> Result<(), DatabaseError> {
    let before: Option<i64> = begun
        .query_row("SELECT at FROM alive", [], |row| row.get(0))
        .optional()?;
    if let Some(now) = now.or_else(|| before.is_none().then(unix_now)) {
        begun.execute("INSERT OR REPLACE INTO alive (id, at) VALUES (1, ?)", [now])?;
    }
    Ok(())
}

fn compact(at: Endpoint) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(18);
    at.write_compact(&mut bytes);
    bytes
}

fn info_hash(bytes: &[u8]) -> Option<InfoHash> {
    bytes.try_into().ok().map(InfoHash)
}

fn whole_seconds(span: Duration) -> i64 {
    i64::try_from(span.as_secs()).unwrap_or(i64::MAX)
}

/// Seconds since 1970; 0 with a clock before that.
fn unix_now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, whole_seconds)
}

#[cfg(test)]
mod tests;
