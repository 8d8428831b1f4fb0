//! The rejection reasons that a redrive can be limited to.

use shared::rejection::Reason;

use crate::error::OpsError;

/// Which records to redrive, by rejection reason. Contains only known reasons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reasons(Vec<String>);

impl Reasons {
    /// The reasons with these codes; every reason if `codes` is empty.
    ///
    /// # Errors
    /// Lists every unknown code and all valid ones.
    pub fn new(codes: Vec<String>) -> Result<Self, OpsError> {
        let codes: Vec<_> = codes.into_iter().filter(|code| !code.is_empty()).collect();
        let known: Vec<_> = Reason::all().map(|reason| reason.to_string()).collect();
        let unknown: Vec<_> = codes.iter().filter(|code| !known.contains(code)).map(|it| format!("{it:?}")).collect();
        if unknown.is_empty() {
            return Ok(Self(codes));
        }
        Err(OpsError::UnknownReasons { unknown: unknown.join(", "), known: known.join("\n  ") })
    }

    pub(super) fn include(&self, code: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|reason| reason == code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_all(asked: &[&str]) -> Result<(), String> {
        let asked: Vec<_> = asked.iter().map(ToString::to_string).collect();
        Reasons::new(asked).map(|_| ()).map_err(|error| error.to_string())
    }

    #[test]
    fn error_lists_every_unknown_reason_and_all_valid_ones() {
        assert_eq!(check_all(&[]), Ok(()));
        assert_eq!(check_all(&["not_json", "event_timestamp_in_the_future"]), Ok(()));
        assert_eq!(check_all(&["not_json", ""]), Ok(()), "a trailing comma");
        let error = check_all(&["not_json", "bogus", "bad"]).unwrap_err();
        assert!(
            error.starts_with("--reasons: unknown reason \"bogus\", \"bad\". Valid reasons:\n  not_utf8\n  "),
            "{error}"
        );
        assert!(error.contains("\n  user_id_too_long\n"), "{error}");
    }
}
