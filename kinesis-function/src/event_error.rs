//! Errors for events that a function does not know: what was expected, and what was received.
//!
//! These texts end up in the response and in logs. They name keys, positions and fields of the envelope, and never
//! quote the data of a record.

use lambda_runtime::Diagnostic;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::error::Category;
use std::collections::BTreeMap;

use crate::event::BOTH;
use shared::sequence_number::InvalidSequenceNumber;
use shared::shown;

/// Most keys of an unknown event that the message names.
const MAX_KEYS: usize = 10;

/// Most characters of a key that the message shows.
const MAX_KEY_CHARS: usize = 64;

/// An event that is neither a valid Kinesis event nor a sweep. Lambda redelivers the whole batch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// It has another form: an event of another service, a hand-made one, or not JSON at all.
    #[error(
        "neither a Kinesis event nor a sweep: expected Records, each with eventID, eventSourceARN and kinesis, or \
         {{\"sweep\":{{}}}}; got {got}"
    )]
    Unknown {
        /// A description of the received event.
        got: String,
    },
    /// A sweep, sent to a function that has no scheduled work.
    #[error("this function has no sweep: it only reads Kinesis events")]
    NoSweep,
    /// A record has no valid `sequenceNumber`, so its redelivery could not be recognized.
    #[error("record {index} of the event: {source}")]
    SequenceNumber {
        /// The record's index in the event, from 0.
        index: usize,
        /// What is wrong with it.
        source: InvalidSequenceNumber,
    },
    /// A record does not name its stream and shard.
    #[error("record {index} of the event: {field} is {value}, expected {expected}")]
    Origin {
        /// The record's index in the event, from 0.
        index: usize,
        /// The field's name.
        field: &'static str,
        /// Its value, quoted and truncated; `""` if it is missing.
        value: String,
        /// What it should look like.
        expected: &'static str,
    },
}

impl EventError {
    /// The error of `json`, which could not be read as an event because of `error`.
    pub(crate) fn unknown(json: &[u8], error: &serde_json::Error) -> Self {
        let at = format!("line {}, column {}", error.line(), error.column());
        let got = match error.classify() {
            Category::Eof => format!("JSON truncated at {at}"),
            Category::Syntax | Category::Io => format!("invalid JSON: syntax error at {at}"),
            Category::Data => format!("{} ({} at {at})", outline(json), fault(error)),
        };
        Self::Unknown { got }
    }
}

/// A summary of an event: its keys, or those of its first record.
fn outline(json: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Records {
        #[serde(rename = "Records")]
        records: Vec<BTreeMap<String, IgnoredAny>>,
    }

    if let Ok(Records { records }) = serde_json::from_slice(json) {
        return match records.first() {
            Some(first) => format!("Records, the first with {}", keys(first)),
            None => "empty Records".to_owned(),
        };
    }
    match serde_json::from_slice::<BTreeMap<String, IgnoredAny>>(json) {
        Ok(object) => format!("an object with {}", keys(&object)),
        Err(_) => "a JSON value that is not an object".to_owned(),
    }
}

fn keys(object: &BTreeMap<String, IgnoredAny>) -> String {
    let names: Vec<_> = object.keys().take(MAX_KEYS).map(|key| shown::key(key, MAX_KEY_CHARS)).collect();
    let more = object.len().saturating_sub(MAX_KEYS);
    match (names.is_empty(), more) {
        (true, _) => "no keys".to_owned(),
        (false, 0) => format!("the keys {}", names.join(", ")),
        (false, more) => format!("the keys {} and {more} more", names.join(", ")),
    }
}

/// The parser's message if it cannot contain any part of the event, otherwise a generic one.
fn fault(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.split_once(" at line ") {
        Some((fault, _))
            if fault == BOTH || fault.starts_with("missing field `") || fault.starts_with("data is not base64") =>
        {
            fault.to_owned()
        }
        _ => "a value of the wrong type".to_owned(),
    }
}

/// The error type is a stable word, for filters on the function's errors.
impl From<EventError> for Diagnostic {
    fn from(error: EventError) -> Self {
        let error_type = match &error {
            EventError::Unknown { .. } => "UnknownEvent",
            EventError::NoSweep => "NoSweep",
            EventError::SequenceNumber { .. } => "InvalidSequenceNumber",
            EventError::Origin { .. } => "InvalidRecordOrigin",
        };
        Self { error_type: error_type.to_owned(), error_message: error.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use crate::event::FunctionEvent;

    use super::*;

    fn got(json: &str) -> String {
        match FunctionEvent::from_json(json.as_bytes()) {
            Err(EventError::Unknown { got }) => got,
            other => panic!("{json}: {other:?}"),
        }
    }

    #[test]
    fn error_says_what_was_expected_and_what_was_received() {
        let sqs = r#"{"Records":[{"messageId":"m","body":"secret","eventSource":"aws:sqs"}]}"#;
        let error = FunctionEvent::from_json(sqs.as_bytes()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "neither a Kinesis event nor a sweep: expected Records, each with eventID, eventSourceARN and kinesis, or \
             {\"sweep\":{}}; got Records, the first with the keys \"body\", \"eventSource\", \"messageId\" (missing field `kinesis` at line 1, column 69)"
        );
        assert_eq!(Diagnostic::from(error).error_type, "UnknownEvent");

        let event_bridge = r#"{"version":"0","detail-type":"Scheduled Event","detail":{}}"#;
        assert!(got(event_bridge).starts_with("an object with the keys \"detail\", \"detail-type\", \"version\""));
        assert_eq!(got("{}"), "an object with no keys (missing field `Records` or `sweep` at line 1, column 2)");
        assert!(got(r#"{"sweep":[]}"#).contains("a value of the wrong type"));
        assert!(got(r#"{"sweep":{},"Records":[]}"#).contains("both `Records` and `sweep`"));
        assert!(got("[1]").starts_with("a JSON value that is not an object"));
        assert_eq!(got(r#"{"Records":["#), "JSON truncated at line 1, column 12");
        assert_eq!(got("click"), "invalid JSON: syntax error at line 1, column 1");
    }

    #[test]
    fn error_quotes_no_values_of_the_event_and_is_bounded() {
        let wrong_type = r#"{"Records":[{"kinesis":{"sequenceNumber":"1","partitionKey":"k","data":"secret",
            "approximateArrivalTimestamp":"secret"}}]}"#;
        let keys: Vec<_> = (0..500).map(|number| format!("\"{number}{}\":1", "k".repeat(500))).collect();
        for json in [wrong_type, &wrong_type.replace("\"secret\"}", "1}"), &format!("{{{}}}", keys.join(","))] {
            let text = got(json);
            assert!(!text.contains("secret") && text.len() < 2_000, "{text}");
        }
    }
}
