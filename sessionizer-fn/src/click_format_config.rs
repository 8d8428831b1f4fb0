//! The settings that say what clicks look like.

use std::fmt::Display;

use kinesis_function::config::Variables;
use shared::click_format::{ClickFields, ClickFormat};
use shared::event_filter::{EventFilter, EventNames};
use shared::field_path::FieldPath;
use shared::timestamp_format::TimestampFormat;

const USER_ID_FIELD: &str = "USER_ID_FIELD";
const EVENT_TIMESTAMP_FIELD: &str = "EVENT_TIMESTAMP_FIELD";
const EVENT_TIMESTAMP_FORMAT: &str = "EVENT_TIMESTAMP_FORMAT";
const EVENT_NAMES: &str = "EVENT_NAMES";
const EVENT_NAMES_IGNORED: &str = "EVENT_NAMES_IGNORED";

/// Reads the format of clicks. Without any of its variables it is the contract's.
///
/// * `USER_ID_FIELD`: up to 8 paths, separated by commas.
/// * `EVENT_TIMESTAMP_FIELD`, `EVENT_NAME_FIELD`, `EVENT_TYPE_FIELD`, `DEVICE_TYPE_FIELD`: a path each. A path is a JSON
///   Pointer or the name of a top-level key.
/// * `EVENT_TIMESTAMP_FORMAT`: `milliseconds` (default), `seconds`, `microseconds`, `iso8601` or `arrival`. With the
///   last, no field is read, so that `EVENT_TIMESTAMP_FIELD` must not be set.
/// * `SESSION_COLUMNS`: up to 16 columns, `name = aggregate`, separated by commas or new lines; see `docs/columns.md`.
/// * `EVENT_NAMES` or `EVENT_NAMES_IGNORED`: up to 100 names of events, separated by commas, that alone count as
///   activity, or do not.
pub fn click_format(variables: &mut Variables) -> ClickFormat {
    let contract = ClickFields::default();
    let user_id = parsed(variables, USER_ID_FIELD, FieldPath::parse_list).unwrap_or(contract.user_id);
    let timestamp = parsed(variables, EVENT_TIMESTAMP_FIELD, FieldPath::parse);
    let timestamp_format =
        variables.choice(EVENT_TIMESTAMP_FORMAT, TimestampFormat::ALL.map(|format| (format.word(), format)));
    if let (Some(path), TimestampFormat::Arrival) = (&timestamp, timestamp_format) {
        variables.fault(format!(
            "{EVENT_TIMESTAMP_FIELD} is \"{path}\", which {EVENT_TIMESTAMP_FORMAT}=arrival does not read: set one of them"
        ));
    }
    let fields = ClickFields {
        user_id,
        event_timestamp: timestamp.unwrap_or(contract.event_timestamp),
        event_name: parsed(variables, "EVENT_NAME_FIELD", FieldPath::parse).unwrap_or(contract.event_name),
        event_type: parsed(variables, "EVENT_TYPE_FIELD", FieldPath::parse).unwrap_or(contract.event_type),
        device_type: parsed(variables, "DEVICE_TYPE_FIELD", FieldPath::parse).unwrap_or(contract.device_type),
    };
    let filter = event_filter(variables);
    let columns = variables.session_columns();
    let format = ClickFormat::new(fields, timestamp_format, filter).unwrap_or_else(|error| {
        variables.fault(format!("{USER_ID_FIELD}: {error}"));
        ClickFormat::default()
    });
    format.with_columns(columns)
}

fn event_filter(variables: &mut Variables) -> EventFilter {
    let only = parsed(variables, EVENT_NAMES, EventNames::parse_list);
    let ignored = parsed(variables, EVENT_NAMES_IGNORED, EventNames::parse_list);
    match (only, ignored) {
        (None, None) => EventFilter::All,
        (Some(only), None) => EventFilter::Only(only),
        (None, Some(ignored)) => EventFilter::AllBut(ignored),
        (Some(_), Some(_)) => {
            variables.fault(format!("{EVENT_NAMES} and {EVENT_NAMES_IGNORED} are both set: set one of them"));
            EventFilter::All
        }
    }
}

/// The value of `name`, if it is set and `parse` accepts it.
fn parsed<T, E: Display>(
    variables: &mut Variables,
    name: &'static str,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Option<T> {
    let value = variables.optional(name)?;
    parse(&value).map_err(|error| variables.fault(format!("{name}: {error}"))).ok()
}

#[cfg(test)]
#[path = "click_format_config_tests.rs"]
mod tests;
