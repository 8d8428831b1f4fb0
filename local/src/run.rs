//! Sessionizes an input: each line is a record of click-stream, the sessions table is the result.
//!
//! The input is streamed: at most [`MAX_IN_FLIGHT`] records are in flight, and boundaries are written as they are
//! published. Sessions and rejected records are held in memory at the end, to sort them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use indicatif::{ProgressBar, ProgressStyle};
use ops::stored::{self, ReadLimit};

use crate::boundary_writer::BoundaryWriter;
use crate::error::LocalError;
use crate::export;
use crate::input::Input;
use crate::lines::{Content, Line, MAX_RECORD_BYTES};
use crate::output::Output;
use crate::outputs::Outputs;
use crate::pipeline::{Inactivity, Options, Pipeline};
use crate::producer::{Producer, Route};
use crate::summary::{OversizedLine, Summary};

/// Maximum number of records that are in click-stream and not done.
pub const MAX_IN_FLIGHT: u64 = 20_000;

/// The input and outputs of a run.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// NDJSON of clicks, plain or gzip; `-` for standard input.
    pub input: PathBuf,
    /// Where the sessions table is written; `-` for standard output.
    pub sessions: Option<PathBuf>,
    /// Where all boundaries are written as they are published, in order per user.
    pub boundaries: Option<PathBuf>,
    /// Where the rejected records are written, in the order of their lines.
    pub rejected: Option<PathBuf>,
    /// Whether to close all sessions at the end, as if the users stayed inactive. Otherwise the last one of each stays
    /// open.
    pub close: bool,
    /// Settings that override template.yaml. Inactivity is ignored in any case: a run goes by event time.
    pub options: Options,
}

/// Runs the input through the whole pipeline.
///
/// # Errors
/// If a file cannot be used, which leaves all files unchanged, or if the run fails, which leaves the outputs empty. A
/// record without an outcome is not an error; the summary shows it.
pub async fn run(run: Run) -> Result<Summary, LocalError> {
    let input = Input::open(&run.input)?;
    let mut outputs = Outputs::open(&run, &input)?;
    let pipeline = Pipeline::start(Options { inactivity: Inactivity::IsIgnored, ..run.options }).await?;
    outputs.start()?;

    let (began, began_ms) = (Instant::now(), whole_second_ms());
    let mut summary = Summary::default();
    let producer = put_all(input, &pipeline, outputs.boundaries.as_ref(), run.close, &mut summary).await?;
    summary.elapsed = began.elapsed();

    let mut rejected = export::rejected(&pipeline.dynamodb(), &pipeline.rejected_table, began_ms).await?;
    export::number_lines(&mut rejected, &pipeline.click_stream, producer.lines());
    if let Some(output) = &outputs.rejected {
        export::write_rejected(&rejected, output.writer())?;
    }
    let dynamodb = pipeline.dynamodb();
    let sessions = stored::sessions(&dynamodb, &pipeline.sessions_table, ReadLimit::WholeTable).await?.items;
    if let Some(output) = &outputs.sessions {
        export::write_sessions(&sessions, output.writer())?;
    }
    for row in rejected {
        *summary.rejected.entry(row.reason).or_default() += row.parts;
    }
    summary.sessions = sessions.len() as u64;
    summary.sessionizer = pipeline.sessionizer_total.now();
    summary.sink = pipeline.sink_total.now();
    summary.sink_rejected = pipeline.sink_total.records().rejected;
    summary.invocations = pipeline.mapping_counts().map(|counts| counts.invocations);
    pipeline.stop().await?;
    outputs.finish()?;
    Ok(summary)
}

