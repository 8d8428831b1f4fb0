//! The reasons that may be asked for.

use shared::rejection::Reason;

use crate::error::LocalError;

/// Checks that each of `asked` is the code of a reason.
pub(super) fn check(asked: &[String]) -> Result<(), LocalError> {
    let known: Vec<_> = Reason::all().map(|reason| reason.to_string()).collect();
    let unknown: Vec<_> = asked.iter().filter(|reason| !known.contains(reason)).map(|it| format!("{it:?}")).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(LocalError::UnknownReasons { unknown: unknown.join(", "), known: known.join(", ") })
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
