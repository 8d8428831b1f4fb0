//! The rejected records that were not read before, up to a limit, without their bytes.

use std::collections::{HashMap, HashSet};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use kinesis_function::call_error::CallError;
use kinesis_function::rejected_table::KEY;
use serde::Serialize;

/// Maximum number of rejected records that are read. Of further ones the page only says that there are some.
pub(crate) const MOST_READ: usize = 2_000;

/// What is read of a record. Its bytes are not: they may have 400 KB.
const ATTRIBUTES: [(&str, &str); 5] = [
    ("#position", KEY),
    ("#at", "arrival_time"),
    ("#partition_key", "partition_key"),
    ("#reason", "reason"),
    ("#message", "message"),
];

/// A rejected record as the browser receives it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ShownRejection {
    /// When it arrived, Unix milliseconds.
    pub(crate) at: u64,
    pub(crate) partition_key: String,
    /// The reason's code.
    pub(crate) reason: String,
    /// The fault, in words.
    pub(crate) message: String,
}

/// Reads a table of rejected records and remembers what it has read.
#[derive(Debug)]
pub(crate) struct RejectedReader {
    client: Client,
    table: String,
    /// The positions read, at most [`MOST_READ`].
    seen: HashSet<String>,
    has_more: bool,
}

impl RejectedReader {
    pub(crate) fn new(client: Client, table: String) -> Self {
        Self { client, table, seen: HashSet::new(), has_more: false }
    }

    /// Whether the table contains records beyond [`MOST_READ`].
    pub(crate) fn has_more(&self) -> bool {
        self.has_more
    }

    /// The records that were not read before, in the order of their arrival. Items that are not rejected records are
    /// left out.
    pub(crate) async fn read_new(&mut self) -> Result<Vec<ShownRejection>, CallError> {
        let (mut new, mut from): (Vec<ShownRejection>, Option<HashMap<String, AttributeValue>>) = (Vec::new(), None);
        let shown = ATTRIBUTES.map(|(alias, _)| alias).join(", ");
        while !self.has_more {
            let mut scan = self.client.scan().table_name(&self.table).projection_expression(&shown);
            for (alias, name) in ATTRIBUTES {
                scan = scan.expression_attribute_names(alias, name);
            }
            let page = scan.set_exclusive_start_key(from).send().await;
            let page = page.map_err(|error| CallError::of("Scan", &error))?;
            for item in page.items.unwrap_or_default() {
                let Some((position, rejection)) = rejection(&item) else { continue };
                if self.seen.contains(&position) {
                    continue;
                }
                if self.seen.len() == MOST_READ {
                    self.has_more = true;
                    break;
                }
                self.seen.insert(position);
                new.push(rejection);
            }
            from = page.last_evaluated_key;
            if from.is_none() {
                break;
            }
        }
        new.sort_by_key(|rejection| rejection.at);
        Ok(new)
    }
}

fn rejection(item: &HashMap<String, AttributeValue>) -> Option<(String, ShownRejection)> {
    let text = |name: &str| item.get(name)?.as_s().ok().cloned();
    let rejection = ShownRejection {
        at: item.get("arrival_time")?.as_n().ok()?.parse().ok()?,
        partition_key: text("partition_key")?,
        reason: text("reason")?,
        message: text("message")?,
    };
    Some((text(KEY)?, rejection))
}

#[cfg(test)]
mod tests {
    use local_aws::{LocalAws, LocalAwsOptions, Template};

    use super::*;

    const TABLE: &str = "rejected-records";

    async fn put(dynamodb: &Client, number: usize) {
        let put = dynamodb.put_item().table_name(TABLE);
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let put = put.item(KEY, text(&format!("click-stream/shard/{number}"))).item("partition_key", text("key"));
        let put = put.item("reason", text("not_json")).item("message", text("why")).item("data", text("bytes"));
        put.item("arrival_time", AttributeValue::N((5_000 - number).to_string())).send().await.unwrap();
    }

    #[tokio::test]
    async fn each_record_is_read_once_in_the_order_of_arrival_up_to_the_limit() {
        let aws = LocalAws::start(LocalAwsOptions::default()).await.unwrap();
        let template = Template::of_this_project_with(&Default::default()).unwrap();
        aws.create_resources(&template, Some(1)).await.unwrap();
        let dynamodb = aws.dynamodb();
        let mut reader = RejectedReader::new(dynamodb.clone(), TABLE.to_owned());
        let times = |new: Vec<ShownRejection>| new.iter().map(|rejection| rejection.at).collect::<Vec<_>>();
        assert_eq!(reader.read_new().await.unwrap(), []);
        put(&dynamodb, 1).await;
        put(&dynamodb, 2).await;
        assert_eq!(times(reader.read_new().await.unwrap()), [4_998, 4_999]);
        put(&dynamodb, 3).await;
        assert_eq!(times(reader.read_new().await.unwrap()), [4_997]);
        assert_eq!(reader.read_new().await.unwrap(), []);
        for number in 4..=MOST_READ {
            put(&dynamodb, number).await;
        }
        assert_eq!(reader.read_new().await.unwrap().len(), MOST_READ - 3);
        assert!(!reader.has_more());
        put(&dynamodb, MOST_READ + 1).await;
        assert_eq!(reader.read_new().await.unwrap(), []);
        assert!(reader.has_more());
        aws.stop().await;
    }
}
