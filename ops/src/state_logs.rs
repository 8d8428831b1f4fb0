//! The logs of all buckets, as the sessionizer reads them.

use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use kinesis_function::call_error::CallError;
use kinesis_function::failures::Failures;
use sessionizer_fn::bucket::id::bucket_of;
use sessionizer_fn::bucket::memory::BucketMemory;
use sessionizer_fn::store::log_store::{LogStore, StoreError};
use sessionizer_fn::store::log_table::LogTable;
use sessionizer_fn::store::settings::{FORMAT, Settings};
use sessionizer_fn::work::error::BucketError;
use sessionizer_fn::work::reading::Reader;
use shared::columns::declaration::SessionColumns;
use shared::user_id::UserId;
use tokio::time::timeout;

use crate::error::OpsError;

/// Longest time to read one bucket's log, or to write a commit to it, retries included. A log has at most 1,024 items
/// of 380 KB, which a throttled table returns within a minute.
pub(crate) const MAX_TIME_PER_LOG: Duration = Duration::from_secs(60);

/// Settings outside these bounds were not written by a sessionizer. Source: design, section 7; the slots are bounded so
/// that a damaged item cannot cause endless reads.
const MAX_BUCKETS: u64 = 256;
const SLOTS: RangeInclusive<u64> = 2..=65_536;

/// The table of state logs, which has settings.
#[derive(Debug)]
pub struct StateLogs<'a> {
    table: &'a str,
    store: LogTable,
    settings: Settings,
    failures: Failures,
}

impl<'a> StateLogs<'a> {
    /// The table called `table`; `None` if nothing was ever committed to it. Sessions are read without their columns, so
    /// that what is read must not be written again.
    ///
    /// # Errors
    /// If the settings cannot be read, or are none that a sessionizer of this version makes.
    pub async fn open(client: &Client, table: &'a str) -> Result<Option<Self>, OpsError> {
        let Some(settings) = settings(client, table).await? else { return Ok(None) };
        let store = LogTable::new(client.clone(), table, settings.slots, SessionColumns::default());
        Ok(Some(Self { table, store, settings, failures: Failures::default() }))
    }

    /// The same with these columns.
    #[must_use]
    pub fn with_columns(self, columns: SessionColumns) -> Self {
        Self { store: self.store.with_columns(columns), ..self }
    }

    /// The same with the columns that the newest commit of `bucket` has, whose names are not stored. Reading a later commit
    /// with others is [`StoreError::OtherColumns`].
    ///
    /// # Errors
    /// If it cannot be read.
    pub(crate) async fn with_columns_of(&self, bucket: u32) -> Result<Self, BucketError> {
        let head = self.reader().find_head(bucket).await?;
        let columns = match head {
            None => None,
            Some(head) => self.store.columns_in(bucket, self.reader().ring().slot_of(head)).await?,
        };
        let store = self.store.with_columns(columns.unwrap_or_default()).going_by(head.unwrap_or_default());
        Ok(Self { table: self.table, store, settings: self.settings, failures: Failures::default() })
    }

    /// The buckets.
    #[must_use]
    pub fn buckets(&self) -> Range<u32> {
        0..u32::try_from(self.settings.buckets).unwrap_or(u32::MAX)
    }

    /// The slots of each bucket's ring.
    #[must_use]
    pub fn slots(&self) -> u64 {
        self.settings.slots
    }

    /// The bucket of a user.
    #[must_use]
    pub fn bucket_of(&self, user_id: &UserId) -> u32 {
        bucket_of(user_id, self.buckets().end)
    }

    /// Reads the log of a bucket from tail to head. Takes the memory of one log, up to 1,024 commits.
    ///
    /// # Errors
    /// If it cannot be read, or not in time.
    pub async fn load(&self, bucket: u32) -> Result<BucketMemory, OpsError> {
        self.in_time(self.reader().load(bucket)).await
    }

    /// The same with the columns of the bucket's newest commit, whose names are not stored.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub async fn load_with_columns(&self, bucket: u32) -> Result<(BucketMemory, SessionColumns), OpsError> {
        let load = async {
            loop {
                let logs = self.with_columns_of(bucket).await?;
                let read = logs.reader().load(bucket).await;
                if !are_columns_others(&read) {
                    return Ok((read?, logs.store.columns().clone()));
                }
            }
        };
        self.in_time(load).await
    }

    async fn in_time<T>(&self, read: impl Future<Output = Result<T, BucketError>>) -> Result<T, OpsError> {
        let late = || CallError::of_part("BatchGetItem", "TimedOut", "the log was not read in time");
        let read = timeout(MAX_TIME_PER_LOG, read).await;
        read.map_err(|_| OpsError::of_table(self.table)(late()))?.map_err(|error| of_bucket(self.table, error))
    }

    pub(crate) fn reader(&self) -> Reader<'_, LogTable> {
        Reader { store: &self.store, settings: self.settings, failures: &self.failures }
    }
}

/// Whether a commit was made in the meantime with other columns than the newest one had: they were declared anew.
pub(crate) fn are_columns_others<T>(result: &Result<T, BucketError>) -> bool {
    matches!(result, Err(BucketError::Unreadable(StoreError::OtherColumns { .. })))
}

/// The settings item, if there is one.
async fn settings(client: &Client, table: &str) -> Result<Option<Settings>, OpsError> {
    let store = LogTable::new(client.clone(), table, *SLOTS.start(), SessionColumns::default());
    let stored = store.settings().await.map_err(|error| of_bucket(table, error.into()))?;
    let is_known =
        |it: &Settings| it.format == FORMAT && (1..=MAX_BUCKETS).contains(&it.buckets) && SLOTS.contains(&it.slots);
    match stored.filter(|settings| !is_known(settings)) {
        None => Ok(stored),
        Some(settings) => {
            let fault = format!("the settings item says {settings}, which this version of sessionctl cannot read");
            Err(OpsError::Item { table: table.to_owned(), fault })
        }
    }
}

pub(crate) fn of_bucket(table: &str, error: BucketError) -> OpsError {
    match error {
        BucketError::Call(source) => OpsError::of_table(table)(source),
        other => OpsError::Item { table: table.to_owned(), fault: other.to_string() },
    }
}
