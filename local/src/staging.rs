//! How the functions of a pipeline are run: as Lambda usually runs them, or with injected faults.

use aws_types::SdkConfig;
use local_aws::event_source_mapping::{DeliveryPolicy, Function, LikeLambda};

/// Decides how batches are split, what is redelivered, and what happens to invocations and their calls.
pub trait Staging {
    /// The type of [`Self::policy`].
    type Policy: DeliveryPolicy + Clone;

    /// Decides how batches are split and what is redelivered.
    fn policy(&self) -> Self::Policy;

    /// The configuration of the functions' clients, made from that of the embedded services.
    fn client_config(&self, sdk: &SdkConfig) -> SdkConfig {
        sdk.clone()
    }

    /// The slots of each bucket's ring, if not as deployed.
    fn slots(&self) -> Option<u64> {
        None
    }

    /// The function to invoke. `make` creates one with clients from the given configuration.
    fn function<F: Function>(
        &self,
        sdk: &SdkConfig,
        make: impl Fn(&SdkConfig) -> F + Send + Sync + 'static,
    ) -> impl Function;
}

impl Staging for LikeLambda {
    type Policy = Self;

    fn policy(&self) -> Self {
        *self
    }

    fn function<F: Function>(
        &self,
        sdk: &SdkConfig,
        make: impl Fn(&SdkConfig) -> F + Send + Sync + 'static,
    ) -> impl Function {
        make(sdk)
    }
}
