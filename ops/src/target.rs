//! The account, region, endpoints, tables and streams that a command is about to read or change.

use std::fmt;

use aws_sdk_dynamodb::Client;
use aws_types::SdkConfig;
use aws_types::region::Region;
use aws_types::service_config::ServiceConfigKey;
use kinesis_function::call_error::CallError;

use crate::error::OpsError;
use crate::text_table::escaped;

/// What a command is about to read or change. Shown before the command makes any other call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target<const TABLES: usize> {
    /// The account that owns them: twelve digits, from the ARN of a table or a stream.
    pub account: String,
    /// The configured region.
    pub region: String,
    /// Services and their endpoints, in the order in which the command uses them.
    pub endpoints: Vec<(Service, Endpoint)>,
    /// The tables, in the order of the requested names.
    pub tables: [DescribedTable; TABLES],
    /// The streams, in the order of the requested names.
    pub streams: Vec<DescribedStream>,
}

/// A stream that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedStream {
    /// Its name.
    pub name: String,
    /// How long it keeps records, in hours.
    pub retention_hours: u64,
    /// How many shards take records.
    pub open_shards: u64,
}

/// A service that a command calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Stores the tables.
    DynamoDb,
    /// Stores the streams.
    Kinesis,
}

/// Where calls to a service are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// The default AWS endpoint of the region.
    OfAws,
    /// The URL in a variable.
    Url(String),
}

/// A table that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedTable {
    /// Its name.
    pub name: String,
    /// Approximate number of items: DynamoDB updates it about every six hours.
    pub items: u64,
}

impl<const TABLES: usize> Target<TABLES> {
    /// Describes the tables called `names`. `services` are those that the command calls.
    ///
    /// # Errors
    /// If a table does not exist or cannot be described.
    pub async fn of(
        sdk: &SdkConfig,
        dynamodb: &Client,
        services: &[Service],
        names: [&str; TABLES],
    ) -> Result<Self, OpsError> {
        let mut target = Self {
            account: UNKNOWN.to_owned(),
            region: sdk.region().map_or(UNKNOWN, Region::as_ref).to_owned(),
            endpoints: services.iter().map(|service| (*service, Endpoint::of(sdk, *service))).collect(),
            tables: names.map(|name| DescribedTable { name: name.to_owned(), items: 0 }),
            streams: Vec::new(),
        };
        for table in &mut target.tables {
            let answer = dynamodb.describe_table().table_name(&table.name).send().await;
            let failed = |error| OpsError::of_table(&table.name)(CallError::of("DescribeTable", &error));
            let Some(description) = answer.map_err(failed)?.table else { continue };
            if let Some(account) = description.table_arn().and_then(account_of) {
                account.clone_into(&mut target.account);
            }
            table.items = description.item_count().and_then(|count| u64::try_from(count).ok()).unwrap_or_default();
        }
        Ok(target)
    }

    /// The same target with the streams called `names`.
    ///
    /// # Errors
    /// If a stream does not exist or cannot be described.
    pub async fn with_streams(mut self, kinesis: &aws_sdk_kinesis::Client, names: &[&str]) -> Result<Self, OpsError> {
        for name in names {
            let answer = kinesis.describe_stream_summary().stream_name(*name).send().await;
            let failed = |error| OpsError::of_stream(name)(CallError::of("DescribeStreamSummary", &error));
            let Some(summary) = answer.map_err(failed)?.stream_description_summary else { continue };
            if let Some(account) = account_of(&summary.stream_arn) {
                account.clone_into(&mut self.account);
            }
            let retention_hours = u64::try_from(summary.retention_period_hours).unwrap_or_default();
            let open_shards = u64::try_from(summary.open_shard_count).unwrap_or_default();
            self.streams.push(DescribedStream { name: (*name).to_owned(), retention_hours, open_shards });
        }
        Ok(self)
    }
}

/// Shown for a fact that is neither in the response nor in the configuration.
const UNKNOWN: &str = "unknown";

/// The account in `arn:PARTITION:dynamodb:REGION:ACCOUNT:table/NAME`, or in a stream's ARN.
fn account_of(arn: &str) -> Option<&str> {
    arn.split(':').nth(4).filter(|account| !account.is_empty())
}

impl Endpoint {
    fn of(sdk: &SdkConfig, service: Service) -> Self {
        let key = ServiceConfigKey::builder();
        let key = key.service_id(service.id()).env("AWS_ENDPOINT_URL").profile("endpoint_url").build();
        let url = key.ok().and_then(|key| sdk.service_config()?.load_config(key));
        url.map_or(Self::OfAws, Self::Url)
    }
}

