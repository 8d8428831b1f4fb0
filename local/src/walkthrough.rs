//! The demo: three users click through a shop for a few minutes of event time, in 15 seconds. Then they stop, and their
//! sessions close.
//!
//! Prints boundaries as they are published to session-stream, and at the end the sessions table and the users' states.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use indicatif::{ProgressBar, ProgressStyle};
use ops::shop::click;
use ops::stored::{self, ReadLimit};
use ops::text_table;
use shared::boundary::Boundary;
use shared::event_time::EventTime;

use crate::boundary_line::boundary_line;
use crate::error::LocalError;
use crate::page::counters::Counters;
use crate::pipeline::{Options, Pipeline};
use crate::producer::Producer;

const USERS: [&str; 3] = ["user1", "user2", "user3"];

/// Number of generated clicks, and the real pause after each.
const CLICKS: u64 = 120;
const PAUSE: Duration = Duration::from_millis(100);

/// The grace, in seconds: the shortest that the template allows, because nothing delays these clicks and the demo's
/// reader waits for it.
const GRACE_SECONDS: u64 = 5;

/// Longer than the gap, the grace and a sweep: sessions that are still open then stay so.
const CLOSES_WITHIN: Duration = Duration::from_secs(60);

/// Maximum pause after each click in event time, in seconds: usually, and while the shop is quiet.
const MAX_PAUSE_SECONDS: u64 = 5;
const MAX_QUIET_SECONDS: u64 = 25;

/// Runs the walkthrough and prints it to standard output.
///
/// # Errors
/// If it fails.
pub async fn run() -> Result<(), LocalError> {
    println!("Three users click through a shop. A session ends after 10 s without a click from its user.\n");
    let parameters = [("CloseGraceSeconds".to_owned(), GRACE_SECONDS.to_string())].into();
    let pipeline = Pipeline::start(Options { parameters, ..Options::default() }).await?;
    tokio::select! {
        shown = click_and_show(&pipeline) => shown?,
        never = pipeline.sweeps.clone().repeat() => match never {},
    }
    println!("\nThe users' states:\n");
    print!("{}", text_table::users(&pipeline.users().await?, None));
    println!("\nThe sessions table:\n");
    let sessions = stored::sessions(&pipeline.dynamodb(), &pipeline.sessions_table, ReadLimit::WholeTable).await?;
    print!("{}", text_table::sessions(&sessions.items, None));
    pipeline.stop().await?;
    println!("{NEXT}");
    Ok(())
}

/// Puts the clicks, and prints boundaries until all of them are published and every session is closed.
async fn click_and_show(pipeline: &Pipeline) -> Result<(), LocalError> {
    let (tap, mut batches) = pipeline.tap_boundaries()?;
    let mut counters = Counters::default();
    let mut producer = Producer::new(pipeline.kinesis(), &pipeline.click_stream).await?;
    let bar = progress_bar();
    let mut rng = fastrand::Rng::new();

    // Event time runs faster than the clock. It starts early enough that no click is in the future.
    let mut event_ms = unix_ms() - CLICKS * MAX_QUIET_SECONDS * 1_000;
    for number in 0..CLICKS {
        let user = USERS[rng.usize(..USERS.len())];
        producer.take(user.to_owned(), click(&mut rng, user, event_ms)).await?;
        producer.flush().await?;
        bar.set_position(number + 1);
        bar.set_message(EventTime::from_ms(event_ms).map(EventTime::to_utc_text).unwrap_or_default());
        let quiet = rng.u32(..10) == 0;
        event_ms += 1_000 * rng.u64(0..=if quiet { MAX_QUIET_SECONDS } else { MAX_PAUSE_SECONDS });
        let deadline = tokio::time::Instant::now() + PAUSE;
        while let Ok(Some(batch)) = tokio::time::timeout_at(deadline, batches.recv()).await {
            show(&bar, &batch, &mut counters);
        }
    }
    pipeline.drain(CLICKS).await?;
    bar.suspend(|| println!("{QUIET}"));
    bar.set_style(ProgressStyle::default_spinner());
    bar.set_message("waiting for the last sessions to close");
    let deadline = tokio::time::Instant::now() + CLOSES_WITHIN;
    while (counters.open > 0 || counters.closed == 0)
        && let Ok(Some(batch)) = tokio::time::timeout_at(deadline, batches.recv()).await
    {
        show(&bar, &batch, &mut counters);
    }
    pipeline.drain(CLICKS).await?; // what closed is in the table, too
    let published = pipeline.sessionizer_total.now().published;
    let rest = async {
        while let Some(batch) = batches.recv().await {
            show(&bar, &batch, &mut counters);
        }
    };
    let (finished, ()) = tokio::join!(tap.finish(published), rest);
    finished?;
    bar.finish_and_clear();
    Ok(())
}

const QUIET: &str = "
Nobody clicks any more. Each user's last session closes by itself, 15 s after its last click arrived:
";

const NEXT: &str = "
What to try next:
  cargo run -p local -- serve
      Prints the address of a page that shows sessions while they happen, with buttons that click.
  cargo run -p local -- run --input testdata/disorder.clicks.ndjson --sessions /tmp/sessions.ndjson
  cmp /tmp/sessions.ndjson testdata/disorder.sessions.ndjson && echo the same, byte for byte
      10,000 clicks, each up to 9.9 s late, yield the same sessions as the sorted stream.
  cargo run -p local -- run --input testdata/hostile.clicks.ndjson --sessions - --rejected /tmp/rejected.ndjson
      Unreadable records are stored with their reasons and do not block other clicks.
  cargo run -p local -- run --help
      Lists all options. README.md explains how to deploy to AWS.";

/// Prints and counts boundaries.
fn show(bar: &ProgressBar, batch: &[Vec<u8>], counters: &mut Counters) {
    bar.suspend(|| batch.iter().for_each(|boundary| println!("{}", boundary_line(boundary))));
    batch.iter().filter_map(|data| Boundary::decode(data).ok()).for_each(|boundary| counters.count_boundary(&boundary));
}

fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::new(CLICKS);
    // The template is a constant. If it were invalid, the bar would keep its default style.
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos} of {len} clicks  event time {msg}") {
        bar.set_style(style);
    }
    bar
}

fn unix_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
