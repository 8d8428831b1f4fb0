//! Configures logging to standard output from Lambda's own variables.
//!
//! `AWS_LAMBDA_LOG_LEVEL` sets the level of this project's crates. Libraries stay at INFO: at DEBUG, the HTTP and TLS
//! stacks and the SDK write hundreds of lines per call, and the SDK's lines contain requests. To see them, set
//! `RUST_LOG` (for example `info,hyper=debug`), which overrides everything else.

use std::env;
use std::str::FromStr;

use lambda_runtime::tracing::subscriber::filter::{LevelFilter, Targets};
use lambda_runtime::tracing::subscriber::fmt::MakeWriter;
use lambda_runtime::tracing::subscriber::prelude::*;
use lambda_runtime::tracing::subscriber::{fmt, registry};
use tracing::Subscriber;

/// The crates to which `AWS_LAMBDA_LOG_LEVEL` applies.
const OWN_CRATES: [&str; 4] = ["shared", "kinesis_function", "sessionizer_fn", "sink_fn"];

/// Installs the global subscriber, which writes to standard output, as JSON if `AWS_LAMBDA_LOG_FORMAT` is `JSON`.
pub fn init() {
    let variable = |name: &str| env::var(name).ok();
    let json = variable("AWS_LAMBDA_LOG_FORMAT").is_some_and(|format| format.eq_ignore_ascii_case("json"));
    let (level, directives) = (variable("AWS_LAMBDA_LOG_LEVEL"), variable("RUST_LOG"));
    let (level, directives) = (level.as_deref(), directives.as_deref());
    // Fails only if a subscriber is already installed, which then takes precedence.
    let _ = if json {
        tracing::subscriber::set_global_default(json_lines_to(std::io::stdout, level, directives))
    } else {
        let lines = fmt::layer().with_target(false).without_time();
        tracing::subscriber::set_global_default(registry().with(lines).with(filter(level, directives)))
    };
}

/// A subscriber that writes JSON lines to `writer`. `level` applies to this project's crates (default INFO);
/// `directives`, in the syntax of `RUST_LOG`, override it.
pub fn json_lines_to<W>(writer: W, level: Option<&str>, directives: Option<&str>) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = fmt::layer().json().with_target(false).without_time().with_writer(writer);
    registry().with(lines).with(filter(level, directives))
}

fn filter(level: Option<&str>, directives: Option<&str>) -> Targets {
    if let Some(targets) = directives.and_then(|directives| Targets::from_str(directives).ok()) {
        return targets;
    }
    let level = level.and_then(|level| LevelFilter::from_str(level).ok()).unwrap_or(LevelFilter::INFO);
    let libraries = level.min(LevelFilter::INFO);
    Targets::new().with_default(libraries).with_targets(OWN_CRATES.map(|name| (name, level)))
}

/// The lines that `work` logs at level INFO.
#[cfg(test)]
pub(crate) fn captured(work: impl FnOnce()) -> Vec<serde_json::Value> {
    tests::captured_at("INFO", work)
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex, PoisonError};

    use super::*;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Serializes captures: tracing caches for all threads whether a callsite is enabled.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

    pub(super) fn captured_at(level: &str, work: impl FnOnce()) -> Vec<serde_json::Value> {
        let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let subscriber = json_lines_to(move || writer.clone(), Some(level), None);
        tracing::subscriber::with_default(subscriber, work);
        let bytes = buffer.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn chatter() {
        tracing::debug!(target: "hyper::client", "a library's detail");
        tracing::debug!(target: "aws_smithy_runtime", "a request with a user's id");
        tracing::info!(target: "rustls", "a library's news");
        tracing::debug!(target: "sessionizer_fn::handler", "a detail of ours");
        tracing::warn!(target: "sink_fn::handler", "a warning of ours");
    }

    fn messages(level: &str) -> Vec<String> {
        let lines = captured_at(level, chatter);
        lines.iter().map(|line| line["fields"]["message"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn log_level_applies_to_this_projects_crates_and_libraries_stay_at_info() {
        assert_eq!(messages("DEBUG"), ["a library's news", "a detail of ours", "a warning of ours"]);
        assert_eq!(messages("INFO"), ["a library's news", "a warning of ours"]);
        assert_eq!(messages("WARN"), ["a warning of ours"]);
    }

    #[test]
    fn rust_log_overrides_the_log_level() {
        let targets = filter(Some("INFO"), Some("warn,hyper=debug"));
        assert!(targets.would_enable("hyper::client", &tracing::Level::DEBUG));
        assert!(!targets.would_enable("sink_fn", &tracing::Level::INFO));
    }
}
