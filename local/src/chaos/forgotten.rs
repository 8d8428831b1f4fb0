//! What a commit that forgets a user does with outboxes: it drops the user's boundaries from them.

use std::collections::HashMap;

use sessionizer_fn::state_log_entry::{LogKey, LogValue, Origin, Outbox};
use sessionizer_fn::store::log_store::LogCommit;
use shared::user_id::UserId;

/// The cursors and the sweep's outbox that count in a bucket's log, each with the number of the commit that has it.
#[derive(Debug, Default)]
pub(super) struct Outboxes(HashMap<Origin, (u64, LogValue)>);

impl Outboxes {
    /// Takes in the next commit.
    pub(super) fn take_in(&mut self, commit: &LogCommit) {
        let origins = commit.entries.iter().filter_map(|(key, value)| match key {
            LogKey::Origin(origin) => Some((origin.clone(), (commit.number, value.clone()))),
            LogKey::User(_) => None,
        });
        self.0.extend(origins);
        self.0.retain(|_, (number, _)| *number >= commit.tail);
    }

    /// Checks the cursors and the sweep's outbox in `commit`, the next one, which forgets this user.
    ///
    /// # Errors
    /// If it leaves boundaries of the user in one, or changes anything else.
    pub(super) fn are_rid_of(&self, user_id: &UserId, commit: &LogCommit) -> Result<(), String> {
        let written = |origin: &Origin| {
            let key = LogKey::Origin(origin.clone());
            commit.entries.iter().find(|(written, _)| *written == key).map(|(_, value)| value)
        };
        for (origin, (_, value)) in &self.0 {
            let expected = without(value, user_id);
            match written(origin) {
                None if expected == *value => {}
                Some(written) if expected == *written => {}
                written => return Err(format!("of {origin:?} it must have {expected:?}, not {written:?}")),
            }
        }
        match commit
            .entries
            .iter()
            .find(|(key, _)| matches!(key, LogKey::Origin(origin) if !self.0.contains_key(origin)))
        {
            Some((key, _)) => Err(format!("{key:?} is new")),
            None => Ok(()),
        }
    }
}

fn without(value: &LogValue, user_id: &UserId) -> LogValue {
    let drop_theirs = |outbox: &mut Outbox| outbox.entries.retain(|entry| entry.user_id != *user_id);
    let mut value = value.clone();
    match &mut value {
        LogValue::Cursor(cursor) => drop_theirs(&mut cursor.outbox),
        LogValue::Swept(outbox) => drop_theirs(outbox),
        LogValue::User(_) => {}
    }
    value
}
