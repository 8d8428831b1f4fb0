//! How the functions of a pipeline are run: as Lambda runs them as a rule, or with more that can happen to them.

use aws_types::SdkConfig;
use local_aws::event_source_mapping::{DeliveryPolicy, Function, LikeLambda};

/// Chooses where batches are cut, what is delivered again, and what becomes of invocations and their calls.
pub trait Staging {
    /// The choice of batches.
    type Policy: DeliveryPolicy + Clone;

    /// Where batches are cut and what is delivered again.
    fn policy(&self) -> Self::Policy;

    /// The function to invoke; `make` makes one whose clients come from the configuration it is given.
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
