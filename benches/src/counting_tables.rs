//! Both state tables and session-stream in memory, with the capacity that DynamoDB would bill.
//!
//! A run of hours of arrivals would take hours with real tables. A test compares the units with those that an embedded
//! DynamoDB reports for the same run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kinesis_function::call_error::CallError;
use sessionizer_fn::bucket::bounds::MAX_COMMIT_BYTES;
use sessionizer_fn::ring_log::ring::Expected;
use sessionizer_fn::state_log_codec::{CodecError, encode_entries, encode_user};
use sessionizer_fn::state_log_entry::{LogKey, LogValue, UserEntry};
use sessionizer_fn::store::log_store::{LogCommit, LogStore, StoreError, WriteResult};
use sessionizer_fn::store::publisher::{Message, Publisher};
use sessionizer_fn::store::rest_store::{RestResult, RestStore, RestingUser};
use sessionizer_fn::store::settings::Settings;
use shared::columns::declaration::SessionColumns;
use shared::user_id::UserId;

use crate::error::BenchError;
use crate::stored::known_before;
use crate::typical_columns::Columns;

/// Bytes of a write unit. Source: DynamoDB developer guide, read/write capacity.
const WRITE_UNIT_BYTES: u64 = 1_024;

/// Bytes of a unit of a strongly consistent read. Source: the same.
const READ_UNIT_BYTES: u64 = 4_096;

/// What a run has consumed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Consumed {
    /// Write units of the state log.
    pub log_writes: u64,
    /// Read units of the state log.
    pub log_reads: u64,
    /// Write units of session-state.
    pub rest_writes: u64,
    /// Read units of session-state.
    pub rest_reads: u64,
    /// Items of users at rest written.
    pub rest_items: u64,
    /// Bytes of these.
    pub rest_bytes: u64,
    /// Commits.
    pub commits: u64,
    /// Slots read.
    pub slots_read: u64,
    /// Bytes of the items of all commits.
    pub commit_bytes: u64,
    /// Users' entries in all commits.
    pub user_entries: u64,
    /// Bytes of these.
    pub user_bytes: u64,
    /// Boundaries published.
    pub boundaries: u64,
    /// Bytes of these, with their partition keys.
    pub boundary_bytes: u64,
}

/// The tables and the stream. Clones are the same ones.
#[derive(Clone, Debug, Default)]
pub struct CountingTables(Arc<Mutex<Contents>>);

#[derive(Debug, Default)]
struct Contents {
    /// If everyone has clicked before, so that session-state has an item of each user: what clicks have for columns.
    known: Option<Columns>,
    /// The columns of all sessions.
    columns: SessionColumns,
    settings: Option<Settings>,
    log: HashMap<(u32, u64), Stored<LogCommit>>,
    rest: HashMap<UserId, Stored<RestingUser>>,
    consumed: Consumed,
}

#[derive(Clone, Debug)]
struct Stored<T> {
    value: T,
    /// Bytes of its item.
    bytes: u64,
}

impl CountingTables {
    /// Tables without a log, and with an item at rest for everyone, of sessions with `columns`.
    ///
    /// # Errors
    /// None in practice: the declaration is valid.
    pub fn of_known_users(columns: Columns) -> Result<Self, BenchError> {
        let contents = Contents { known: Some(columns), columns: columns.declared()?, ..Contents::default() };
        Ok(Self(Arc::new(Mutex::new(contents))))
    }

    /// The settings that were made.
    #[must_use]
    pub fn settings(&self) -> Option<Settings> {
        self.contents().settings
    }

    /// All commits that are in the slots of `bucket`, oldest first.
    #[must_use]
    pub fn commits(&self, bucket: u32) -> Vec<LogCommit> {
        let contents = self.contents();
        let of_bucket = contents.log.iter().filter(|((of, _), _)| *of == bucket);
        let mut commits: Vec<_> = of_bucket.map(|(_, stored)| stored.value.clone()).collect();
        commits.sort_unstable_by_key(|commit| commit.number);
        commits
    }

    /// The item of `user_id`, without counting the read.
    #[must_use]
    pub fn at_rest(&self, user_id: &UserId) -> Option<RestingUser> {
        self.contents().at_rest(user_id).map(|stored| stored.value.clone())
    }

