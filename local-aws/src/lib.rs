//! DynamoDB and Kinesis in this process, with the streams and tables of template.yaml.
//!
//! For local runs without an AWS account, and for tests of the functions against services that behave like the real
//! ones. In order of use: `template` reads the resources, `dynamodb_server` and `kinesis_server` start the services,
//! `clients` connects to them, `resources` creates the template's resources, and `event_source_mapping` invokes a
//! function with a stream's records. `aggregated_record`, `hand_made_event`, `direct_invocation`, `failed_start`, `faults`,
//! `observed`, `partition_limits`, `scaled_time` and `captured_logs` are for tests and measurements. This crate never calls an AWS
//! account and contains no pipeline logic.

mod aggregated_record;
mod captured_logs;
mod clients;
mod direct_invocation;
pub mod dynamodb_server;
mod error;
pub mod event_source_mapping;
pub mod failed_start;
pub mod faults;
mod hand_made_event;
pub mod kinesis_server;
pub mod observed;
pub mod partition_limits;
mod resources;
mod running_server;
mod scaled_time;
pub mod template;

use std::path::PathBuf;

use aws_types::SdkConfig;

pub use aggregated_record::aggregated_record;
pub use captured_logs::CapturedLogs;
pub use direct_invocation::{invoke, redelivered_from};
pub use dynamodb_server::DynamoDbServer;
pub use error::LocalAwsError;
pub use hand_made_event::{HandMadeRecord, hand_made_event};
pub use kinesis_server::{KinesisServer, KinesisServerOptions};
pub use scaled_time::with_time_scaled;
pub use template::{Template, TemplateError};

/// How to start the embedded services. The default keeps everything in memory and applies the limits of AWS.
#[derive(Debug, Clone, Default)]
pub struct LocalAwsOptions {
    /// Folder that keeps the tables from one run to the next; `None` keeps them in memory. Streams are always in
    /// memory.
    pub data_dir: Option<PathBuf>,
    /// How Kinesis behaves.
    pub kinesis: KinesisServerOptions,
}

/// Both services, running until this value is dropped.
#[derive(Debug)]
pub struct LocalAws {
    dynamodb_server: DynamoDbServer,
    kinesis_server: KinesisServer,
    client_config: SdkConfig,
    dynamodb: aws_sdk_dynamodb::Client,
    kinesis: aws_sdk_kinesis::Client,
}

impl LocalAws {
    /// Starts both services without streams and, unless the data directory contains some, without tables. Takes a few
    /// milliseconds, and up to a second more if the data directory was used before.
    ///
    /// # Errors
    /// If the data directory cannot be used or no loopback port can be bound.
    pub async fn start(options: LocalAwsOptions) -> Result<Self, LocalAwsError> {
        let continues = options.data_dir.as_deref().is_some_and(DynamoDbServer::has_data);
        let dynamodb_server = DynamoDbServer::start(options.data_dir.as_deref()).await?;
        if continues {
            kinesis_server::until_sequence_numbers_are_higher().await;
        }
        let kinesis_server = KinesisServer::start_with(options.kinesis).await?;
        let client_config = clients::client_config(dynamodb_server.url(), kinesis_server.url())?;
        Ok(Self {
            dynamodb: aws_sdk_dynamodb::Client::new(&client_config),
            kinesis: aws_sdk_kinesis::Client::new(&client_config),
            dynamodb_server,
            kinesis_server,
            client_config,
        })
    }

    /// Creates the streams, tables and TTL settings of `template` and waits until all are ACTIVE. Each stream
    /// gets `shards` open shards; `None` uses the template's number. A table of an earlier run in the data directory is
    /// kept unchanged.
    ///
    /// # Errors
    /// If a stream already exists, a table exists with different keys, or a service returns an error.
    pub async fn create_resources(&self, template: &Template, shards: Option<u32>) -> Result<(), LocalAwsError> {
        for stream in template.streams() {
            let mut stream = stream.clone();
            stream.shards = shards.unwrap_or(stream.shards);
            resources::create_stream(&self.kinesis, &stream).await?;
        }
        for table in template.tables() {
            resources::create_table(&self.dynamodb, table).await?;
        }
        Ok(())
    }

    /// Splits every open shard of the stream called `stream` in two, or merges them two by two (a stream with one shard
    /// stays as it is), and waits until it is ACTIVE.
    ///
    /// # Errors
    /// If Kinesis returns an error.
    pub async fn reshard(&self, stream: &str, split: bool) -> Result<(), LocalAwsError> {
        resources::reshard(&self.kinesis, stream, split).await
    }

    /// DynamoDB's URL, `http://127.0.0.1:PORT`.
    pub fn dynamodb_url(&self) -> String {
        self.dynamodb_server.url()
    }

    /// Kinesis' URL, `http://127.0.0.1:PORT`.
    pub fn kinesis_url(&self) -> String {
        self.kinesis_server.url()
    }

    /// A client of DynamoDB. Clones share their connections.
    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        self.dynamodb.clone()
    }

    /// A client of Kinesis. Clones share their connections.
    pub fn kinesis(&self) -> aws_sdk_kinesis::Client {
        self.kinesis.clone()
    }

    /// The configuration of both clients, for further clients with other settings. It contains the endpoints of both
    /// services.
    pub fn client_config(&self) -> &SdkConfig {
        &self.client_config
    }

    /// Stops both services and waits until their ports are free and all tables are in the database file.
    pub async fn stop(self) {
        self.kinesis_server.stop().await;
        self.dynamodb_server.stop().await;
    }
}
