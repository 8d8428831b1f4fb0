//! The expected rows of a table in which every session is closed.

use std::collections::HashMap;

use shared::click::{Click, LatestBelievable};
use shared::click_format::{ClickFormat, Decoded};
use shared::limits::END_OF_EVENT_TIME_MS;
use shared::record_parts::for_each_part;

const GAP_MS: u64 = 10_000;

/// The `rows` of the sessions of `clicks`, with the open ones closed. What an open row lacks is computed by sorting:
/// the user's clicks from the session's start on, all of which belong to it.
pub(crate) fn closed(rows: &str, clicks: &[u8]) -> String {
    let mut times: HashMap<String, Vec<u64>> = HashMap::new();
    let (format, any_time) = (ClickFormat::default(), LatestBelievable::after_arrival(END_OF_EVENT_TIME_MS, 0));
    for line in clicks.split(|byte| *byte == b'\n') {
        for_each_part(line, &format, any_time, |_, decoded| {
            if let Ok(Decoded::Click(decoded)) = decoded {
                let Click { user_id, time, .. } = decoded.click;
                times.entry(user_id.as_str().to_owned()).or_default().push(time.ms());
            }
        });
    }
    let closed_row = |row: &str| {
        let Some(open) = row.strip_suffix(r#""status":"open"}"#) else { return format!("{row}\n") };
        let fields: serde_json::Value = serde_json::from_str(row).unwrap();
        let start = fields["session_timestamp"].as_u64().unwrap();
        let mut clicks: Vec<u64> = times[fields["user_id"].as_str().unwrap()].clone();
        clicks.retain(|ms| *ms >= start);
        clicks.sort_unstable();
        assert!(clicks.windows(2).all(|pair| pair[1] - pair[0] < GAP_MS), "it is the last session: {row}");
        let (end, count) = (clicks[clicks.len() - 1], clicks.len());
        let duration = end - start;
        format!(
            r#"{open}"status":"closed","session_end":{end},"duration_ms":{duration},"event_count":{count}}}{}"#,
            "\n"
        )
    };
    rows.lines().map(closed_row).collect()
}
