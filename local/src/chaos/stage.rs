//! The functions of a run, under the adversary.

use std::convert::Infallible;

use aws_types::SdkConfig;
use kinesis_function::config::Settings;
use local_aws::event_source_mapping::Function;
use sessionizer_fn::config::Config;
use sessionizer_fn::handler::Sessionizer;
use shared::columns::declaration::SessionColumns;
use tokio::task::JoinHandle;

use crate::chaos::adversary::Adversary;
use crate::chaos::commits::Recorder;
use crate::chaos::mortal::{Mortal, Zombies};
use crate::chaos::script::RULE;
use crate::chaos::sweeper::sweep_at_any_time;
use crate::error::LocalError;
use crate::pipeline::{Pipeline, sessionizer_options};
use crate::staging::Staging;

/// The template's name of the table whose commits are recorded.
const STATE_LOG_TABLE: &str = "state-log";

/// Runs the functions under the adversary, and records their commits.
#[derive(Clone, Debug)]
pub(crate) struct Stage {
    pub(crate) adversary: Adversary,
    pub(crate) zombies: Zombies,
    /// The slots of the rings, if not as deployed.
    pub(crate) slots: Option<u64>,
    pub(crate) recorder: Recorder,
    /// The columns of the sessions.
    pub(crate) columns: SessionColumns,
}

impl Stage {
    /// The sessionizer's settings.
    pub(crate) fn config(&self, pipeline: &Pipeline) -> Result<Config, LocalError> {
        Config::from_variables(pipeline.environment().clone())
            .map_err(|source| LocalError::Config { function: "SessionizerFunction", source })
    }

    /// Sweeps in the background, at any time.
    pub(crate) fn sweep(&self, pipeline: &Pipeline) -> Result<JoinHandle<Infallible>, LocalError> {
        let config = self.config(pipeline)?;
        let options = sessionizer_options(&config, self.slots);
        let make = move |sdk: &SdkConfig| {
            let (dynamodb, kinesis) = (aws_sdk_dynamodb::Client::new(sdk), aws_sdk_kinesis::Client::new(sdk));
            Sessionizer::with_options(config.clone(), options, &dynamodb, &kinesis)
        };
        let sdk = self.client_config(pipeline.client_config());
        let function = Mortal::new(make, &sdk, self.adversary.clone(), self.zombies.clone());
        Ok(tokio::spawn(sweep_at_any_time(function, self.adversary.clone())))
    }
}

impl Staging for Stage {
    type Policy = Adversary;

    fn policy(&self) -> Adversary {
        self.adversary.clone()
    }

    fn client_config(&self, sdk: &SdkConfig) -> SdkConfig {
        self.recorder.recording(sdk, STATE_LOG_TABLE, RULE, self.columns.clone())
    }

    fn slots(&self) -> Option<u64> {
        self.slots
    }

    fn function<F: Function>(
        &self,
        sdk: &SdkConfig,
        make: impl Fn(&SdkConfig) -> F + Send + Sync + 'static,
    ) -> impl Function {
        Mortal::new(make, sdk, self.adversary.clone(), self.zombies.clone())
    }
}
