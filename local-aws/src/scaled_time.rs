//! A clock for the SDK's time-outs that runs faster or slower than the wall clock.
//!
//! Tests keep the deployed time-outs, and only the time they take is scaled: a call without a response costs a test a
//! fraction of a second.

use std::time::Duration;

use aws_sdk_kinesis::config::{AsyncSleep, SharedAsyncSleep, Sleep};
use aws_types::SdkConfig;

#[derive(Debug)]
struct ScaledTime {
    speed: f64,
}

impl AsyncSleep for ScaledTime {
    fn sleep(&self, duration: Duration) -> Sleep {
        Sleep::new(tokio::time::sleep(duration.div_f64(self.speed)))
    }
}

/// `sdk` with time-outs that run `speed` times as fast; a `speed` below 1 slows them down.
#[must_use]
pub fn with_time_scaled(sdk: &SdkConfig, speed: f64) -> SdkConfig {
    sdk.to_builder().sleep_impl(SharedAsyncSleep::new(ScaledTime { speed })).build()
}
