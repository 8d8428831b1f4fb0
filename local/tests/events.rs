//! The sample events: each has the form that Lambda sends and the effect that its name says.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use kinesis_function::config::Settings;
use std::fs;
use std::path::Path;
use std::time::Duration;

use kinesis_function::event::FunctionEvent;
use kinesis_function::handler::RecordCounts;
use kinesis_function::invocation::handle;
use kinesis_function::sweep::handle_sweep;
use kinesis_function::time_budget::TimeBudget;
use local_aws::{LocalAws, LocalAwsOptions, Template};

fn event<T: serde::de::DeserializeOwned>(name: &str) -> T {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../events").join(name);
    serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn ten_seconds() -> TimeBudget {
    TimeBudget::lasting(1_721_390_600_000, Duration::from_secs(10))
}

/// The counts of a batch of `received` records, all of them done.
fn of(received: u64, rejected: u64) -> RecordCounts {
    RecordCounts { received, rejected, undone: 0 }
}

async fn embedded() -> (LocalAws, Template) {
    let embedded = LocalAws::start(LocalAwsOptions::default()).await.unwrap();
    let template = Template::of_this_project().unwrap();
    embedded.create_resources(&template, Some(1)).await.unwrap();
    (embedded, template)
}

#[tokio::test]
async fn click_events_have_the_effects_that_their_names_say() {
    use sessionizer_fn::report::{Gauges, Report};
    use sessionizer_fn::{config::Config, handler::Sessionizer};

    let (embedded, template) = embedded().await;
    let environment = template.function("SessionizerFunction").unwrap().environment.clone();
    let new_environment = || {
        let config = Config::from_variables(environment.clone()).unwrap();
        Sessionizer::new(config, &embedded.dynamodb(), &embedded.kinesis())
    };
    let sessionizer = new_environment();
    let expected = [
        (
            "clicks.json",
            of(5, 0),
            Report { users: 2, applied: 5, started: 3, closed: 1, published: 3, ..Report::default() },
        ),
        (
            "clicks-quoted.json",
            of(3, 0),
            Report { users: 2, applied: 3, started: 2, published: 2, ..Report::default() },
        ),
        (
            "clicks-odd.json",
            of(4, 2),
            Report { users: 1, applied: 2, adjusted_attributes: 3, started: 1, published: 1, ..Report::default() },
        ),
        (
            "clicks-late.json",
            of(4, 0),
            Report {
                users: 1,
                applied: 3,
                late: 1,
                started: 2,
                closed: 1,
                merged: 1,
                published: 1,
                ..Report::default()
            },
        ),
        (
            "clicks-duplicate.json",
            of(3, 0),
            Report { users: 1, applied: 3, started: 1, published: 1, ..Report::default() },
        ),
        (
            "clicks-poison.json",
            of(7, 6),
            Report { users: 1, applied: 1, started: 1, published: 1, ..Report::default() },
        ),
        (
            "clicks-several.json",
            of(3, 1),
            Report { users: 2, applied: 6, started: 3, closed: 1, published: 3, ..Report::default() },
        ),
        (
            "clicks-aggregated.json",
            of(2, 1),
            Report { users: 2, applied: 4, started: 3, closed: 1, published: 3, ..Report::default() },
        ),
    ];
    for (name, records, report) in expected {
        let answer = handle(&sessionizer, event(name), ten_seconds()).await.unwrap();
        // How they were stored is not what the names say.
        let of_clicks =
            Report { commits: 0, users_read: 0, buckets_loaded: 0, gauges: Gauges::default(), ..answer.report };
        assert_eq!((answer.records, of_clicks), (records, report), "{name}");
        assert!(answer.response.batch_item_failures.is_empty(), "{name}");
    }
    // Sending the event again is a redelivery: no click is applied. The boundaries are published again by an execution
    // environment that does not know that they were.
    let other = new_environment();
    for (sessionizer, published) in [(&sessionizer, 0), (&other, 3)] {
        let again = handle(sessionizer, event("clicks.json"), ten_seconds()).await.unwrap().report;
        assert_eq!((again.applied, again.already_applied, again.published), (0, 5, published));
    }
}

#[tokio::test]
async fn sweep_event_closes_the_sessions_of_quiet_users() {
    use sessionizer_fn::{config::Config, handler::Sessionizer};

    let (embedded, template) = embedded().await;
    let environment = template.function("SessionizerFunction").unwrap().environment.clone();
    let config = Config::from_variables(environment).unwrap();
    let sessionizer = Sessionizer::new(config, &embedded.dynamodb(), &embedded.kinesis());
    handle(&sessionizer, event("clicks.json"), ten_seconds()).await.unwrap();

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../events/sweep.json");
    let sweep = FunctionEvent::from_json(&fs::read(path).unwrap()).unwrap();
    assert!(matches!(sweep, FunctionEvent::Sweep), "{sweep:?}");
    let in_an_hour = TimeBudget::lasting(1_721_394_200_000, Duration::from_secs(10));
    let swept = handle_sweep(&sessionizer, in_an_hour).await.unwrap();
    assert_eq!((swept.outcome, swept.report.closed_by_inactivity, swept.report.published), (Ok(()), 2, 2));
}

#[tokio::test]
async fn boundary_events_have_the_effects_that_their_names_say() {
    use sink_fn::{config::Config, handler::Sink, report::Report};

    let (embedded, template) = embedded().await;
    let environment = template.function("SinkFunction").unwrap().environment.clone();
    let sink = Sink::new(Config::from_variables(environment).unwrap(), &embedded.dynamodb());
    let expected = [
        ("boundaries.json", of(4, 0), Report { written: 3, ..Report::default() }),
        ("boundaries-flink.json", of(2, 0), Report { written: 2, ..Report::default() }),
        ("boundaries-poison.json", of(3, 2), Report { written: 1, ..Report::default() }),
    ];
    for (name, records, report) in expected {
        let answer = handle(&sink, event(name), ten_seconds()).await.unwrap();
        assert_eq!((answer.records, answer.report), (records, report), "{name}");
        assert!(answer.response.batch_item_failures.is_empty(), "{name}");
    }
    let again = handle(&sink, event("boundaries.json"), ten_seconds()).await.unwrap().report;
    assert_eq!((again.written, again.superseded), (0, 3));
}
