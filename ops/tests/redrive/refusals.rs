//! Calls that Kinesis or DynamoDB rejects: retried within bounds, otherwise left in the table and reported.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_kinesis::types::ShardIteratorType;
use local_aws::faults::{Call, Fault, FaultyHttpClient};
use local_aws::{LocalAws, LocalAwsOptions, Template};
use ops::error::OpsError;
use ops::redrive::{Mode, Plan, Reasons, Redriven};

const TABLE: &str = "rejected-records";

struct World {
    embedded: LocalAws,
}

/// A rejected record: stream, sequence number, arrival time, partition key. Its reason is `not_json`, its data the
/// number.
type Record = (&'static str, u64, u64, &'static str);

impl World {
    async fn with(records: &[Record]) -> Self {
        let embedded = LocalAws::start(LocalAwsOptions::default()).await.unwrap();
        embedded.create_resources(&Template::of_this_project().unwrap(), Some(1)).await.unwrap();
        for (stream, sequence_number, arrival, partition_key) in records {
            let data = sequence_number.to_string();
            let text = |text: &str| AttributeValue::S(text.to_owned());
            let put = embedded.dynamodb().put_item().table_name(TABLE);
            let put = put.item("position", text(&format!("{stream}/shardId-000000000000/{sequence_number}")));
            let put = put.item("reason", text("not_json")).item("partition_key", text(partition_key));
            let put = put.item("arrival_time", AttributeValue::N(arrival.to_string()));
            let put = put.item("data_length", AttributeValue::N(data.len().to_string()));
            put.item("data", AttributeValue::B(Blob::new(data))).send().await.unwrap();
        }
        Self { embedded }
    }

    /// Redrives records with `reasons` (every record, if empty) while `plan` injects faults.
    async fn redrive(
        &self,
        reasons: &[&str],
        plan: impl FnMut(&Call) -> Fault + Send + 'static,
    ) -> (Result<Redriven, OpsError>, FaultyHttpClient) {
        let config = self.embedded.client_config();
        let http = FaultyHttpClient::new(config.http_client().unwrap(), plan);
        let config = config.to_builder().http_client(http.clone()).build();
        let (dynamodb, kinesis) = (aws_sdk_dynamodb::Client::new(&config), aws_sdk_kinesis::Client::new(&config));
        let redrive = async {
            let reasons = Reasons::new(reasons.iter().map(ToString::to_string).collect())?;
            Plan::list(&dynamodb, TABLE, &reasons).await?.carry_out(&kinesis, Mode::ForReal, |_| ()).await
        };
        (redrive.await, http)
    }

    /// Partition key and data of each record in click-stream, in order.
    async fn clicks(&self) -> Vec<(String, String)> {
        let kinesis = self.embedded.kinesis();
        let iterator = kinesis.get_shard_iterator().stream_name("click-stream").shard_id("shardId-000000000000");
        let iterator = iterator.shard_iterator_type(ShardIteratorType::TrimHorizon).send().await.unwrap();
        let page = kinesis.get_records().set_shard_iterator(iterator.shard_iterator).send().await.unwrap();
        let text = |data: &[u8]| String::from_utf8(data.to_vec()).unwrap();
        page.records.into_iter().map(|record| (record.partition_key.unwrap(), text(record.data.as_ref()))).collect()
    }

    /// The sequence numbers of the items remaining in the table, sorted.
    async fn left(&self) -> Vec<u64> {
        let items = self.embedded.dynamodb().scan().table_name(TABLE).send().await.unwrap().items.unwrap();
        let number = |position: &str| position.rsplit('/').next().unwrap().parse().unwrap();
        let mut numbers: Vec<u64> = items.iter().map(|item| number(item["position"].as_s().unwrap())).collect();
        numbers.sort_unstable();
        numbers
    }
}

fn pairs(records: &[(&str, &str)]) -> Vec<(String, String)> {
    records.iter().map(|(key, data)| ((*key).to_owned(), (*data).to_owned())).collect()
}

fn put(count: u64) -> BTreeMap<String, u64> {
    [("not_json".to_owned(), count)].into()
}

