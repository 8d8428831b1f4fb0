//! The reasons that may be asked for.

use shared::rejection::{FieldFault, Reason};

use crate::error::LocalError;

/// Checks that each of `asked` is the code of a reason.
pub(super) fn check(asked: &[String]) -> Result<(), LocalError> {
    let known: Vec<_> = known_reasons().iter().map(ToString::to_string).collect();
    let unknown: Vec<_> = asked.iter().filter(|reason| !known.contains(reason)).map(|it| format!("{it:?}")).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(LocalError::UnknownReasons { unknown: unknown.join(", "), known: known.join(", ") })
}

/// Every reason for which a click or a boundary is rejected.
fn known_reasons() -> Vec<Reason> {
    use FieldFault::{Empty, InTheFuture, Missing, Mistyped, NotAnInteger, Null, OutOfRange, TooLong, Unknown};

    const INTEGER: [FieldFault; 4] = [Missing, Null, NotAnInteger, OutOfRange];
    const TEXT: [FieldFault; 4] = [Missing, Empty, TooLong, Mistyped];
    const ATTRIBUTE: [FieldFault; 2] = [TooLong, Mistyped];
    let fields: [(&'static str, &[FieldFault]); 12] = [
        ("user_id", &[Missing, Null, Empty, TooLong, Mistyped]),
        ("event_timestamp", &[Missing, Null, NotAnInteger, OutOfRange, InTheFuture]),
        ("event_name", &ATTRIBUTE),
        ("event_type", &ATTRIBUTE),
        ("device_type", &ATTRIBUTE),
        ("session_timestamp", &INTEGER),
        ("session_time", &TEXT),
        ("session_id", &TEXT),
        ("status", &[Mistyped, Unknown]),
        ("session_end", &INTEGER),
        ("event_count", &INTEGER),
        ("version", &INTEGER),
    ];
    let of_records = [Reason::NotUtf8, Reason::AggregatedRecord, Reason::NotJson, Reason::NotAnObject];
    let of_fields =
        fields.into_iter().flat_map(|(name, faults)| faults.iter().map(move |&fault| Reason::Field { name, fault }));
    of_records.into_iter().chain(of_fields).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn check_all(asked: &[&str]) -> Result<(), String> {
        let asked: Vec<_> = asked.iter().map(ToString::to_string).collect();
        check(&asked).map_err(|error| error.to_string())
    }

    #[test]
    fn every_reason_that_is_unknown_is_named_together_with_those_there_are() {
        assert_eq!(check_all(&[]), Ok(()));
        assert_eq!(check_all(&["not_json", "event_timestamp_in_the_future"]), Ok(()));
        let error = check_all(&["not_json", "bogus", ""]).unwrap_err();
        assert!(error.starts_with(r#"no such reason: "bogus", "". There are: not_utf8, "#), "{error}");
        assert!(error.contains("user_id_too_long, "), "{error}");
    }
}
