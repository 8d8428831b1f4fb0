//! Forgets users at any time, by commands whose calls fail and that die.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use kinesis_function::aws::with_sdk_retries;
use local_aws::faults::{Call, FaultyHttpClient};
use ops::config::TableNames;
use ops::error::OpsError;
use ops::forget::{Forget, Removed};
use ops::time_text::now_ms;
use shared::click_format::ClickFormat;
use shared::user_id::UserId;

use crate::chaos::adversary::Adversary;
use crate::chaos::fault_kind::FaultKind;
use crate::chaos::mortal::SPEED_OF_TIMEOUTS;
use crate::chaos::stage::Stage;
use crate::pipeline::Pipeline;
use crate::staging::Staging as _;

/// How long a command looks out for an item of session-state: longer than three statements that time out.
const SETTLING: Duration = Duration::from_secs(4);

/// Sends the commands, and notes how they end.
#[derive(Debug)]
pub(crate) struct Forgetter {
    /// Who may be forgotten.
    users: Vec<UserId>,
    tables: TableNames,
    faulty: Client,
    reliable: Client,
    adversary: Adversary,
    /// Whom a command has begun to forget.
    pub(crate) begun: BTreeSet<UserId>,
    /// Whom a command has not forgotten completely.
    owed: BTreeSet<UserId>,
}

impl Forgetter {
    /// Forgets some of these users of the pipeline.
    pub(crate) fn new(stage: &Stage, pipeline: &Pipeline, users: Vec<UserId>) -> Self {
        let sdk = with_sdk_retries(&stage.client_config(pipeline.client_config()));
        let adversary = stage.adversary.clone();
        let faulty = match sdk.http_client() {
            Some(http) => {
                let plan = adversary.clone();
                let http = FaultyHttpClient::new(http, move |call: &Call| plan.fault_for(call));
                local_aws::with_time_scaled(&sdk.to_builder().http_client(http).build(), SPEED_OF_TIMEOUTS)
            }
            None => sdk.clone(),
        };
        Self {
            users,
            tables: pipeline.table_names(),
            faulty: Client::new(&faulty),
            reliable: Client::new(&sdk),
            adversary,
            begun: BTreeSet::new(),
            owed: BTreeSet::new(),
        }
    }

    /// Forgets users until dropped.
    pub(crate) async fn forget_at_any_time(&mut self) -> Infallible {
        loop {
            let Some(user_id) = self.adversary.draw(|rng| rng.choice(&self.users).cloned()) else {
                std::future::pending().await
            };
            let (pause, life) = self.adversary.next_command();
            tokio::time::sleep(pause).await;
            self.adversary.count(FaultKind::Forget);
            self.begun.insert(user_id.clone());
            let is_first = self.owed.insert(user_id.clone());
            let ended = tokio::time::timeout(life, self.forget(&self.faulty, &user_id, SETTLING)).await;
            if is_first && matches!(ended, Ok(Ok(_))) {
                self.owed.remove(&user_id);
            }
        }
    }

    /// Forgets those completely whom a command has begun to forget, once nothing else writes and the sink has
    /// stored all that was published.
    ///
    /// # Errors
    /// If a command fails although no call does.
    pub(crate) async fn finish(&mut self) -> Result<(), String> {
        for user_id in std::mem::take(&mut self.owed) {
            self.forget(&self.reliable, &user_id, Duration::ZERO)
                .await
                .map_err(|error| format!("forget {user_id}: {error}"))?;
        }
        Ok(())
    }

    async fn forget(&self, dynamodb: &Client, user_id: &UserId, settling: Duration) -> Result<Removed, OpsError> {
        let format = ClickFormat::default();
        let forget = Forget {
            dynamodb,
            tables: &self.tables,
            user_id,
            format: &format,
            by_partition_key: false,
            stream_hours: 24,
            settling,
        };
        let found = forget.find(|_| ()).await?;
        forget.carry_out(&found, now_ms, |_, _| ()).await
    }
}
