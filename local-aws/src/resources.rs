//! Creates the streams, tables and TTL settings of the template in the embedded services.
//!
//! Owns the calls that create them and the waits until they are ACTIVE. Reuses a table of an earlier run in the data
//! directory if it has the same keys. Must not read the template itself (see `template`), and must never change or
//! delete existing resources.

use std::error::Error;
use std::future::Future;
use std::time::Duration;

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, TableDescription, TableStatus,
    TimeToLiveSpecification, TimeToLiveStatus,
};
use aws_sdk_kinesis::types::{ScalingType, StreamDescriptionSummary, StreamStatus};
use tokio::time::Instant;

use crate::LocalAwsError;
use crate::template::{KeyAttribute, KeyKind, KeySchema, StreamSpec, TableSpec};

/// Poll interval for a stream or table that is being created.
const POLL_INTERVAL: Duration = Duration::from_millis(10);
/// A stream takes a few milliseconds, a table about 150; after this time, something is wrong.
const ACTIVE_WITHIN: Duration = Duration::from_secs(30);

/// Creates `stream` and waits until it is ACTIVE.
pub(crate) async fn create_stream(kinesis: &aws_sdk_kinesis::Client, stream: &StreamSpec) -> Result<(), LocalAwsError> {
    let name = &stream.name;
    let shards = i32::try_from(stream.shards).map_err(failed("CreateStream", name))?;
    kinesis.create_stream().stream_name(name).shard_count(shards).send().await.map_err(failed("CreateStream", name))?;

    until_active(name, || async { Ok(summary(kinesis, name).await?.stream_status == StreamStatus::Active) }).await
}

/// Doubles the number of open shards, or halves it (rounded up), and waits until the stream is ACTIVE again.
pub(crate) async fn reshard(kinesis: &aws_sdk_kinesis::Client, name: &str, split: bool) -> Result<(), LocalAwsError> {
    let open = summary(kinesis, name).await?.open_shard_count;
    let target = if split { open * 2 } else { open.div_euclid(2) + open % 2 };
    if target == open {
        return Ok(());
    }
    let call = kinesis.update_shard_count().stream_name(name).target_shard_count(target);
    call.scaling_type(ScalingType::UniformScaling).send().await.map_err(failed("UpdateShardCount", name))?;
    until_active(name, || async { Ok(summary(kinesis, name).await?.stream_status == StreamStatus::Active) }).await
}

async fn summary(kinesis: &aws_sdk_kinesis::Client, name: &str) -> Result<StreamDescriptionSummary, LocalAwsError> {
    const OPERATION: &str = "DescribeStreamSummary";
    let answer = kinesis.describe_stream_summary().stream_name(name).send().await.map_err(failed(OPERATION, name))?;
    answer.stream_description_summary.ok_or_else(|| failed(OPERATION, name)("the response contains no stream"))
}

/// Creates `table` with its TTL setting, or reuses the existing one, and waits until all are ACTIVE.
pub(crate) async fn create_table(dynamodb: &aws_sdk_dynamodb::Client, table: &TableSpec) -> Result<(), LocalAwsError> {
    let name = &table.name;
    let made = create_table_call(dynamodb, table)?.send().await;
    let was_there = match made {
        Ok(_) => false,
        Err(error) => {
            let exists = error.as_service_error().is_some_and(|it| it.is_resource_in_use_exception());
            if !exists {
                return Err(failed("CreateTable", name)(error));
            }
            true
        }
    };
    until_active(name, || async { Ok(is_active(&describe(dynamodb, name).await?)) }).await?;
    if was_there {
        check_keys(table, &describe(dynamodb, name).await?)?;
    }
    match &table.ttl_attribute {
        Some(attribute) => set_ttl(dynamodb, name, attribute).await,
        None => Ok(()),
    }
}

fn create_table_call(
    dynamodb: &aws_sdk_dynamodb::Client,
    table: &TableSpec,
) -> Result<aws_sdk_dynamodb::operation::create_table::builders::CreateTableFluentBuilder, LocalAwsError> {
    let failed = || failed("CreateTable", &table.name);
    let mut call = dynamodb
        .create_table()
        .table_name(&table.name)
        .billing_mode(BillingMode::PayPerRequest)
        .set_key_schema(Some(key_elements(&table.key).map_err(failed())?));

    for attribute in table.key.attributes() {
        let definition = AttributeDefinition::builder()
            .attribute_name(&attribute.name)
            .attribute_type(match attribute.kind {
                KeyKind::Text => ScalarAttributeType::S,
                KeyKind::Number => ScalarAttributeType::N,
                KeyKind::Binary => ScalarAttributeType::B,
            })
            .build();
        call = call.attribute_definitions(definition.map_err(failed())?);
    }
    Ok(call)
}

