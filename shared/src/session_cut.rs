//! Moments that no session spans, whatever the gap: midnights.

use crate::event_time::EventTime;

const DAY_MS: i64 = 86_400_000;

/// Milliseconds of a minute.
const MINUTE_MS: i64 = 60_000;

/// Offsets of local time from UTC, in minutes: from UTC−12:00 to UTC+14:00, as the world's time zones have them.
pub const CUT_OFFSET_MINUTES: std::ops::RangeInclusive<i64> = -720..=840;

/// Where sessions are cut although their clicks are nearer than the gap.
///
/// Two clicks are one session only if no cut lies between them. That depends on their times alone, so the sessions are
/// the same in whatever order the clicks arrive. A robot that never pauses then has a session a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SessionCut {
    /// Nowhere.
    #[default]
    None,
    /// At each midnight of a clock that is always this far ahead of UTC. Daylight saving time does not move it.
    Daily {
        /// How far, in milliseconds; negative if the clock is behind.
        offset_ms: i64,
    },
}

impl SessionCut {
    /// At midnight of a clock that is `minutes` ahead of UTC, one of [`CUT_OFFSET_MINUTES`].
    #[must_use]
    pub fn daily(minutes: i64) -> Self {
        Self::Daily { offset_ms: minutes.clamp(*CUT_OFFSET_MINUTES.start(), *CUT_OFFSET_MINUTES.end()) * MINUTE_MS }
    }

    /// Whether a cut lies after `earlier` and not after `later`.
    #[must_use]
    pub fn is_between(self, earlier: EventTime, later: EventTime) -> bool {
        later > earlier && self.next_after(earlier).is_some_and(|cut_ms| cut_ms <= later.ms())
    }

    /// The first cut after `time`, in Unix milliseconds.
    #[must_use]
    pub fn next_after(self, time: EventTime) -> Option<u64> {
        let Self::Daily { offset_ms } = self else { return None };
        let local_ms = time.ms().cast_signed().saturating_add(offset_ms);
        let midnight_ms = (local_ms.div_euclid(DAY_MS) + 1) * DAY_MS;
        Some(midnight_ms.saturating_sub(offset_ms).cast_unsigned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> EventTime {
        let ms = chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis();
        EventTime::from_ms(ms.cast_unsigned()).unwrap()
    }

    #[test]
    fn next_cut_is_the_next_midnight_of_the_clock() {
        for (minutes, time, next) in [
            (0, "2026-03-01T00:00:00.000Z", "2026-03-02T00:00:00.000Z"),
            (0, "2026-03-01T23:59:59.999Z", "2026-03-02T00:00:00.000Z"),
            (60, "2026-03-01T00:00:00.000+01:00", "2026-03-02T00:00:00.000+01:00"),
            (60, "2026-03-01T23:59:59.999+01:00", "2026-03-02T00:00:00.000+01:00"),
            (-720, "2026-03-01T23:59:59.999-12:00", "2026-03-02T00:00:00.000-12:00"),
            (840, "2026-03-01T00:00:00.000+14:00", "2026-03-02T00:00:00.000+14:00"),
            (345, "2026-03-01T12:00:00.000+05:45", "2026-03-02T00:00:00.000+05:45"),
            (-600, "1970-01-01T00:00:00.000Z", "1970-01-01T10:00:00.000Z"),
        ] {
            assert_eq!(SessionCut::daily(minutes).next_after(at(time)), Some(at(next).ms()), "{minutes}, {time}");
        }
        assert_eq!(SessionCut::None.next_after(at("2026-03-01T00:00:00Z")), None);
    }

    #[test]
    fn cut_lies_between_the_last_click_of_a_day_and_the_first_of_the_next() {
        let cut = SessionCut::daily(120);
        let [before, midnight, after] =
            ["2026-03-01T23:59:59.999+02:00", "2026-03-02T00:00:00+02:00", "2026-03-02T00:00:01+02:00"].map(at);
        assert!(cut.is_between(before, midnight) && cut.is_between(before, after));
        assert!(!cut.is_between(midnight, after) && !cut.is_between(midnight, midnight));
        assert!(!cut.is_between(midnight, before), "the earlier one first");
        assert!(!SessionCut::None.is_between(before, after));
    }

    #[test]
    fn offset_beyond_the_world_s_time_zones_is_taken_as_the_last_one() {
        assert_eq!(SessionCut::daily(i64::MAX), SessionCut::daily(840));
        assert_eq!(SessionCut::daily(i64::MIN), SessionCut::daily(-720));
    }
}
