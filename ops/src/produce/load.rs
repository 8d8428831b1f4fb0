//! What to put into a stream: the options of `produce`, checked.

use std::time::Duration;

use crate::error::OpsError;
use crate::produce::share::{MAX_SHARE, Share, WHOLE};

/// Most records a second. Source: ours; 100 full shards, or 200 requests a second.
pub const MAX_RATE: u32 = 100_000;

/// Fewest users: a single one could not pause between sessions while clicks go on.
pub const MIN_USERS: u32 = 2;

/// Most users: each takes up to 50 bytes of memory.
pub const MAX_USERS: u32 = 1_000_000;

/// The longest gap, lateness and duration, in seconds: a day, which is also the sessionizer's limit of the first two.
pub const MAX_SECONDS: u64 = 86_400;

/// How many clicks of a session follow each other within a gap, on average: the clicks of the default workload in
/// docs/cost.md are 2 s apart, with a gap of 10 s.
const CLICKS_PER_GAP: u64 = 5;

/// The longest pause between two clicks of a session, on average, in milliseconds: the workload with a gap of 30
/// minutes in docs/cost.md.
const MAX_PAUSE_MS: u64 = 30_000;

/// The options of `produce`.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Records a second, 1 to [`MAX_RATE`].
    pub rate: u32,
    /// Users, [`MIN_USERS`] to [`MAX_USERS`].
    pub users: u32,
    /// The session gap that sessions are made for, in seconds, 1 to [`MAX_SECONDS`].
    pub gap_seconds: u64,
    /// Late clicks.
    pub late: Share,
    /// How late these are at most, in seconds, 1 to [`MAX_SECONDS`].
    pub late_by_seconds: u64,
    /// Clicks that are put a second time.
    pub duplicate: Share,
    /// Records that are not clicks.
    pub broken: Share,
    /// For how many seconds, 1 to [`MAX_SECONDS`].
    pub duration_seconds: u64,
    /// Selects the random choices.
    pub seed: u64,
}

/// Options that fit together.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    options: Options,
}

impl Load {
    /// Checks each option, and what they mean together.
    ///
    /// # Errors
    /// [`OpsError::Load`] if an option is outside its limits, too few records would be clicks on time, or a user's clicks
    /// could not be nearer than the gap.
    pub fn new(options: Options) -> Result<Self, OpsError> {
        let load = Self { options };
        let Options { rate, users, gap_seconds, late, late_by_seconds, duplicate, broken, duration_seconds, .. } =
            options;
        for (option, number, limits) in [("--rate", rate, 1..=MAX_RATE), ("--users", users, MIN_USERS..=MAX_USERS)] {
            if !limits.contains(&number) {
                let (least, most) = limits.into_inner();
                return Err(OpsError::Load(format!("{option} is {number}, expected {least} to {most}")));
            }
        }
        for (option, seconds) in
            [("--gap", gap_seconds), ("--late-by", late_by_seconds), ("--duration", duration_seconds)]
        {
            if !(1..=MAX_SECONDS).contains(&seconds) {
                return Err(OpsError::Load(format!("{option} is {seconds}s, expected 1s to {MAX_SECONDS}s (24h)")));
            }
        }
        let together = load.other_hundredths();
        if together > MAX_SHARE {
            let percent = format!("{}.{:02}", together / 100, together % 100);
            return Err(OpsError::Load(format!(
                "--late {late}, --duplicate {duplicate} and --broken {broken} are {percent} % together, more than the \
                 limit of 90 %"
            )));
        }
        // In hundredths of a percent of a click, so that no share is rounded.
        let clicks_per_gap = u128::from(rate) * u128::from(WHOLE - together) * u128::from(gap_seconds);
        if clicks_per_gap < u128::from(CLICKS_PER_GAP * WHOLE) {
            return Err(OpsError::Load(format!(
                "--gap {gap_seconds}s is too short for --rate {rate}: at least {CLICKS_PER_GAP} clicks have to be on time \
                 within a gap, or each would be a session of its own"
            )));
        }
        Ok(load)
    }

    /// The options.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// How many records are made: as many as the rate gives in the duration.
    #[must_use]
    pub fn records(&self) -> u64 {
        u64::from(self.options.rate) * self.options.duration_seconds
    }

