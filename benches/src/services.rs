//! The embedded services in their own process, so that their CPU time does not count as the functions'.
//!
//! The child is this program itself. It prints its URLs and exits when its standard input is closed, so at the latest
//! when its parent exits.

use std::collections::BTreeMap;
use std::process::Stdio;

use local_aws::{KinesisServerOptions, LocalAws, LocalAwsOptions, Template};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::error::BenchError;

/// Shards of each stream.
pub const SHARDS: u32 = 4;

/// The URLs of the services.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Urls {
    /// DynamoDB's URL.
    pub dynamodb: String,
    /// Kinesis' URL.
    pub kinesis: String,
}

/// The services' process. It ends with this value.
#[derive(Debug)]
pub struct Services {
    child: Child,
    /// Their URLs.
    pub urls: Urls,
}

impl Services {
    /// Starts them with the streams and tables of the template.
    ///
    /// # Errors
    /// If this program cannot be started again or does not print its URLs.
    pub async fn start() -> Result<Self, BenchError> {
        let program = std::env::current_exe().map_err(BenchError::process("finding this program's file"))?;
        let mut child = Command::new(program)
            .arg("serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(BenchError::process("starting the services' process"))?;
        let output =
            child.stdout.take().ok_or_else(|| BenchError::failed("the services' process has no standard output"))?;
        let line = BufReader::new(output).lines().next_line().await;
        let line = line.map_err(BenchError::process("reading the services' URLs"))?.unwrap_or_default();
        let urls = serde_json::from_str(&line).map_err(|_| BenchError::Answer(line))?;
        Ok(Self { child, urls })
    }

    /// The variables of both functions, and those that point the AWS SDK to these services only.
    ///
    /// # Errors
    /// If the template cannot be read.
    pub fn variables(&self) -> Result<BTreeMap<String, String>, BenchError> {
        let template = Template::of_this_project()?;
        let mut variables = BTreeMap::new();
        for function in ["SessionizerFunction", "SinkFunction"] {
            variables.extend(template.function(function)?.environment.clone());
        }
        let sdk = [
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "local"),
            ("AWS_SECRET_ACCESS_KEY", "local"),
            ("AWS_ENDPOINT_URL_DYNAMODB", &self.urls.dynamodb),
            ("AWS_ENDPOINT_URL_KINESIS", &self.urls.kinesis),
        ];
        variables.extend(sdk.map(|(name, value)| (name.to_owned(), value.to_owned())));
        Ok(variables)
    }

    /// Sets [`Services::variables`] for a process.
    ///
    /// # Errors
    /// If the template cannot be read.
    pub fn environment(&self, command: &mut Command) -> Result<(), BenchError> {
        command.envs(self.variables()?);
        Ok(())
    }

    /// Stops the process and waits for it to exit.
    ///
    /// # Errors
    /// If waiting for it fails.
    pub async fn stop(mut self) -> Result<(), BenchError> {
        drop(self.child.stdin.take());
        self.child.wait().await.map_err(BenchError::process("waiting for the services' process"))?;
        Ok(())
    }
}

/// The main function of the child: runs the services until its standard input is closed.
///
/// # Errors
/// If they cannot be started.
pub async fn serve() -> Result<(), BenchError> {
    // A shard's limits would prolong a run without changing its cost.
    let kinesis = KinesisServerOptions { enforce_limits: false };
    let embedded = LocalAws::start(LocalAwsOptions { kinesis, ..LocalAwsOptions::default() }).await?;
    embedded.create_resources(&Template::of_this_project()?, Some(SHARDS)).await?;
    println!(
        "{}",
        serde_json::to_string(&Urls { dynamodb: embedded.dynamodb_url(), kinesis: embedded.kinesis_url() })?
    );
    let mut nothing = Vec::new();
    tokio::io::stdin().read_to_end(&mut nothing).await.map_err(BenchError::process("waiting for the end"))?;
    embedded.stop().await;
    Ok(())
}
