//! What clicks consume in the long run: units of both state tables, boundaries and their bytes, per 1,000 clicks.

use crate::counting_tables::{Consumed, CountingTables};
use crate::error::BenchError;
use crate::population::Returns;
use crate::shares::Writers;
use crate::simulation::{BUCKETS, Load, Simulation};
use crate::typical_columns::Columns;
use crate::workload::{CLICKS_PER_SESSION, Workload};

/// The titles of the columns of [`Measured::row`].
pub const TITLES: [&str; 21] = [
    "",
    "shards/buckets",
    "clicks/s of a bucket",
    "hours simulated",
    "batches",
    "writes",
    "of log",
    "of rest",
    "reads",
    "of log",
    "of rest",
    "boundaries",
    "their KiB",
    "users written",
    "repeated",
    "KiB of users",
    "KiB of items",
    "KiB of a commit",
    "bytes of an item at rest",
    "users under way",
    "log MiB",
];

/// The first line of a file of [`Measured::csv`].
pub const CSV_TITLES: &str = "gap_s,spacing_s,window_s,clicks_per_day,shards,buckets,log_writes,rest_writes,log_reads,rest_reads,boundaries,boundary_kib";

/// Clicks a day of one shard, on average: 289 a second, so that a threefold peak is below the 1,000 that it takes.
const CLICKS_PER_DAY_AND_SHARD: u64 = 25_000_000;

/// Clicks per second of one bucket, at most. Source: design, section 7.
const CLICKS_PER_SECOND_AND_BUCKET: u64 = 300;

/// A deployment and its load.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// How users click, and the batching window.
    pub workload: Workload,
    /// Clicks a day.
    pub clicks_per_day: u64,
    /// Shards of click-stream.
    pub shards: u32,
    /// Buckets of the state.
    pub buckets: u32,
    /// Whether the user is the partition key; otherwise every shard has clicks of every bucket.
    pub by_user: bool,
    /// Time from the end of a user's session to the next one, in milliseconds.
    pub return_after_ms: u64,
    /// How many users ever clicked: they click in turn, whatever `return_after_ms` is.
    pub users: Option<u64>,
    /// Execution environments, of which each batch takes any.
    pub environments: usize,
    /// Slots of the ring.
    pub slots: u64,
    /// Whether user ids are UUIDs of 36 characters, in place of a word and a number.
    pub uuids: bool,
    /// What clicks have for columns.
    pub columns: Columns,
}

impl Pipeline {
    /// Shards for `clicks_per_day`: four, as by default, or as many as a threefold peak needs.
    #[must_use]
    pub fn shards_for(clicks_per_day: u64) -> u32 {
        u32::try_from(clicks_per_day.div_ceil(CLICKS_PER_DAY_AND_SHARD)).unwrap_or(u32::MAX).max(BUCKETS)
    }

    /// Buckets for `clicks_per_day`: the template's default, or as many as the design asks for.
    #[must_use]
    pub fn buckets_for(clicks_per_day: u64) -> u32 {
        let buckets = clicks_per_day.div_ceil(86_400 * CLICKS_PER_SECOND_AND_BUCKET);
        u32::try_from(buckets.next_power_of_two()).unwrap_or(u32::MAX).max(BUCKETS)
    }