    /// What was consumed since the last call.
    #[must_use]
    pub fn take(&self) -> Consumed {
        std::mem::take(&mut self.contents().consumed)
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slots<T>(&self, bucket: u32, slots: &[u64], of: impl Fn(&LogCommit) -> T) -> Vec<Option<T>> {
        let mut contents = self.contents();
        let Contents { log, consumed, .. } = &mut *contents;
        let read = |slot: &u64| {
            let stored = log.get(&(bucket, *slot));
            consumed.log_reads += read_units(stored.map(|stored| stored.bytes));
            consumed.slots_read += 1;
            stored.map(|stored| of(&stored.value))
        };
        slots.iter().map(read).collect()
    }
}

impl Contents {
    fn at_rest(&mut self, user_id: &UserId) -> Option<&Stored<RestingUser>> {
        if let Some(columns) = self.known.filter(|_| !self.rest.contains_key(user_id)) {
            let value = known_before(user_id, columns)?;
            let bytes = rest_item_bytes(&value, &self.columns).ok()?;
            self.rest.insert(user_id.clone(), Stored { value, bytes });
        }
        self.rest.get(user_id)
    }
}

impl LogStore for CountingTables {
    async fn settings(&self) -> Result<Option<Settings>, StoreError> {
        let mut contents = self.contents();
        contents.consumed.log_reads += 1;
        Ok(contents.settings)
    }

    async fn make_settings(&self, settings: Settings) -> Result<Settings, StoreError> {
        let mut contents = self.contents();
        contents.consumed.log_writes += 1;
        Ok(*contents.settings.get_or_insert(settings))
    }

    async fn read(&self, bucket: u32, slots: &[u64]) -> Result<Vec<Option<LogCommit>>, StoreError> {
        Ok(self.slots(bucket, slots, Clone::clone))
    }

    async fn read_numbers(&self, bucket: u32, slots: &[u64]) -> Result<Vec<Option<u64>>, StoreError> {
        Ok(self.slots(bucket, slots, |commit| commit.number))
    }

    async fn write(&self, bucket: u32, slot: u64, expected: Expected, commit: &LogCommit) -> WriteResult {
        let mut contents = self.contents();
        let Contents { log, consumed, columns, .. } = &mut *contents;
        let bytes = match log_item_bytes(bucket, slot, commit, columns) {
            Ok(bytes) => bytes,
            Err(error) => return WriteResult::Failed(CallError::unbuildable("PutItem", error)),
        };
        if bytes > MAX_COMMIT_BYTES as u64 {
            return WriteResult::TooLarge;
        }
        let stored = log.get(&(bucket, slot));
        let bytes_before = stored.map_or(0, |stored| stored.bytes);
        let found = stored.map_or(Expected::Nothing, |stored| Expected::Commit(stored.value.number));
        if found != expected {
            consumed.log_writes += write_units(bytes_before);
            return WriteResult::LostRace;
        }
        let users = commit.entries.iter().filter(|(key, _)| matches!(key, LogKey::User(_)));
        let users: Vec<(LogKey, LogValue)> = users.cloned().collect();
        consumed.log_writes += write_units(bytes.max(bytes_before));
        consumed.commits += 1;
        consumed.commit_bytes += bytes;
        consumed.user_entries += users.len() as u64;
        consumed.user_bytes += encode_entries(&users, commit.made_ms, columns).map_or(0, |bytes| bytes.len() as u64);
        log.insert((bucket, slot), Stored { value: commit.clone(), bytes });
        WriteResult::Written
    }
}

impl RestStore for CountingTables {
    async fn read(&self, users: &[UserId]) -> Vec<Result<Option<UserEntry>, StoreError>> {
        let mut contents = self.contents();
        let read = |user_id: &UserId| {
            let stored = contents.at_rest(user_id);
            let entry = stored.map(|stored| UserEntry { has_item: true, ..stored.value.entry.clone() });
            let units = read_units(stored.map(|stored| stored.bytes));
            contents.consumed.rest_reads += units;
            Ok(entry)
        };
        users.iter().map(read).collect()
    }

