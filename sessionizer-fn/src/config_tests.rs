//! Defaults, limits and faults of the settings.
use kinesis_function::config::ConfigError;

use super::*;

const NAMES: [(&str, &str); 4] =
    [("STATE_LOG_TABLE", "log"), ("STATE_TABLE", "states"), ("REJECTED_TABLE", "rejected"), ("SESSION_STREAM", "out")];

fn config(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::from_variables(NAMES.iter().chain(pairs).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

/// The faults of an invalid configuration.
fn faults(pairs: &[(&str, &str)]) -> Vec<String> {
    config(pairs).unwrap_err().faults().to_vec()
}

#[test]
fn only_resource_names_are_required() {
    let expected = Config {
        state_log_table: "log".to_owned(),
        state_table: "states".to_owned(),
        rejected: RejectedTableConfig { name: "rejected".to_owned(), retention_days: 30 },
        session_stream: "out".to_owned(),
        session_gap: SessionGap::from_ms(10_000),
        session_cut: SessionCut::None,
        lateness_ms: 3_600_000,
        close_grace_ms: 10_000,
        boundaries: Boundaries::All,
        first_session: FirstSession::Emit,
        max_clock_skew_ms: 900_000,
        stream_retention_ms: 86_400_000,
        state_buckets: 4,
        memory_bytes: 536_870_912,
    };
    assert_eq!(config(&[]), Ok(expected));
}

#[test]
fn gap_may_be_one_second_to_one_day() {
    assert_eq!(config(&[("SESSION_GAP_SECONDS", "1")]).unwrap().session_gap.ms(), 1_000);
    assert_eq!(config(&[("SESSION_GAP_SECONDS", "86400")]).unwrap().session_gap.ms(), 86_400_000);
    for wrong in ["0", "86401", "10.5", "ten"] {
        let fault = format!("SESSION_GAP_SECONDS is {wrong:?}, expected a whole number from 1 to 86400");
        assert_eq!(faults(&[("SESSION_GAP_SECONDS", wrong)]), [fault]);
    }
}

#[test]
fn lateness_is_at_least_twice_the_clock_skew() {
    let config = |lateness, skew| config(&[("ALLOWED_LATENESS_SECONDS", lateness), ("MAX_CLOCK_SKEW_SECONDS", skew)]);
    assert_eq!(config("0", "0").unwrap().lateness_ms, 0);
    assert_eq!(config("86400", "43200").unwrap().lateness_ms, 86_400_000);
    let fault = "ALLOWED_LATENESS_SECONDS is 1799, expected at least 1800: twice MAX_CLOCK_SKEW_SECONDS, which is 900";
    assert_eq!(config("1799", "").unwrap_err().faults(), [fault]);
    let fault = "ALLOWED_LATENESS_SECONDS is 3600, expected at least 3602: twice MAX_CLOCK_SKEW_SECONDS, which is 1801";
    assert_eq!(config("", "1801").unwrap_err().faults(), [fault]);
}

#[test]
fn sessions_are_cut_at_midnight_of_a_clock_that_may_be_ahead_or_behind() {
    let cut = |minutes| config(&[("SESSION_CUT", "daily"), ("SESSION_CUT_OFFSET_MINUTES", minutes)]);
    for (minutes, offset_ms) in [("", 0), ("-720", -43_200_000), ("345", 20_700_000), ("840", 50_400_000)] {
        assert_eq!(cut(minutes).unwrap().session_cut, SessionCut::Daily { offset_ms });
    }
    for wrong in ["-721", "841", "1.5", "UTC"] {
        let fault = format!("SESSION_CUT_OFFSET_MINUTES is {wrong:?}, expected a whole number from -720 to 840");
        assert_eq!(cut(wrong).unwrap_err().faults(), [fault]);
    }
    assert_eq!(
        faults(&[("SESSION_CUT_OFFSET_MINUTES", "60")]),
        ["SESSION_CUT_OFFSET_MINUTES is 60, expected 0 unless SESSION_CUT is daily"]
    );
}

#[test]
fn buckets_are_a_power_of_two() {
    for buckets in [1, 2, 256] {
        assert_eq!(config(&[("STATE_BUCKETS", &buckets.to_string())]).unwrap().state_buckets, buckets);
    }
    assert_eq!(faults(&[("STATE_BUCKETS", "12")]), ["STATE_BUCKETS is 12, expected a power of two from 1 to 256"]);
    assert_eq!(
        faults(&[("STATE_BUCKETS", "512")]),
        ["STATE_BUCKETS is \"512\", expected a whole number from 1 to 256"]
    );
}

#[test]
fn every_missing_or_invalid_variable_is_reported_at_once() {
    let wrong = [
        ("SESSION_GAP_SECONDS", "0"),
        ("SESSION_CUT", "hourly"),
        ("SESSION_CUT_OFFSET_MINUTES", "841"),
        ("ALLOWED_LATENESS_SECONDS", "86401"),
        ("CLOSE_GRACE_SECONDS", "3601"),
        ("BOUNDARIES", "open"),
        ("FIRST_SESSION", "maybe"),
        ("MAX_CLOCK_SKEW_SECONDS", "-1"),
        ("STREAM_RETENTION_HOURS", "23"),
        ("STATE_BUCKETS", "0"),
        ("REJECTED_RETENTION_DAYS", "0"),
    ];
    let pairs = wrong.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let error = Config::from_variables(pairs).unwrap_err();
    assert_eq!(error.faults().len(), NAMES.len() + wrong.len(), "{error}");
    for (name, _) in NAMES.into_iter().chain(wrong) {
        assert!(error.to_string().contains(name), "{name} is not in: {error}");
    }
}