    /// The kinds of its buckets, each with the number of buckets of that kind.
    ///
    /// # Errors
    /// If its users are fewer than those who must be in a session at the same time, or resting.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub fn loads(&self) -> Result<Vec<(Load, u32)>, BenchError> {
        let clicks_per_second = self.clicks_per_day as f64 / 86_400.0 / f64::from(self.buckets);
        let returns = match self.users {
            None => Returns::AfterMs(self.return_after_ms),
            Some(users) => {
                let session_ms = u64::from(CLICKS_PER_SESSION) * self.workload.spacing_ms;
                let busy_ms = (session_ms + self.workload.gap_ms) as f64;
                let least = (clicks_per_second * busy_ms / 1_000.0 / f64::from(CLICKS_PER_SESSION)) as u64 + 1;
                let of_bucket = users / u64::from(self.buckets);
                if of_bucket < least {
                    let least = least * u64::from(self.buckets);
                    return Err(BenchError::failed(format!(
                        "{users} users cannot click so often, at least {least} can"
                    )));
                }
                Returns::InTurn(usize::try_from(of_bucket).unwrap_or(usize::MAX))
            }
        };
        let Self { environments, slots, uuids, columns, .. } = *self;
        let load = |writers| Load {
            returns,
            writers,
            buckets: self.buckets,
            environments,
            slots,
            uuids,
            columns,
            ..Load::new(self.workload, clicks_per_second)
        };
        let kinds = Writers::kinds(self.shards, self.buckets, self.by_user).into_iter();
        Ok(kinds.map(|(writers, count)| (load(writers), count)).collect())
    }

    /// Simulates one bucket of each kind up to its steady state, and measures from there.
    ///
    /// # Errors
    /// Like [`Pipeline::loads`], and if a batch or a sweep is not done.
    pub async fn measure(self) -> Result<Measured, BenchError> {
        let loads = self.loads()?;
        let measured_ms = loads.iter().map(|(load, _)| load.measured_ms()).max().unwrap_or(0);
        let mut measured = Measured::none(self);
        for (load, buckets) in loads {
            let tables = CountingTables::of_known_users(load.columns)?;
            let (warm_up_ms, times) = (load.warm_up_ms(), u64::from(buckets));
            let mut simulation = Simulation::new(load, &tables, &tables, &tables)?;
            simulation.run(warm_up_ms).await?;
            let _ = tables.take();
            let stretch = simulation.run(measured_ms).await?;
            measured.consumed.add_times(&tables.take(), times);
            measured.clicks += times * stretch.clicks;
            measured.batches += times * stretch.batches;
            measured.carried += times * stretch.report.carried;
            measured.hot_users = measured.hot_users.max(stretch.report.gauges.hot_users);
            measured.log_bytes = measured.log_bytes.max(stretch.report.gauges.log_bytes);
            measured.measured_ms = measured_ms;
            measured.simulated_ms = measured.simulated_ms.max(warm_up_ms + measured_ms);
        }
        Ok(measured)
    }
}

/// What a pipeline consumed.
#[derive(Clone, Debug)]
pub struct Measured {
    pipeline: Pipeline,
    /// What all buckets consumed.
    pub consumed: Consumed,
    /// The clicks of all buckets.
    pub clicks: u64,
    batches: u64,
    carried: u64,
    /// Of the bucket with most of them.
    hot_users: u64,
    /// Of the bucket with most of them.
    log_bytes: u64,
    measured_ms: u64,
    simulated_ms: u64,
}

#[allow(clippy::cast_precision_loss)]
impl Measured {
    fn none(pipeline: Pipeline) -> Self {
        Self {
            pipeline,
            consumed: Consumed::default(),
            clicks: 0,
            batches: 0,
            carried: 0,
            hot_users: 0,
            log_bytes: 0,
            measured_ms: 0,
            simulated_ms: 0,
        }
    }

    /// `amount` per 1,000 clicks.
    #[must_use]
    pub fn per_thousand(&self, amount: u64) -> f64 {
        1_000.0 * amount as f64 / self.clicks.max(1) as f64
    }

    /// A row of a table.
    #[must_use]
    pub fn row(&self) -> Vec<String> {
        let Self { pipeline, consumed, .. } = self;
        let per_thousand = |amount| format!("{:.1}", self.per_thousand(amount));
        let kib = |bytes| format!("{:.1}", self.per_thousand(bytes) / 1_024.0);
        let seconds = self.measured_ms as f64 / 1_000.0 * f64::from(pipeline.buckets);
        vec![
            pipeline.workload.to_string(),
            format!("{}/{}", pipeline.shards, pipeline.buckets),
            format!("{:.1}", self.clicks as f64 / seconds),
            format!("{:.2}", self.simulated_ms as f64 / 3_600_000.0),
            per_thousand(self.batches),
            per_thousand(consumed.writes()),
            per_thousand(consumed.log_writes),
            per_thousand(consumed.rest_writes),
            per_thousand(consumed.reads()),
            per_thousand(consumed.log_reads),
            per_thousand(consumed.rest_reads),
            per_thousand(consumed.boundaries),
            kib(consumed.boundary_bytes),
            per_thousand(consumed.user_entries),
            per_thousand(self.carried),
            kib(consumed.user_bytes),
            kib(consumed.commit_bytes),
            format!("{:.1}", consumed.commit_bytes as f64 / 1_024.0 / consumed.commits.max(1) as f64),
            format!("{:.0}", consumed.rest_bytes as f64 / consumed.rest_items.max(1) as f64),
            self.hot_users.to_string(),
            format!("{:.2}", self.log_bytes as f64 / 1_048_576.0),
        ]
    }

