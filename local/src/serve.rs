//! Runs the whole pipeline for the AWS CLI, `cargo lambda` and any other AWS client.
//!
//! As on AWS, clicks put into click-stream become sessions; boundaries are printed as they are published, and drawn on
//! the live page. It listens only on loopback ports that the operating system picks; it prints the address of the page,
//! and the exports contain the others.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;

use crate::boundary_line::boundary_line;
use crate::boundary_writer::{on_a_thread, outcome};
use crate::error::LocalError;
use crate::output::Output;
use crate::page::LivePage;
use crate::pipeline::{Options, Pipeline};

/// The settings of `serve`.
#[derive(Clone, Debug, Default)]
pub struct Serve {
    /// File to write the exports to, in addition to standard output, for a shell to source.
    pub exports: Option<PathBuf>,
    /// Settings that override template.yaml.
    pub options: Options,
}

/// Serves until `stop` resolves. Prints the page's address, the exports, and boundaries as they are published, to standard output.
///
/// # Errors
/// If the pipeline cannot be started, the exports cannot be written, or an event source mapping ends.
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
    let page = LivePage::bind().await?;
    let url = page.url();
    writeln!(
        io::stdout(),
        "The pipeline is up. Watch it in a browser:\n\n  {url}\n\nOr use it from another terminal:\n\n{exports}\n\n{NEXT}\n"
    )
    .map_err(LocalError::Stdout)?;
    // On a thread, because a stopped terminal or an unread pipe must not block the handling of Ctrl-C.
    let (tap, batches) = pipeline.tap_boundaries()?;
    let show = |batch: Vec<Vec<u8>>| {
        let mut stdout = io::stdout().lock();
        let mut lines = batch.iter().map(|boundary| boundary_line(boundary));
        lines.try_for_each(|line| writeln!(stdout, "{line}")).map_err(LocalError::Stdout)
    };
    let mut showing = on_a_thread(batches, show)?;
    let (clicks, boundaries) = (pipeline.clicks(), pipeline.boundaries());
    // More records than there can be: these resolve only when a mapping ends, with its error.
    let (sessionizer, sink) = (clicks.wait_until_done(u64::MAX), boundaries.wait_until_done(u64::MAX));
    let sweeps = pipeline.sweeps.clone().repeat();
    let mut page = Box::pin(page.run(&pipeline));
    tokio::pin!(stop, sessionizer, sink, sweeps);
    loop {
        tokio::select! {
            () = &mut stop => break,
            ended = &mut sessionizer => drop(ended?),
            ended = &mut sink => drop(ended?),
            never = &mut sweeps => match never {},
            ended = &mut page => match ended? {},
            shown = outcome(&mut showing) => {
                tap.stop().await?; // if the tap has ended, this returns the reason
                shown?;
                break;
            }
        }
    }
    drop(page);
    pipeline.stop().await
}

const NEXT: &str = "\
echo '{\"user_id\":\"user0\",\"event_timestamp\":\"1721390000000\",\"event_name\":\"search\"}' |
    aws kinesis put-record --stream-name click-stream --partition-key user0 --data fileb:///dev/stdin
cargo lambda watch                # compiles on the first call; then, in a third terminal with the same exports:
cargo lambda invoke sessionizer-fn --data-file events/clicks.json
cargo run -p ops -- tables

Press Ctrl-C to stop. Boundaries as they are published:";

/// Shell `export` lines that point a client to the embedded services and name the tables and streams.
fn exports(pipeline: &Pipeline) -> Vec<String> {
    let [dynamodb, kinesis] = pipeline.endpoint_urls();
    let endpoints = [
        ("AWS_ENDPOINT_URL_DYNAMODB", dynamodb.as_str()),
        ("AWS_ENDPOINT_URL_KINESIS", kinesis.as_str()),
        ("AWS_REGION", "us-east-1"),
        ("AWS_DEFAULT_REGION", "us-east-1"), // the AWS CLI's name for it
        // The embedded services check that a request is signed, but not with which credentials.
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
    ];
    let mut variables: BTreeMap<_, _> = pipeline.environment().iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    variables.extend(endpoints);
    variables.into_iter().map(|(name, value)| export(name, value)).collect()
}

/// The line that exports a variable with this value.
fn export(name: &str, value: &str) -> String {
    // Only the character 0 cannot be quoted, which no environment variable can hold.
    let quoted = if value.is_empty() { "".into() } else { shlex::try_quote(value).unwrap_or_default() };
    format!("export {name}={quoted}")
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn shell_that_reads_the_exports_gets_the_values_as_they_are() {
        for value in ["", "10", "Email Delivered", "n = count(/a in ['x', \"y\"])", "$HOME `id` \\ ;\nb"] {
            let script = format!("{}; printf %s \"$VALUE\"", export("VALUE", value));
            let output = Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), value, "{script}");
        }
    }
}
