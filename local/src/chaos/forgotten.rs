//! What a commit that forgets a user may do: supersede the user's entry, and drop the user's boundaries from outboxes.

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

    /// The user whom `commit`, the next one, forgets.
    ///
    /// # Errors
    /// If it changes anything else, or leaves boundaries of the user in an outbox.
    pub(super) fn forgotten_by<'c>(&self, commit: &'c LogCommit) -> Result<&'c UserId, String> {
        let mut users = commit.entries.iter().filter_map(|(key, value)| match (key, value) {
            (LogKey::User(user_id), LogValue::User(entry)) => Some((user_id, entry)),
            _ => None,
        });
        let user_id = match (users.next(), users.next()) {
            (Some((user_id, entry)), None) if entry.is_forgotten() => user_id,
            _ => return Err("it has no outbox of its own, and does not forget a user either".to_owned()),
        };
        let mut expected: HashMap<&Origin, LogValue> = HashMap::new();
        for (origin, (_, value)) in &self.0 {
            let without = without(value, user_id);
            if without != *value {
                expected.insert(origin, without);
            }
        }
        let written = commit.entries.iter().filter_map(|(key, value)| match key {
            LogKey::Origin(origin) => Some((origin, value.clone())),
            LogKey::User(_) => None,
        });
        let written: HashMap<_, _> = written.collect();
        if written == expected { Ok(user_id) } else { Err(format!("of outboxes it must write {expected:?}")) }
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