    /// A line of the file that the bill is computed from (`docs/cost/units.csv`).
    #[must_use]
    pub fn csv(&self) -> String {
        let Self { pipeline, consumed, .. } = self;
        let Workload { gap_ms, spacing_ms, window_ms } = pipeline.workload;
        let seconds = [gap_ms, spacing_ms, window_ms].map(|ms| (ms / 1_000).to_string());
        let of_pipeline =
            [pipeline.clicks_per_day, pipeline.shards.into(), pipeline.buckets.into()].map(|number| number.to_string());
        let Consumed { log_writes, rest_writes, log_reads, rest_reads, boundaries, boundary_bytes, .. } = *consumed;
        let units = [log_writes, rest_writes, log_reads, rest_reads, boundaries].map(|units| self.per_thousand(units));
        let figures = units.into_iter().chain([self.per_thousand(boundary_bytes) / 1_024.0]);
        let figures = figures.map(|figure| format!("{figure:.1}"));
        seconds.into_iter().chain(of_pipeline).chain(figures).collect::<Vec<_>>().join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pipeline() -> Pipeline {
        Pipeline {
            workload: Workload { gap_ms: 5_000, spacing_ms: 1_000, window_ms: 1_000 },
            clicks_per_day: 80 * 86_400,
            shards: 4,
            buckets: 4,
            by_user: true,
            return_after_ms: 86_400_000,
            users: None,
            environments: 1,
            slots: 16,
            uuids: false,
            columns: Columns::None,
        }
    }

    #[test]
    fn as_many_shards_and_buckets_are_taken_as_the_load_needs() {
        let sizes = [1_000_000, 100_000_000, 1_000_000_000];
        assert_eq!(sizes.map(Pipeline::shards_for), [4, 4, 40]);
        assert_eq!(sizes.map(Pipeline::buckets_for), [4, 4, 64]);
    }

    #[tokio::test]
    async fn units_per_click_are_the_same_with_more_buckets_of_the_same_rate() {
        let four = pipeline().measure().await.unwrap();
        let larger = Pipeline { clicks_per_day: 80 * 4 * 86_400, shards: 16, buckets: 16, ..pipeline() };
        let sixteen = larger.measure().await.unwrap();
        assert_eq!(sixteen.clicks, 4 * four.clicks);
        assert_eq!(sixteen.per_thousand(sixteen.consumed.writes()), four.per_thousand(four.consumed.writes()));
    }

    #[tokio::test]
    async fn users_who_never_return_during_the_run_cost_nothing_however_many_they_are() {
        let [few, many] = [20_000, 10_000_000].map(|users| Pipeline { users: Some(users), ..pipeline() });
        let (few, many) = (few.measure().await.unwrap(), many.measure().await.unwrap());
        // Other users have other ids, which compress to a few bytes more or less.
        let bytes_apart = few.consumed.commit_bytes.abs_diff(many.consumed.commit_bytes);
        assert!(bytes_apart * 1_000 < few.consumed.commit_bytes, "{bytes_apart} bytes apart");
        let counts = |consumed: Consumed| Consumed { commit_bytes: 0, user_bytes: 0, ..consumed };
        assert_eq!(counts(few.consumed), counts(many.consumed));
    }

    #[tokio::test]
    async fn fewer_users_than_can_click_so_often_are_an_error() {
        let error = Pipeline { users: Some(100), ..pipeline() }.measure().await.unwrap_err();
        assert_eq!(error.to_string(), "100 users cannot click so often, at least 104 can");
    }

    #[tokio::test]
    async fn line_of_the_file_has_as_many_columns_as_its_title() {
        let line = pipeline().measure().await.unwrap().csv();
        assert!(line.starts_with("5,1,1,6912000,4,4,"), "{line}");
        assert_eq!(line.split(',').count(), CSV_TITLES.split(',').count());
    }
}
