//! Sessionizes a file: every line a record of click-stream, the sessions table as the result.
//!
//! The file is streamed: no more than [`MAX_IN_FLIGHT`] records are ahead of what the sessionizer has done.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use indicatif::{ProgressBar, ProgressStyle};

use crate::error::LocalError;
use crate::export;
use crate::lines::{Content, Line, MAX_RECORD_BYTES, lines_of};
use crate::pipeline::{Options, Pipeline};
use crate::producer::{Producer, partition_key};
use crate::summary::Summary;

/// Most records that are in click-stream and not done yet.
pub const MAX_IN_FLIGHT: u64 = 20_000;

/// What to sessionize, and where to write what.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// NDJSON of clicks; `-` for standard input.
    pub input: PathBuf,
    /// Where the sessions table is written; `-` for standard output.
    pub sessions: Option<PathBuf>,
    /// Where all boundaries are written as they were published, in order per user.
    pub boundaries: Option<PathBuf>,
    /// Where the rejected records are written.
    pub rejected: Option<PathBuf>,
    /// What differs from template.yaml.
    pub options: Options,
}

/// Runs the file through the whole pipeline.
///
/// # Errors
/// When it could not be finished. A record that has no outcome is not an error but shows in the summary.
pub async fn run(run: Run) -> Result<Summary, LocalError> {
    let (mut lines, length) = lines_of(&run.input)?;
    let pipeline = Pipeline::start(run.options).await?;
    let tap = run.boundaries.as_ref().map(|_| pipeline.tap_boundaries()).transpose()?;
    let (began, began_ms) = (Instant::now(), whole_second_ms());
    let bar = progress_bar(length);

    let mut summary = Summary::default();
    let mut producer = Producer::new(pipeline.kinesis(), &pipeline.click_stream).await?;
    while let Some(line) = lines.recv().await {
        let line = line?;
        bar.set_position(line.end);
        summary.read += 1;
        feed(&mut producer, line, &mut summary).await?;
        let allowed = producer.records_put().saturating_sub(MAX_IN_FLIGHT);
        if pipeline.clicks().counts().records_done < allowed {
            pipeline.clicks().wait_until_done(allowed).await?;
        }
    }
    producer.flush().await?;
    bar.set_message("waiting for the last sessions");
    pipeline.drain(producer.records_put()).await?;
    summary.elapsed = began.elapsed();
    bar.finish_and_clear();

    if let (Some(tap), Some(path)) = (tap, &run.boundaries) {
        let mut boundaries = tap.finish(pipeline.sessionizer_total.now().published).await?;
        export::write_lines(std::iter::from_fn(|| boundaries.try_recv().ok()).map(Ok), path)?;
    }
    let rejected = export::rejected(&pipeline.dynamodb(), &pipeline.rejected_table, began_ms).await?;
    if let Some(path) = &run.rejected {
        export::write_rejected(&rejected, path)?;
    }
    let sessions = export::sessions(&pipeline.dynamodb(), &pipeline.sessions_table).await?;
    if let Some(path) = &run.sessions {
        export::write_sessions(&sessions, path)?;
    }
    for row in rejected {
        *summary.rejected.entry(row.reason).or_default() += 1;
    }
    summary.sessions = sessions.len() as u64;
    summary.sessionizer = pipeline.sessionizer_total.now();
    summary.sink = pipeline.sink_total.now();
    summary.invocations = pipeline.mapping_counts().map(|counts| counts.invocations);
    pipeline.stop().await?;
    Ok(summary)
}

/// The template's parameters for what the command line names.
#[must_use]
pub fn parameters(
    gap_seconds: Option<u64>,
    first_session: Option<&str>,
    parallelization: Option<u32>,
) -> BTreeMap<String, String> {
    let named = [
        ("SessionGapSeconds", gap_seconds.map(|value| value.to_string())),
        ("FirstSession", first_session.map(str::to_owned)),
        ("ParallelizationFactor", parallelization.map(|value| value.to_string())),
    ];
    named.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

async fn feed(producer: &mut Producer, line: Line, summary: &mut Summary) -> Result<(), LocalError> {
    match line.content {
        Content::TooLong(bytes) => summary.too_long.push((line.number, bytes)),
        Content::Record(data) => {
            let key = partition_key(&data, line.number);
            if data.len() + key.len() > MAX_RECORD_BYTES {
                summary.too_long.push((line.number, data.len() as u64));
            } else {
                producer.take(key, data).await?;
            }
        }
    }
    Ok(())
}

/// Now in Unix milliseconds, cut to the second as the embedded stream cuts its arrival times.
fn whole_second_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() * 1_000
}

/// A bar over the file's bytes, or a spinner where their number is not known; nothing where no terminal is.
fn progress_bar(length: Option<u64>) -> ProgressBar {
    let (bar, template) = match length {
        Some(length) => {
            (ProgressBar::new(length), "{bar:40} {percent:>3} %  {bytes} of {total_bytes}  {elapsed}  {msg}")
        }
        None => (ProgressBar::new_spinner(), "{spinner} {bytes}  {elapsed}  {msg}"),
    };
    // The templates are constant; a fault in one would leave the bar with its default look.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}