fn left(code: &str, count: u64) -> BTreeMap<(String, String), u64> {
    [(("not_json".to_owned(), code.to_owned()), count)].into()
}

/// No item left.
const NONE: [u64; 0] = [];

const THREE: [Record; 3] = [("click-stream", 1, 10, "a"), ("click-stream", 2, 11, "b"), ("click-stream", 3, 12, "c")];

#[tokio::test]
async fn unknown_reason_is_an_error_before_any_call() {
    let world = World::with(&THREE).await;
    let (outcome, http) = world.redrive(&["not_json", "bogus"], |_| Fault::None).await;
    let error = outcome.unwrap_err().to_string();
    assert!(error.starts_with("--reasons: unknown reason \"bogus\". Valid reasons:\n  not_utf8\n  "), "{error}");
    assert_eq!(["Scan", "PutRecords", "BatchWriteItem"].map(|operation| http.calls_of(operation)), [0, 0, 0]);
}

#[tokio::test]
async fn records_are_put_back_in_order_of_arrival() {
    let records = [("click-stream", 9, 30, "a"), ("click-stream", 10, 30, "a"), ("click-stream", 11, 20, "a")];
    let world = World::with(&records).await;
    let (outcome, _) = world.redrive(&[], |_| Fault::None).await;
    assert_eq!(outcome.unwrap(), Redriven { put: put(3), ..Redriven::default() });
    assert_eq!(world.clicks().await, pairs(&[("a", "11"), ("a", "9"), ("a", "10")]));
    assert_eq!(world.left().await, NONE);
}

#[tokio::test]
async fn throttled_entries_are_retried_and_accepted_ones_are_not() {
    let world = World::with(&THREE).await;
    let (outcome, http) = world
        .redrive(&[], |call| match (call.operation.as_str(), call.number) {
            ("PutRecords", 0) => Fault::PartsThrottled(vec![1]),
            ("PutRecords", 1) => Fault::Throttled,
            _ => Fault::None,
        })
        .await;
    assert_eq!(outcome.unwrap(), Redriven { put: put(3), ..Redriven::default() });
    assert_eq!(http.calls_of("PutRecords"), 3);
    assert_eq!(world.clicks().await, pairs(&[("a", "1"), ("c", "3"), ("b", "2")]));
    assert_eq!(world.left().await, NONE);
}

#[tokio::test]
async fn permanently_rejected_entry_is_not_retried_but_left_and_reported() {
    let world = World::with(&THREE).await;
    let (outcome, http) = world
        .redrive(&[], |call| match call.operation.as_str() {
            "PutRecords" => Fault::EntriesRefused(vec![1], "KMSAccessDeniedException"),
            _ => Fault::None,
        })
        .await;
    let redriven = outcome.unwrap();
    let expected = Redriven { put: put(2), left: left("KMSAccessDeniedException", 1), ..Redriven::default() };
    assert_eq!(redriven, expected);
    assert!(!redriven.is_complete());
    assert!(redriven.to_string().contains("1 not_json, left in the table: not accepted (KMSAccessDeniedException)"));
    assert_eq!(http.calls_of("PutRecords"), 1);
    assert_eq!(world.left().await, [2]);
}

#[tokio::test]
async fn entries_that_remain_throttled_are_left_after_a_bounded_number_of_attempts() {
    let world = World::with(&THREE).await;
    let (outcome, http) = world
        .redrive(&[], |call| match call.operation.as_str() {
            "PutRecords" => Fault::PartsThrottled((0..call.parts).collect()),
            _ => Fault::None,
        })
        .await;
    let expected = Redriven { left: left("ProvisionedThroughputExceededException", 3), ..Redriven::default() };
    assert_eq!(outcome.unwrap(), expected);
    assert_eq!(http.calls_of("PutRecords"), 10);
    assert_eq!(world.left().await, [1, 2, 3]);
}

