//! Keeps the whole pipeline up, for the AWS CLI, `cargo lambda` and whatever else speaks to AWS.
//!
//! What is put into click-stream comes out as sessions, as on AWS; boundaries are shown as they land. Nothing is
//! listened to but loopback ports that the system picks: the exports say which.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;

use crate::boundary_line::boundary_line;
use crate::boundary_writer::{on_a_thread, outcome};
use crate::error::LocalError;
use crate::output::Output;
use crate::pipeline::{Options, Pipeline};

/// What to keep up.
#[derive(Clone, Debug, Default)]
pub struct Serve {
    /// Where to write the exports besides standard output, for a shell to read in.
    pub exports: Option<PathBuf>,
    /// What differs from template.yaml.
    pub options: Options,
}

/// Serves until `stop` is there, and says on standard output what to export and what is published.
///
/// # Errors
/// When the pipeline cannot be started, the exports cannot be written, or an event source mapping ends.
pub async fn serve(serve: Serve, stop: impl Future<Output = ()>) -> Result<(), LocalError> {
    let output = serve.exports.as_ref().map(|path| Output::open("--exports", path)).transpose()?;
    let pipeline = Pipeline::start(serve.options).await?;
    let exports = exports(&pipeline);
    if let Some(mut output) = output {
        output.start()?;
        exports.iter().try_for_each(|line| output.writer().write_line(line.as_bytes()))?;
        output.finish()?;
    }
    let exports = exports.join("\n");
    writeln!(io::stdout(), "The pipeline is up. In another terminal:\n\n{exports}\n\n{NEXT}\n")
        .map_err(LocalError::Stdout)?;
    // On a thread: a terminal that is stopped, or that nobody reads, must not keep Ctrl-C from being noticed.
    let (tap, batches) = pipeline.tap_boundaries()?;
    let show = |batch: Vec<Vec<u8>>| {
        let mut stdout = io::stdout().lock();
        let mut lines = batch.iter().map(|boundary| boundary_line(boundary));
        lines.try_for_each(|line| writeln!(stdout, "{line}")).map_err(LocalError::Stdout)
    };
    let mut showing = on_a_thread(batches, show)?;
    let (clicks, boundaries) = (pipeline.clicks(), pipeline.boundaries());
    // More records than there will ever be: these end when a mapping does, and with its error.
    let (sessionizer, sink) = (clicks.wait_until_done(u64::MAX), boundaries.wait_until_done(u64::MAX));
    tokio::pin!(stop, sessionizer, sink);
    loop {
        tokio::select! {
            () = &mut stop => break,
            ended = &mut sessionizer => drop(ended?),
            ended = &mut sink => drop(ended?),
            shown = outcome(&mut showing) => {
                tap.stop().await?; // if the tap has ended, this says why
                shown?;
                break;
            }
        }
    }
    pipeline.stop().await
}

const NEXT: &str = "\
echo '{\"user_id\":\"user7\",\"event_timestamp\":\"1721390000000\",\"event_name\":\"search\"}' |
    aws kinesis put-record --stream-name click-stream --partition-key user7 --data fileb:///dev/stdin
cargo lambda watch                # compiles at the first call; in a third terminal, with the same exports:
cargo lambda invoke sessionizer-fn --data-file events/clicks.json
cargo run -p ops -- tables

Ctrl-C ends it. Boundaries, as they land:";

/// The variables that lead a client here and name the tables and streams, as a shell's `export` lines.
fn exports(pipeline: &Pipeline) -> Vec<String> {
    let [dynamodb, kinesis] = pipeline.endpoint_urls();
    let endpoints = [
        ("AWS_ENDPOINT_URL_DYNAMODB", dynamodb.as_str()),
        ("AWS_ENDPOINT_URL_KINESIS", kinesis.as_str()),
        ("AWS_REGION", "us-east-1"),
        ("AWS_DEFAULT_REGION", "us-east-1"), // the AWS CLI's name for it
        // The embedded services check that a request is signed, not by whom.
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
    ];
    let mut variables: BTreeMap<_, _> = pipeline.environment().iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    variables.extend(endpoints);
    variables.into_iter().map(|(name, value)| format!("export {name}={value}")).collect()
}