impl Service {
    /// The SDK's name of the service.
    fn id(self) -> &'static str {
        match self {
            Self::DynamoDb => "DynamoDB",
            Self::Kinesis => "Kinesis",
        }
    }
}

impl<const TABLES: usize> fmt::Display for Target<TABLES> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "account {}, region {}", escaped(&self.account), escaped(&self.region))?;
        for (service, endpoint) in &self.endpoints {
            match endpoint {
                Endpoint::OfAws => writeln!(f, "{} at the default AWS endpoint", service.id())?,
                Endpoint::Url(url) => writeln!(f, "{} at {}", service.id(), escaped(url))?,
            }
        }
        let tables: Vec<_> = self.tables.iter().map(|table| escaped(&table.name)).collect();
        let streams: Vec<_> = self.streams.iter().map(|stream| escaped(&stream.name)).collect();
        let mut separator = "";
        for (kind, names) in [("table", tables), ("stream", streams)] {
            if !names.is_empty() {
                let plural = if names.len() == 1 { "" } else { "s" };
                write!(f, "{separator}{kind}{plural} {}", names.join(", "))?;
                separator = "\n";
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_is_the_fifth_part_of_an_arn_in_every_partition() {
        assert_eq!(account_of("arn:aws:dynamodb:eu-central-1:123456789012:table/sessions"), Some("123456789012"));
        assert_eq!(account_of("arn:aws-cn:dynamodb:cn-north-1:210987654321:table/sessions"), Some("210987654321"));
        assert_eq!(account_of("arn:aws:dynamodb:eu-central-1::table/sessions"), None);
        assert_eq!(account_of("sessions"), None);
    }

    #[test]
    fn target_names_account_region_endpoints_and_tables() {
        let sdk = |extra: &[(&str, &str)]| {
            let variables = [("AWS_REGION", "eu-west-1"), ("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "s")];
            let variables = variables.iter().chain(extra).map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
            kinesis_function::aws::sdk_config(variables).ok()
        };
        let at = |extra: &[(&str, &str)], service| sdk(extra).map(|sdk| Endpoint::of(&sdk, service));
        let kinesis_only = [("AWS_ENDPOINT_URL_KINESIS", "http://127.0.0.1:4567")];
        let url = Endpoint::Url("http://127.0.0.1:4567".to_owned());
        assert_eq!(at(&kinesis_only, Service::Kinesis), Some(url.clone()));
        assert_eq!(at(&kinesis_only, Service::DynamoDb), Some(Endpoint::OfAws));
        assert_eq!(at(&[("AWS_ENDPOINT_URL", "http://127.0.0.1:4567")], Service::DynamoDb), Some(url.clone()));

        let expected = "account 123456789012, region eu-west-1\nDynamoDB at the default AWS endpoint\n\
                        Kinesis at http://127.0.0.1:4567\n";
        let endpoints = [(Service::DynamoDb, Endpoint::OfAws), (Service::Kinesis, url)];
        assert_eq!(target(&endpoints, ["rejected-records"]), format!("{expected}table rejected-records"));
        assert_eq!(target(&endpoints, ["sessions", "s"]), format!("{expected}tables sessions, s"));
        let stream = |name: &str| DescribedStream { name: name.to_owned(), retention_hours: 24, open_shards: 4 };
        let streams = vec![stream("session-stream"), stream("click-stream")];
        let both = Target { streams: streams.clone(), ..described(&endpoints, ["sessions"]) };
        assert_eq!(both.to_string(), format!("{expected}table sessions\nstreams session-stream, click-stream"));
        let alone = Target { streams: streams[..1].to_vec(), ..described(&endpoints, []) };
        assert_eq!(alone.to_string(), format!("{expected}stream session-stream"));
    }

    fn target<const TABLES: usize>(endpoints: &[(Service, Endpoint)], names: [&str; TABLES]) -> String {
        described(endpoints, names).to_string()
    }

    fn described<const TABLES: usize>(endpoints: &[(Service, Endpoint)], names: [&str; TABLES]) -> Target<TABLES> {
        Target {
            account: "123456789012".to_owned(),
            region: "eu-west-1".to_owned(),
            endpoints: endpoints.to_vec(),
            tables: names.map(|name| DescribedTable { name: name.to_owned(), items: 7 }),
            streams: Vec::new(),
        }
    }
}