    async fn write(&self, users: &[RestingUser]) -> Vec<RestResult> {
        let mut contents = self.contents();
        let Contents { rest, consumed, columns, .. } = &mut *contents;
        let write = |user: &RestingUser| {
            let bytes = match rest_item_bytes(user, columns) {
                Ok(bytes) => bytes,
                Err(error) => return RestResult::Failed(CallError::unbuildable("BatchExecuteStatement", error)),
            };
            let before = rest.get(&user.user_id);
            let bytes_before = before.map_or(0, |before| before.bytes);
            if before.is_some() != user.entry.has_item {
                consumed.rest_writes += write_units(bytes_before); // the first statement's condition fails
            }
            if before.is_some_and(|before| before.value.commit > user.commit) {
                return RestResult::LaterCommit;
            }
            consumed.rest_writes += write_units(bytes.max(bytes_before));
            consumed.rest_items += 1;
            consumed.rest_bytes += bytes;
            rest.insert(user.user_id.clone(), Stored { value: user.clone(), bytes });
            RestResult::Written
        };
        users.iter().map(write).collect()
    }
}

impl Publisher for CountingTables {
    async fn put(&self, messages: &[Message]) -> Vec<Result<(), CallError>> {
        let mut contents = self.contents();
        contents.consumed.boundaries += messages.len() as u64;
        let bytes = |message: &Message| message.data().len() + message.partition_key().len();
        contents.consumed.boundary_bytes += messages.iter().map(bytes).sum::<usize>() as u64;
        messages.iter().map(|_| Ok(())).collect()
    }
}

impl Consumed {
    /// Adds `times` times `other`.
    pub fn add_times(&mut self, other: &Self, times: u64) {
        let Self { log_writes, log_reads, rest_writes, rest_reads, commits, slots_read, .. } = *other;
        let Self { rest_items, rest_bytes, commit_bytes, user_entries, user_bytes, boundaries, boundary_bytes, .. } =
            *other;
        self.log_writes += times * log_writes;
        self.log_reads += times * log_reads;
        self.rest_writes += times * rest_writes;
        self.rest_reads += times * rest_reads;
        self.rest_items += times * rest_items;
        self.rest_bytes += times * rest_bytes;
        self.commits += times * commits;
        self.slots_read += times * slots_read;
        self.commit_bytes += times * commit_bytes;
        self.user_entries += times * user_entries;
        self.user_bytes += times * user_bytes;
        self.boundaries += times * boundaries;
        self.boundary_bytes += times * boundary_bytes;
    }

    /// Write units of both tables.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.log_writes + self.rest_writes
    }

    /// Read units of both tables.
    #[must_use]
    pub fn reads(&self) -> u64 {
        self.log_reads + self.rest_reads
    }
}

fn log_item_bytes(bucket: u32, slot: u64, commit: &LogCommit, columns: &SessionColumns) -> Result<u64, CodecError> {
    let names = ["slot", "commit", "tail", "version", "made", "entries"].map(str::len).iter().sum::<usize>();
    let numbers = [commit.number, commit.tail, commit.version.number(), commit.made_ms].map(number_bytes);
    let key = format!("{bucket}/{slot}").len();
    let entries = encode_entries(&commit.entries, commit.made_ms, columns)?.len();
    Ok((names + key + entries) as u64 + numbers.iter().sum::<u64>())
}

fn rest_item_bytes(user: &RestingUser, columns: &SessionColumns) -> Result<u64, CodecError> {
    let names = ["user_id", "last_seen", "ordinal", "commit", "rest"].map(str::len).iter().sum::<usize>();
    let window = &user.entry.window;
    let last_seen_ms = window.last().map_or(0, |last| last.end.ms());
    let numbers = [last_seen_ms, window.last_ordinal().unwrap_or(0), user.commit].map(number_bytes);
    let rest = encode_user(&user.entry, columns)?.len();
    Ok((names + user.user_id.as_str().len() + rest) as u64 + numbers.iter().sum::<u64>())
}

/// A byte, and one for two significant digits. Source: DynamoDB developer guide, item sizes.
fn number_bytes(number: u64) -> u64 {
    let digits = number.to_string().trim_end_matches('0').len() as u64;
    1 + digits.div_ceil(2)
}

fn write_units(bytes: u64) -> u64 {
    bytes.div_ceil(WRITE_UNIT_BYTES).max(1)
}

fn read_units(bytes: Option<u64>) -> u64 {
    bytes.unwrap_or(0).div_ceil(READ_UNIT_BYTES).max(1)
}
