//! The counting tables against an embedded DynamoDB, and what a run must show.

use local_aws::{LocalAws, LocalAwsOptions, Template};
use sessionizer_fn::ring_log::ring::Expected;
use sessionizer_fn::state_log_entry::UserEntry;
use sessionizer_fn::store::log_store::{LogCommit, StoreError, WriteResult};
use sessionizer_fn::store::log_table::LogTable;
use sessionizer_fn::store::rest_store::{RestResult, RestingUser};
use sessionizer_fn::store::rest_table::RestTable;
use sessionizer_fn::store::settings::Settings;

use super::*;
use crate::counting_tables::CountingTables;
use crate::meter::Meter;
use shared::columns::declaration::SessionColumns;

/// Sixty clicks a second, whose commits take one to three units each, and a ring that is half full after eight commits, before users become inactive.
fn busy() -> Load {
    let workload = Workload { gap_ms: 5_000, spacing_ms: 1_000, window_ms: 1_000 };
    Load { slots: 16, returns: Returns::AfterMs(40_000), ..Load::new(workload, 60.0) }
}

/// Each call goes to the real table and to the counting one. Both must do the same.
#[derive(Clone)]
struct Both {
    log: LogTable,
    rest: RestTable,
    counting: CountingTables,
}

impl LogStore for Both {
    async fn settings(&self) -> Result<Option<Settings>, StoreError> {
        let (real, counted) = (self.log.settings().await?, LogStore::settings(&self.counting).await?);
        assert_eq!(real, counted);
        Ok(real)
    }

    async fn make_settings(&self, settings: Settings) -> Result<Settings, StoreError> {
        let (real, counted) = (self.log.make_settings(settings).await?, self.counting.make_settings(settings).await?);
        assert_eq!(real, counted);
        Ok(real)
    }

    async fn read(&self, bucket: u32, slots: &[u64]) -> Result<Vec<Option<LogCommit>>, StoreError> {
        let (real, counted) =
            (LogStore::read(&self.log, bucket, slots).await?, LogStore::read(&self.counting, bucket, slots).await?);
        assert_eq!(real, counted);
        Ok(real)
    }

    async fn read_numbers(&self, bucket: u32, slots: &[u64]) -> Result<Vec<Option<u64>>, StoreError> {
        let (real, counted) =
            (self.log.read_numbers(bucket, slots).await?, self.counting.read_numbers(bucket, slots).await?);
        assert_eq!(real, counted);
        Ok(real)
    }

    async fn write(&self, bucket: u32, slot: u64, expected: Expected, commit: &LogCommit) -> WriteResult {
        let real = LogStore::write(&self.log, bucket, slot, expected, commit).await;
        let counted = LogStore::write(&self.counting, bucket, slot, expected, commit).await;
        assert_eq!(format!("{real:?}"), format!("{counted:?}"));
        real
    }
}

impl RestStore for Both {
    async fn read(&self, users: &[UserId]) -> Vec<Result<Option<UserEntry>, StoreError>> {
        let real = RestStore::read(&self.rest, users).await;
        let counted = RestStore::read(&self.counting, users).await;
        assert_eq!(format!("{real:?}"), format!("{counted:?}"));
        real
    }

    async fn write(&self, users: &[RestingUser]) -> Vec<RestResult> {
        let real = RestStore::write(&self.rest, users).await;
        let counted = RestStore::write(&self.counting, users).await;
        assert_eq!(format!("{real:?}"), format!("{counted:?}"));
        real
    }
}

#[tokio::test]
async fn units_counted_are_those_that_dynamodb_reports() {
    let load = busy();
    let embedded = LocalAws::start(LocalAwsOptions::default()).await.unwrap();
    let template = Template::of_this_project().unwrap();
    embedded.create_resources(&template, Some(1)).await.unwrap();
    let variables = template.function("SessionizerFunction").unwrap().environment.clone();
    let meter = Meter::new(true);
    let config = embedded.dynamodb().config().to_builder().interceptor(meter.clone()).build();
    let dynamodb = aws_sdk_dynamodb::Client::from_conf(config);
    let counting = CountingTables::default();
    let both = Both {
        log: LogTable::new(dynamodb.clone(), &variables["STATE_LOG_TABLE"], load.slots, SessionColumns::default()),
        rest: RestTable::new(dynamodb, &variables["STATE_TABLE"], SessionColumns::default()),
        counting: counting.clone(),
    };

    let mut simulation = Simulation::new(load, &both, &both, &counting).unwrap();
    let stretch = simulation.run(90_000).await.unwrap();

    let (consumed, reported) = (counting.take(), meter.take());
    let units = |operation: &str| reported.get(operation).map_or(0.0, |asked| asked.units);
    // The settings' conditional write is one unit, and all statements are on users at rest.
    assert_eq!(consumed.log_writes as f64, units("PutItem"));
    assert_eq!(consumed.rest_writes as f64, units("BatchExecuteStatement"));
    assert_eq!(consumed.reads() as f64, units("BatchGetItem"));
    assert!(consumed.commits >= 80 && consumed.log_writes > 100 && consumed.rest_writes > 10, "{consumed:?}");
    assert!(stretch.report.carried > 50 && stretch.report.users_at_rest > 10, "{:?}", stretch.report);
    embedded.stop().await;
}

#[tokio::test]
async fn in_the_steady_state_as_many_users_leave_the_log_as_sessions_begin() {
    let load = Load { returns: Returns::AfterMs(86_400_000), ..busy() };
    let counting = CountingTables::default();
    let mut simulation = Simulation::new(load.clone(), &counting, &counting, &counting).unwrap();
    simulation.run(load.warm_up_ms()).await.unwrap();
    let before = counting.take();
    let stretch = simulation.run(load.measured_ms()).await.unwrap();
    let consumed = counting.take();
    assert!(before.commits > 0);
    let (began, left) = (stretch.report.started, stretch.report.users_at_rest);
    assert!(began.abs_diff(left) < began / 10, "{began} sessions began, {left} users left");
    assert_eq!(stretch.report.applied, stretch.clicks);
    assert_eq!(stretch.report.published, consumed.boundaries);
    assert!(consumed.boundaries.abs_diff(2 * began) < began / 10, "each session is reported open and closed, once");
}
