//! The time at which a user clicked, according to the click.
//!
//! Nothing here compares an event time with a clock. `click` has the arrival time and decides how far in the future an
//! event time may be.

use chrono::{DateTime, Utc};

use crate::limits::END_OF_EVENT_TIME_MS;

/// Unix milliseconds, from the start of 1970 to the end of 9999, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventTime(u64);

impl EventTime {
    /// The start of 1970.
    pub const START: Self = Self(0);

    /// The event time `ms` milliseconds after the Unix epoch; `None` at or after the year 10000.
    #[must_use]
    pub fn from_ms(ms: u64) -> Option<Self> {
        (ms < END_OF_EVENT_TIME_MS).then_some(Self(ms))
    }

    /// Unix milliseconds.
    #[must_use]
    pub fn ms(self) -> u64 {
        self.0
    }

    /// Milliseconds from `earlier` to this time; zero if `earlier` is actually later.
    #[must_use]
    pub fn ms_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The time as `YYYY-MM-DD HH:MM:SS` in UTC, truncated to whole seconds.
    #[must_use]
    pub fn to_utc_text(self) -> String {
        let seconds = i64::try_from(self.0 / 1_000).unwrap_or(i64::MAX);
        DateTime::<Utc>::from_timestamp(seconds, 0)
            .unwrap_or(DateTime::<Utc>::MAX_UTC) // unreachable: the constructor accepts years up to 9999 only
            .format("%Y-%m-%d %H:%M:%S")
            .to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> EventTime {
        EventTime::from_ms(ms).unwrap()
    }

    #[test]
    fn ends_with_the_year_9999() {
        assert_eq!(at(253_402_300_799_999).to_utc_text(), "9999-12-31 23:59:59");
        assert_eq!(EventTime::from_ms(253_402_300_800_000), None);
    }

    #[test]
    fn text_is_utc_truncated_to_whole_seconds() {
        assert_eq!(at(0).to_utc_text(), "1970-01-01 00:00:00");
        assert_eq!(at(1_721_390_012_999).to_utc_text(), "2024-07-19 11:53:32");
    }

    #[test]
    fn time_since_a_later_time_is_zero() {
        assert_eq!(at(10).ms_since(at(4)), 6);
        assert_eq!(at(4).ms_since(at(10)), 0);
    }
}
