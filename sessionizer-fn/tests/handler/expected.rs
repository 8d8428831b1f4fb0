//! What a stream's final table must be, by sorting the clicks: written anew, so that it shares no fault with the rule.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::results::session_text;
use crate::world::{BEGIN_MS, IN_THE_END_MS, Sent, World, sweep_at};

/// The template's gap, in milliseconds.
const GAP_MS: u64 = 10_000;

/// The sessions of `clicks`, all closed, in the form of [`World::sessions`]. A record occurs once, whatever was
/// redelivered.
pub fn by_sorting<'c>(clicks: impl IntoIterator<Item = &'c Sent>) -> BTreeMap<String, Vec<String>> {
    let mut times: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for click in clicks {
        let json: Value = serde_json::from_slice(&click.data).unwrap();
        let user = json["user_id"].as_str().unwrap().to_owned();
        times.entry(user).or_default().push(json["event_timestamp"].as_u64().unwrap() - BEGIN_MS);
    }
    let sessions = |mut times: Vec<u64>| {
        times.sort_unstable();
        let groups = times.chunk_by(|earlier, later| later - earlier < GAP_MS);
        let text = |(ordinal, group): (usize, &[u64])| {
            format!("{ordinal}: {} to {}, {} clicks", group[0], group[group.len() - 1], group.len())
        };
        groups.enumerate().map(text).collect()
    };
    times.into_iter().map(|(user, times)| (user, sessions(times))).collect()
}

impl World {
    /// Sweeps in the end, so that every session is closed, and compares the final table with the sorted `clicks`.
    pub async fn assert_table_is_of<'c>(&self, clicks: impl IntoIterator<Item = &'c Sent>) {
        let swept = sweep_at(IN_THE_END_MS, &self.sessionizer()).await;
        assert_eq!(swept.outcome, Ok(()));
        let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for ((user, ordinal), boundary) in self.table().await {
            found.entry(user).or_default().push(session_text(ordinal, &boundary));
        }
        assert_eq!(found, by_sorting(clicks));
    }
}
