//! The sessionizer's settings, read once from its environment variables.

use kinesis_function::config::{Settings, Variables};
use kinesis_function::rejected_table::RejectedTableConfig;
use shared::click_format::ClickFormat;
use shared::limits::MAX_SESSION_GAP_SECONDS;
use shared::session::SessionGap;
use shared::session_cut::{CUT_OFFSET_MINUTES, SessionCut};

use crate::click_format_config::click_format;

/// Whether a user's first session is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstSession {
    /// It is published like any other, as `user_0`.
    Emit,
    /// It is left out, as in the Flink job.
    Skip,
}

/// Which boundaries are published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Boundaries {
    /// All.
    All,
    /// Ends and what corrects them: no `open`. A session that reopens stays in the table as it was closed last, until it
    /// closes again.
    Closed,
}

/// The settings of design section 7, and the memory that Lambda grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `STATE_LOG_TABLE`: name of the table with the logs of the users under way.
    pub state_log_table: String,
    /// `STATE_TABLE`: name of the table with one item per user at rest.
    pub state_table: String,
    /// `REJECTED_TABLE` and `REJECTED_RETENTION_DAYS`: the table of rejected records.
    pub rejected: RejectedTableConfig,
    /// `SESSION_STREAM`: name of the stream to publish boundaries to.
    pub session_stream: String,
    /// `SESSION_GAP_SECONDS`: inactivity that ends a session, 1 to 86,400 s; default 10.
    pub session_gap: SessionGap,
    /// `SESSION_CUT`, `none` (default) or `daily`, and `SESSION_CUT_OFFSET_MINUTES`, −720 to 840; default 0: whether no
    /// session spans midnight, by a clock so far ahead of UTC.
    pub session_cut: SessionCut,
    /// `ALLOWED_LATENESS_SECONDS`: how far a click may be behind its user's newest one without being late, up to
    /// 86,400 s; default 3,600. At least twice the clock skew, of which a click that is ahead takes its share.
    pub lateness_ms: u64,
    /// `CLOSE_GRACE_SECONDS`: how long after the gap a session without clicks is closed, up to 3,600 s; default 10.
    pub close_grace_ms: u64,
    /// `BOUNDARIES`: `all` (default) or `closed`.
    pub boundaries: Boundaries,
    /// `FIRST_SESSION`: `emit` (default) or `skip`.
    pub first_session: FirstSession,
    /// `MAX_CLOCK_SKEW_SECONDS`: how far a click's time may be after its arrival, up to 43,200 s; default 900.
    pub max_clock_skew_ms: u64,
    /// `USER_ID_FIELD` and others: what clicks look like; by default the contract's format. See
    /// [`crate::click_format_config`].
    pub click_format: ClickFormat,
    /// `STREAM_RETENTION_HOURS`: how long cursors are kept, 24 to 8,760 h; default 24.
    pub stream_retention_ms: u64,
    /// `STATE_BUCKETS`: into how many buckets users are divided, a power of two up to 256; default 4. Fixed when the
    /// tables are made.
    pub state_buckets: u32,
    /// The function's memory in bytes, of which the buckets it keeps take a part.
    pub memory_bytes: u64,
}

impl Settings for Config {
    fn read(variables: &mut Variables) -> Self {
        let max_clock_skew_seconds = variables.integer("MAX_CLOCK_SKEW_SECONDS", 900, 0..=43_200);
        Self {
            state_log_table: variables.required("STATE_LOG_TABLE"),
            state_table: variables.required("STATE_TABLE"),
            rejected: RejectedTableConfig::read(variables),
            session_stream: variables.required("SESSION_STREAM"),
            session_gap: SessionGap::from_ms(
                variables.integer("SESSION_GAP_SECONDS", 10, 1..=MAX_SESSION_GAP_SECONDS) * 1_000,
            ),
            session_cut: session_cut(variables),
            lateness_ms: lateness_seconds(variables, max_clock_skew_seconds) * 1_000,
            close_grace_ms: variables.integer("CLOSE_GRACE_SECONDS", 10, 0..=3_600) * 1_000,
            boundaries: variables.choice("BOUNDARIES", [("all", Boundaries::All), ("closed", Boundaries::Closed)]),
            first_session: variables
                .choice("FIRST_SESSION", [("emit", FirstSession::Emit), ("skip", FirstSession::Skip)]),
            max_clock_skew_ms: max_clock_skew_seconds * 1_000,
            click_format: click_format(variables),
            stream_retention_ms: variables.stream_retention_hours() * 3_600_000,
            state_buckets: state_buckets(variables),
            memory_bytes: variables.lambda_memory_bytes(),
        }
    }
}

/// A click that is ahead by x makes clicks on time late x earlier, and may be ahead by the whole skew.
fn lateness_seconds(variables: &mut Variables, max_clock_skew_seconds: u64) -> u64 {
    let lateness = variables.integer("ALLOWED_LATENESS_SECONDS", 3_600, 0..=86_400);
    let least = 2 * max_clock_skew_seconds;
    if lateness < least {
        variables.fault(format!(
            "ALLOWED_LATENESS_SECONDS is {lateness}, expected at least {least}: twice MAX_CLOCK_SKEW_SECONDS, which is \
             {max_clock_skew_seconds}"
        ));
    }
    lateness
}

/// Reads `SESSION_CUT` and `SESSION_CUT_OFFSET_MINUTES`. An offset without a cut has no effect, which its author cannot
/// have meant.
pub fn session_cut(variables: &mut Variables) -> SessionCut {
    let is_daily = variables.choice("SESSION_CUT", [("none", false), ("daily", true)]);
    let minutes = variables.signed_integer("SESSION_CUT_OFFSET_MINUTES", 0, CUT_OFFSET_MINUTES);
    if is_daily {
        return SessionCut::daily(minutes);
    }
    if minutes != 0 {
        variables.fault(format!("SESSION_CUT_OFFSET_MINUTES is {minutes}, expected 0 unless SESSION_CUT is daily"));
    }
    SessionCut::None
}

/// A power of two, because a bucket is the top bits of a hash.
fn state_buckets(variables: &mut Variables) -> u32 {
    const DEFAULT: u32 = 4;
    let buckets = variables.integer("STATE_BUCKETS", u64::from(DEFAULT), 1..=256);
    if !buckets.is_power_of_two() {
        variables.fault(format!("STATE_BUCKETS is {buckets}, expected a power of two from 1 to 256"));
    }
    u32::try_from(buckets).unwrap_or(DEFAULT) // the range fits
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