/// Puts every line of `input` and waits until all of them are done and their boundaries are stored and written to
/// `boundaries`.
async fn put_all(
    input: Input,
    pipeline: &Pipeline,
    boundaries: Option<&Output>,
    close: bool,
    summary: &mut Summary,
) -> Result<Producer, LocalError> {
    let bar = progress_bar(input.length(), boundaries.is_some_and(Output::is_terminal));
    let writer = boundaries.map(|output| BoundaryWriter::start(pipeline, output.writer().clone()));
    let mut writer = writer.transpose()?;
    let put = tokio::select! {
        put = put_lines(input, pipeline, &bar, close, summary) => put,
        error = failure_of(&mut writer) => Err(error),
        error = pipeline.first_failure() => Err(error),
    };
    bar.finish_and_clear();
    let producer = put?;
    if let Some(writer) = writer {
        writer.finish(pipeline.sessionizer_total.now().published).await?;
    }
    Ok(producer)
}

async fn put_lines(
    input: Input,
    pipeline: &Pipeline,
    bar: &ProgressBar,
    close: bool,
    summary: &mut Summary,
) -> Result<Producer, LocalError> {
    let position = input.position();
    let mut lines = input.into_lines()?;
    let mut producer = Producer::new(pipeline.kinesis(), &pipeline.click_stream).await?;
    while let Some(line) = lines.recv().await {
        bar.set_position(position.bytes());
        summary.read += 1;
        put(&mut producer, line?, pipeline, summary).await?;
        let allowed = producer.records_put().saturating_sub(MAX_IN_FLIGHT);
        if pipeline.clicks().counts().records_done < allowed {
            pipeline.clicks().wait_until_done(allowed).await?;
        }
    }
    producer.flush().await?;
    bar.set_message("waiting for the last sessions");
    pipeline.drain(producer.records_put()).await?;
    if close {
        pipeline.sweeps.close_all().await?;
        pipeline.drain(producer.records_put()).await?;
    }
    Ok(producer)
}

async fn put(
    producer: &mut Producer,
    line: Line,
    pipeline: &Pipeline,
    summary: &mut Summary,
) -> Result<(), LocalError> {
    let Line { number, content } = line;
    match content {
        Content::TooLong(bytes) => {
            summary.parts += 1;
            summary.too_long.add(OversizedLine { number, bytes, partition_key_bytes: None });
        }
        Content::Record(data) => {
            let (format, skew_ms) = (&pipeline.click_format, pipeline.max_clock_skew_ms);
            let route = Route::of(number, &data, format, whole_second_ms(), skew_ms);
            summary.parts += route.parts;
            let (bytes, key_bytes) = (data.len(), route.partition_key.len());
            if bytes + key_bytes > MAX_RECORD_BYTES {
                let partition_key_bytes = Some(key_bytes as u64);
                summary.too_long.add(OversizedLine { number, bytes: bytes as u64, partition_key_bytes });
            } else {
                producer.take_line(number, route, data).await?;
            }
        }
    }
    Ok(())
}

/// Resolves only if there is a writer and writing its output fails.
async fn failure_of(writer: &mut Option<BoundaryWriter>) -> LocalError {
    match writer {
        Some(writer) => writer.failure().await,
        None => std::future::pending().await,
    }
}

/// The template parameters that correspond to command line options.
#[must_use]
pub fn parameters(
    gap_seconds: Option<u64>,
    first_session: Option<&str>,
    columns: Option<String>,
) -> BTreeMap<String, String> {
    let named = [
        ("SessionGapSeconds", gap_seconds.map(|value| value.to_string())),
        ("FirstSession", first_session.map(str::to_owned)),
        ("SessionColumns", columns),
    ];
    named.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// The current time in Unix milliseconds, truncated to the second like the embedded stream's arrival times.
fn whole_second_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() * 1_000
}

/// A bar over the input's bytes, or a spinner if their number is unknown. Hidden without a terminal, or if boundaries
/// are printed on it.
fn progress_bar(length: Option<u64>, boundaries_on_terminal: bool) -> ProgressBar {
    if boundaries_on_terminal {
        return ProgressBar::hidden();
    }
    let (bar, template) = match length {
        Some(length) => {
            (ProgressBar::new(length), "{bar:40} {percent:>3} %  {bytes} of {total_bytes}  {elapsed}  {msg}")
        }
        None => (ProgressBar::new_spinner(), "{spinner} {bytes}  {elapsed}  {msg}"),
    };
    // The templates are constants. If one were invalid, the bar would keep its default style.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}