fn key_elements(key: &KeySchema) -> Result<Vec<KeySchemaElement>, aws_sdk_dynamodb::error::BuildError> {
    let element = |attribute: &KeyAttribute, key_type| {
        KeySchemaElement::builder().attribute_name(&attribute.name).key_type(key_type).build()
    };
    let sort = key.sort.iter().map(|sort| element(sort, KeyType::Range));
    std::iter::once(element(&key.partition, KeyType::Hash)).chain(sort).collect()
}

async fn describe(dynamodb: &aws_sdk_dynamodb::Client, name: &str) -> Result<TableDescription, LocalAwsError> {
    let answer = dynamodb.describe_table().table_name(name).send().await.map_err(failed("DescribeTable", name))?;
    answer.table.ok_or_else(|| failed("DescribeTable", name)("the response contains no table"))
}

fn is_active(table: &TableDescription) -> bool {
    table.table_status() == Some(&TableStatus::Active)
}

/// Tables of an earlier run may come from a different template; writing to them would fail later and elsewhere.
fn check_keys(wanted: &TableSpec, found: &TableDescription) -> Result<(), LocalAwsError> {
    let found_key = key_of(found.key_schema(), found.attribute_definitions());
    if found_key.as_ref() == Some(&wanted.key) {
        return Ok(());
    }
    Err(LocalAwsError::OtherKeys {
        table: wanted.name.clone(),
        found: format!("{found_key:?}"),
        wanted: format!("{:?}", wanted.key),
    })
}

fn key_of(elements: &[KeySchemaElement], definitions: &[AttributeDefinition]) -> Option<KeySchema> {
    let attribute = |key_type: &KeyType| {
        let element = elements.iter().find(|element| element.key_type() == key_type)?;
        let name = element.attribute_name();
        let definition = definitions.iter().find(|definition| definition.attribute_name() == name)?;
        let kind = match definition.attribute_type() {
            ScalarAttributeType::S => KeyKind::Text,
            ScalarAttributeType::N => KeyKind::Number,
            ScalarAttributeType::B => KeyKind::Binary,
            _ => return None,
        };
        Some(KeyAttribute { name: name.to_owned(), kind })
    };
    Some(KeySchema { partition: attribute(&KeyType::Hash)?, sort: attribute(&KeyType::Range) })
}

/// Enables TTL if it is disabled; enabling it a second time would be an error.
async fn set_ttl(dynamodb: &aws_sdk_dynamodb::Client, name: &str, attribute: &str) -> Result<(), LocalAwsError> {
    let answer =
        dynamodb.describe_time_to_live().table_name(name).send().await.map_err(failed("DescribeTimeToLive", name))?;
    let status = answer.time_to_live_description().and_then(|ttl| ttl.time_to_live_status());
    if status == Some(&TimeToLiveStatus::Enabled) {
        return Ok(());
    }
    let specification = TimeToLiveSpecification::builder()
        .attribute_name(attribute)
        .enabled(true)
        .build()
        .map_err(failed("UpdateTimeToLive", name))?;
    dynamodb
        .update_time_to_live()
        .table_name(name)
        .time_to_live_specification(specification)
        .send()
        .await
        .map_err(failed("UpdateTimeToLive", name))?;
    Ok(())
}

async fn until_active<F, R>(name: &str, is_active: F) -> Result<(), LocalAwsError>
where
    F: Fn() -> R,
    R: Future<Output = Result<bool, LocalAwsError>>,
{
    let deadline = Instant::now() + ACTIVE_WITHIN;
    while !is_active().await? {
        if Instant::now() >= deadline {
            return Err(LocalAwsError::NotActive { resource: name.to_owned(), seconds: ACTIVE_WITHIN.as_secs() });
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    Ok(())
}

/// Adds the call and the resource to an error.
fn failed<E>(operation: &'static str, resource: &str) -> impl FnOnce(E) -> LocalAwsError
where
    E: Into<Box<dyn Error + Send + Sync>>,
{
    let resource = resource.to_owned();
    move |source| LocalAwsError::Call { operation, resource, source: source.into() }
}
