//! The settings of a trial, and the functions under them.

use aws_sdk_dynamodb::Client;
use aws_types::SdkConfig;
use kinesis_function::config::Settings;
use local::chaos::columns::click_format;
use local_aws::faults::{Call, Fault, FaultyHttpClient};
use local_aws::with_time_scaled;
use sessionizer_fn::bucket::bounds::Bounds;
use sessionizer_fn::environment::Options;
use sessionizer_fn::handler::Sessionizer;
use shared::click_format::ClickFormat;
use shared::session::SessionGap;
use shared::session_cut::SessionCut;
use shared::session_window::WindowRule;
use sink_fn::handler::Sink;

use crate::world::World;

/// How much faster than the clock the time-outs of calls run: a call without a response fails after half a second.
pub const SPEED_OF_TIMEOUTS: f64 = 10.0;

/// The memory of the sessionizer's environments, in MB: the least that Lambda grants.
pub const MEMORY_MB: u64 = 128;

/// The settings that decide about the state log.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    pub slots: u64,
    pub buckets: u32,
    pub gap_seconds: u64,
    /// The offset of the midnights that cut sessions, in minutes.
    pub cut_offset_minutes: Option<i64>,
    pub lateness_seconds: u64,
    /// At most half of the lateness.
    pub skew_seconds: u64,
    pub grace_seconds: u64,
    /// Whether commits have room for little, so that batches need several, and users leave ahead of time.
    pub is_cramped: bool,
    /// The declaration of the sessions' columns.
    pub columns: &'static str,
}

/// The template's settings, but with one bucket and the smallest ring.
pub const USUAL: Setup = Setup {
    slots: 3,
    buckets: 1,
    gap_seconds: 10,
    cut_offset_minutes: None,
    lateness_seconds: 3_600,
    skew_seconds: 900,
    grace_seconds: 10,
    is_cramped: false,
    columns: "",
};

impl Setup {
    pub fn rule(self) -> WindowRule {
        WindowRule {
            gap: SessionGap::from_ms(self.gap_seconds * 1_000),
            lateness_ms: self.lateness_seconds * 1_000,
            cut: self.cut_offset_minutes.map_or(SessionCut::None, SessionCut::daily),
        }
    }

    pub fn click_format(self) -> ClickFormat {
        click_format(self.columns)
    }

    fn options(self, config: &sessionizer_fn::config::Config) -> Options {
        let options = Options::from(config);
        let bounds = Bounds::new(self.slots, self.buckets, options.memory_bytes);
        let cramped =
            Bounds { changed_bytes: 1_500, repeated_bytes: 8_000, users: 2, leaving: 2, live_bytes: 3_000, ..bounds };
        Options { slots: self.slots, bounds: if self.is_cramped { cramped } else { bounds }, ..options }
    }
}

/// A sessionizer that knows nothing yet, whose commits are recorded, with faults from `plan` and time-outs that run
/// `speed` times as fast.
pub fn sessionizer(
    world: &World,
    setup: Setup,
    speed: f64,
    plan: impl FnMut(&Call) -> Fault + Send + 'static,
) -> Sessionizer {
    let mut variables = world.sessionizer.clone();
    let numbers = [
        ("STATE_BUCKETS", u64::from(setup.buckets)),
        ("SESSION_GAP_SECONDS", setup.gap_seconds),
        ("ALLOWED_LATENESS_SECONDS", setup.lateness_seconds),
        ("MAX_CLOCK_SKEW_SECONDS", setup.skew_seconds),
        ("CLOSE_GRACE_SECONDS", setup.grace_seconds),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", MEMORY_MB),
    ];
    variables.extend(numbers.map(|(name, value)| (name.to_owned(), value.to_string())));
    variables.insert("SESSION_COLUMNS".to_owned(), setup.columns.to_owned());
    if let Some(minutes) = setup.cut_offset_minutes {
        let cut = [("SESSION_CUT", "daily".to_owned()), ("SESSION_CUT_OFFSET_MINUTES", minutes.to_string())];
        variables.extend(cut.map(|(name, value)| (name.to_owned(), value)));
    }
    let config = sessionizer_fn::config::Config::from_variables(variables).unwrap();
    let columns = config.click_format.columns().clone();
    let sdk = world.recorder.recording(world.sdk(), &config.state_log_table, setup.rule(), columns);
    let sdk = faulty(&sdk, speed, plan);
    let (dynamodb, kinesis) = (Client::new(&sdk), aws_sdk_kinesis::Client::new(&sdk));
    let options = setup.options(&config);
    Sessionizer::with_options(config, options, &dynamodb, &kinesis)
}

/// A client of an operator's `sessionctl`, whose commits are recorded.
pub fn operator(world: &World, setup: Setup, plan: impl FnMut(&Call) -> Fault + Send + 'static) -> Client {
    let columns = setup.click_format().columns().clone();
    let sdk = world.recorder.recording(world.sdk(), "state-log", setup.rule(), columns);
    Client::new(&faulty(&sdk, SPEED_OF_TIMEOUTS, plan))
}

pub fn sink(world: &World, setup: Setup, plan: impl FnMut(&Call) -> Fault + Send + 'static) -> Sink {
    let mut variables = world.sink.clone();
    variables.insert("SESSION_COLUMNS".to_owned(), setup.columns.to_owned());
    let config = sink_fn::config::Config::from_variables(variables).unwrap();
    Sink::new(config, &Client::new(&faulty(world.sdk(), SPEED_OF_TIMEOUTS, plan)))
}

fn faulty(sdk: &SdkConfig, speed: f64, plan: impl FnMut(&Call) -> Fault + Send + 'static) -> SdkConfig {
    let http = FaultyHttpClient::new(sdk.http_client().unwrap(), plan);
    with_time_scaled(&sdk.to_builder().http_client(http).build(), speed)
}
