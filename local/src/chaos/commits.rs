//! Records every commit of the state log as DynamoDB takes it: what was really written, by whom, in which order.

use std::sync::{Arc, Mutex, PoisonError};

use aws_types::SdkConfig;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use local_aws::observed::{CallsUnderWay, ObservedHttpClient};
use serde_json::Value;
use sessionizer_fn::state_log_codec::decode_entries;
use sessionizer_fn::store::log_store::LogCommit;
use shared::boundary::Version;
use shared::columns::declaration::SessionColumns;
use shared::session_window::WindowRule;

/// A commit that was written.
#[derive(Clone, Debug)]
pub struct RecordedCommit {
    /// Its bucket.
    pub bucket: u32,
    /// The settings of its writer.
    pub rule: WindowRule,
    /// The columns that its writer has declared.
    pub columns: SessionColumns,
    /// Size of its entries as stored, in bytes.
    pub bytes: usize,
    /// What was written.
    pub commit: LogCommit,
}

/// The commits so far. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    commits: Arc<Mutex<Vec<Result<RecordedCommit, String>>>>,
    under_way: CallsUnderWay,
}

impl Recorder {
    /// The configuration `sdk` for clients of a writer with this `rule` and these `columns`, whose commits to `table` are
    /// recorded.
    #[must_use]
    pub fn recording(&self, sdk: &SdkConfig, table: &str, rule: WindowRule, columns: SessionColumns) -> SdkConfig {
        let Some(http) = sdk.http_client() else { return sdk.clone() };
        let (commits, table) = (Arc::clone(&self.commits), table.to_owned());
        let observe = move |operation: &str, body: &[u8]| {
            if operation == "PutItem"
                && let Some(commit) = recorded(body, &table, rule, &columns).transpose()
            {
                commits.lock().unwrap_or_else(PoisonError::into_inner).push(commit);
            }
        };
        sdk.to_builder().http_client(ObservedHttpClient::new(http, self.under_way.clone(), observe)).build()
    }

    /// Waits until every call has been answered, whether or not its caller still waits.
    pub async fn quiet(&self) {
        self.under_way.none().await;
    }

    /// The number of commits so far.
    #[must_use]
    pub fn count(&self) -> usize {
        self.commits.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Takes the commits so far, in no particular order of buckets.
    ///
    /// # Errors
    /// If something else than a commit was written.
    pub fn take(&self) -> Result<Vec<RecordedCommit>, String> {
        std::mem::take(&mut *self.commits.lock().unwrap_or_else(PoisonError::into_inner)).into_iter().collect()
    }
}

/// The commit that a PutItem writes; `None` for another table, and for the settings.
fn recorded(
    body: &[u8],
    table: &str,
    rule: WindowRule,
    columns: &SessionColumns,
) -> Result<Option<RecordedCommit>, String> {
    let body: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    if body["TableName"] != table || body["Item"]["slot"]["S"] == "settings" {
        return Ok(None);
    }
    read(&body["Item"], rule, columns).map(Some).ok_or_else(|| format!("not a commit: {body}"))
}

fn read(item: &Value, rule: WindowRule, columns: &SessionColumns) -> Option<RecordedCommit> {
    let number = |name: &str| item[name]["N"].as_str()?.parse().ok();
    let (bucket, _) = item["slot"]["S"].as_str()?.split_once('/')?;
    let made_ms = number("made")?;
    let entries = STANDARD.decode(item["entries"]["B"].as_str()?).ok()?;
    let commit = LogCommit {
        number: number("commit")?,
        tail: number("tail")?,
        version: Version::new(number("version")?),
        made_ms,
        entries: decode_entries(&entries, made_ms, columns).ok()?,
    };
    Some(RecordedCommit { bucket: bucket.parse().ok()?, rule, columns: columns.clone(), bytes: entries.len(), commit })
}
