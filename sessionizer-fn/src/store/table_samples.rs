//! Both state tables on the embedded DynamoDB, for tests.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, TableStatus,
};
use kinesis_function::statements::Item;
use local_aws::faults::{Call, Fault, FaultyHttpClient};
use local_aws::{LocalAws, LocalAwsOptions};

use crate::store::log_table::LogTable;
use crate::store::rest_table::RestTable;
use shared::columns::declaration::SessionColumns;

pub(crate) const LOG_TABLE: &str = "state-log";
pub(crate) const REST_TABLE: &str = "session-state";

/// Slots of each log.
pub(crate) const SLOTS: u64 = 5;

pub(crate) struct Tables {
    local_aws: LocalAws,
}

impl Tables {
    pub(crate) async fn start() -> Self {
        let local_aws = LocalAws::start(LocalAwsOptions::default()).await.unwrap();
        for (table, key) in [(LOG_TABLE, "slot"), (REST_TABLE, "user_id")] {
            create(&local_aws.dynamodb(), table, key).await;
        }
        Self { local_aws }
    }

    pub(crate) fn client(&self) -> Client {
        self.local_aws.dynamodb()
    }

    pub(crate) fn log(&self) -> LogTable {
        LogTable::new(self.client(), LOG_TABLE, SLOTS, SessionColumns::default())
    }

    pub(crate) fn rest(&self) -> RestTable {
        RestTable::new(self.client(), REST_TABLE, SessionColumns::default())
    }

    /// A client whose calls meet the faults of `plan`, and what counts them.
    pub(crate) fn faulty_client(
        &self,
        plan: impl FnMut(&Call) -> Fault + Send + 'static,
    ) -> (Client, FaultyHttpClient) {
        let config = self.local_aws.client_config();
        let http = FaultyHttpClient::new(config.http_client().unwrap(), plan);
        (Client::new(&config.to_builder().http_client(http.clone()).build()), http)
    }

    /// The item with this key.
    pub(crate) async fn item(&self, table: &str, key: (&str, &str)) -> Item {
        let (name, value) = key;
        let call = self.client().get_item().table_name(table).key(name, AttributeValue::S(value.to_owned()));
        call.send().await.unwrap().item.unwrap()
    }

    pub(crate) async fn put(&self, table: &str, item: Item) {
        self.client().put_item().table_name(table).set_item(Some(item)).send().await.unwrap();
    }
}

/// Creates a table with a partition key that is a text, and waits until it is ACTIVE.
async fn create(client: &Client, table: &str, key: &str) {
    let key_type = AttributeDefinition::builder().attribute_name(key).attribute_type(ScalarAttributeType::S);
    let partition = KeySchemaElement::builder().attribute_name(key).key_type(KeyType::Hash);
    client
        .create_table()
        .table_name(table)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(key_type.build().unwrap())
        .key_schema(partition.build().unwrap())
        .send()
        .await
        .unwrap();
    loop {
        let described = client.describe_table().table_name(table).send().await.unwrap();
        if described.table.unwrap().table_status == Some(TableStatus::Active) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}