#[tokio::test]
async fn deleted_stream_is_called_once_and_does_not_block_the_others() {
    let mut records: Vec<Record> = (1..=150_u64).map(|number| ("a-stream-long-gone", number, number, "a")).collect();
    records.extend(THREE.map(|(stream, number, arrival, key)| (stream, 1_000 + number, arrival, key)));
    let world = World::with(&records).await;
    let (outcome, http) = world.redrive(&[], |_| Fault::None).await;
    let expected = Redriven { put: put(3), left: left("ResourceNotFoundException", 150), ..Redriven::default() };
    assert_eq!(outcome.unwrap(), expected);
    assert_eq!(http.calls_of("PutRecords"), 2);
    assert_eq!(world.left().await, (1..=150).collect::<Vec<_>>());
}

/// Kinesis rejects an empty key; only a hand-made event can contain one.
#[tokio::test]
async fn record_without_a_partition_key_is_put_with_its_sequence_number_as_key() {
    let world = World::with(&[("click-stream", 7, 10, "")]).await;
    let (outcome, _) = world.redrive(&[], |_| Fault::None).await;
    assert_eq!(outcome.unwrap(), Redriven { put: put(1), ..Redriven::default() });
    assert_eq!(world.clicks().await, pairs(&[("7", "7")]));
}

#[tokio::test]
async fn failed_deletion_is_an_error_that_warns_about_the_next_redrive() {
    let world = World::with(&THREE).await;
    let (outcome, _) = world
        .redrive(&[], |call| match call.operation.as_str() {
            "BatchWriteItem" => Fault::AccessDenied,
            _ => Fault::None,
        })
        .await;
    let error = outcome.unwrap_err().to_string();
    assert!(error.contains("3 records are back in their stream, but deleting their items failed"), "{error}");
    assert!(error.contains("AccessDeniedException"), "{error}");
}

#[tokio::test]
async fn throttled_reads_and_deletions_are_retried() {
    let world = World::with(&THREE).await;
    let (outcome, http) = world
        .redrive(&[], |call| match (call.operation.as_str(), call.number) {
            ("Scan" | "BatchGetItem" | "BatchWriteItem", 0) => Fault::Throttled,
            ("BatchGetItem" | "BatchWriteItem", 1) => Fault::PartsThrottled(vec![0, 2]),
            _ => Fault::None,
        })
        .await;
    assert_eq!(outcome.unwrap(), Redriven { put: put(3), ..Redriven::default() });
    assert_eq!(["Scan", "BatchGetItem", "BatchWriteItem"].map(|operation| http.calls_of(operation)), [2, 3, 3]);
    assert_eq!(world.clicks().await, pairs(&[("a", "1"), ("b", "2"), ("c", "3")]));
    assert_eq!(world.left().await, NONE);
}

#[tokio::test]
async fn plan_shows_the_number_of_records_per_stream() {
    let records = [("click-stream", 1, 10, "a"), ("session-stream", 2, 10, "a"), ("click-stream", 3, 10, "a")];
    let world = World::with(&records).await;
    let dynamodb = world.embedded.dynamodb();
    let plan = async |reasons: &[&str]| {
        let reasons = Reasons::new(reasons.iter().map(ToString::to_string).collect()).unwrap();
        let plan = Plan::list(&dynamodb, TABLE, &reasons).await.unwrap();
        (plan.is_empty(), plan.to_string())
    };
    assert_eq!(plan(&[]).await, (false, "2 into stream click-stream, 1 into stream session-stream".to_owned()));
    assert_eq!(plan(&["not_utf8"]).await, (true, String::new()));
}

/// Each copy would count as another click.
#[tokio::test]
async fn record_whose_put_got_no_response_is_not_retried_but_left_and_reported() {
    for fault in [|| Fault::ReplyLost, || Fault::NotSent] {
        let world = World::with(&THREE).await;
        let is_put = |call: &Call| call.operation == "PutRecords";
        let (outcome, http) = world.redrive(&[], move |call| if is_put(call) { fault() } else { Fault::None }).await;
        let redriven = outcome.unwrap();
        assert_eq!(redriven, Redriven { unanswered: left("NoConnection", 3), ..Redriven::default() });
        assert!(!redriven.is_complete());
        assert_eq!(http.calls_of("PutRecords"), 1);
        assert_eq!(world.left().await, [1, 2, 3]);
        assert!(world.clicks().await.len() <= 3, "no record twice");
    }
}