    /// How many users have a session under way at a time.
    ///
    /// As many as let each click five times within a gap, or every 30 s if that is more often, but at most half of the
    /// users, so that the others can pause.
    #[must_use]
    pub fn active_users(&self) -> u32 {
        let pause_ms = (self.options.gap_seconds * 1_000 / CLICKS_PER_GAP).min(MAX_PAUSE_MS);
        let on_time = u64::from(self.options.rate) * (WHOLE - self.other_hundredths());
        let active = on_time * pause_ms / 1_000 / WHOLE;
        u32::try_from(active).unwrap_or(u32::MAX).clamp(1, self.options.users / 2)
    }

    pub(super) fn gap_ms(&self) -> u64 {
        self.options.gap_seconds * 1_000
    }

    /// How late a late click is at most.
    pub(super) fn late_by(&self) -> Duration {
        Duration::from_secs(self.options.late_by_seconds)
    }

    /// The share of records that are not clicks on time, in hundredths of a percent.
    fn other_hundredths(&self) -> u64 {
        let Options { late, duplicate, broken, .. } = self.options;
        late.hundredths() + duplicate.hundredths() + broken.hundredths()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// 3,000 records a second for 2 s, of 20,000 users, with a gap of 10 s.
    pub(crate) fn options() -> Options {
        Options {
            rate: 3_000,
            users: 20_000,
            gap_seconds: 10,
            late: Share::default(),
            late_by_seconds: 60,
            duplicate: Share::default(),
            broken: Share::default(),
            duration_seconds: 2,
            seed: 7,
        }
    }

    fn share(text: &str) -> Share {
        text.parse().unwrap()
    }

    #[test]
    fn option_outside_its_limits_is_an_error_that_names_it_and_them() {
        let cases = [
            (Options { rate: 0, ..options() }, "--rate is 0, expected 1 to 100000"),
            (Options { rate: 100_001, ..options() }, "--rate is 100001, expected 1 to 100000"),
            (Options { users: 1, ..options() }, "--users is 1, expected 2 to 1000000"),
            (Options { users: 1_000_001, ..options() }, "--users is 1000001, expected 2 to 1000000"),
            (Options { gap_seconds: 0, ..options() }, "--gap is 0s, expected 1s to 86400s (24h)"),
            (Options { late_by_seconds: 0, ..options() }, "--late-by is 0s, expected 1s to 86400s (24h)"),
            (Options { duration_seconds: 86_401, ..options() }, "--duration is 86401s, expected 1s to 86400s (24h)"),
        ];
        for (options, expected) in cases {
            assert_eq!(Load::new(options).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn options_that_do_not_fit_together_are_errors_that_name_them_and_the_limit() {
        let fault = |options| Load::new(options).map(|load| load.active_users()).map_err(|error| error.to_string());
        let shares = |late, duplicate, broken| Options {
            late: share(late),
            duplicate: share(duplicate),
            broken: share(broken),
            ..options()
        };
        assert_eq!(fault(shares("50", "30", "10")), Ok(600), "6,000 of ten times the clicks");
        let expected = "--late 50, --duplicate 30 and --broken 10.01 are 90.01 % together, more than the limit of 90 %";
        assert_eq!(fault(shares("50", "30", "10.01")), Err(expected.to_owned()));

        let gap = |rate, gap_seconds| Options { rate, gap_seconds, ..options() };
        assert_eq!([fault(gap(5, 1)), fault(gap(1, 5))], [Ok(1), Ok(1)]);
        let expected = "--gap 1s is too short for --rate 4: at least 5 clicks have to be on time within a gap, or each \
                        would be a session of its own";
        assert_eq!(fault(gap(4, 1)), Err(expected.to_owned()));
        assert!(fault(Options { late: share("0.01"), ..gap(5, 1) }).is_err());
    }

    #[test]
    fn users_click_five_times_in_a_gap_or_every_30_seconds_and_half_of_them_can_pause() {
        let active = |rate, users, gap_seconds| {
            Load::new(Options { rate, users, gap_seconds, ..options() }).unwrap().active_users()
        };
        assert_eq!(active(3_000, 20_000, 10), 6_000, "2 s apart");
        assert_eq!(active(100, 20_000, 1_800), 3_000, "30 s apart");
        assert_eq!([active(3_000, 1_000, 10), active(3_000, 3, 10)], [500, 1]);
        assert_eq!(active(MAX_RATE, MAX_USERS, MAX_SECONDS), 500_000);
    }
}
