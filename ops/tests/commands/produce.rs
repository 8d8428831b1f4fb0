//! `sessionctl produce`.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_kinesis::types::{Record, ShardIteratorType};
use local_aws::faults::{Call, Fault, Hold};
use ops::produce::{Load, Options, Produced, Share, produce};
use ops::time_text::now_ms;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use shared::click::{Click, LatestBelievable};
use shared::session::SessionGap;
use shared::session_cut::SessionCut;
use shared::session_window::{Placement, SessionWindow, WindowDraft, WindowRule};
use tokio::sync::{Notify, mpsc};

use crate::stub;
use crate::world::World;

const STREAM: &str = "click-stream";
const HOUR_MS: u64 = 3_600_000;

/// All records of click-stream, shard by shard.
async fn shards(world: &World) -> Vec<Vec<Record>> {
    let kinesis = world.embedded.kinesis();
    let mut shards = Vec::new();
    for shard in kinesis.list_shards().stream_name(STREAM).send().await.unwrap().shards() {
        let iterator = kinesis.get_shard_iterator().stream_name(STREAM).shard_id(&shard.shard_id);
        let iterator = iterator.shard_iterator_type(ShardIteratorType::TrimHorizon).send().await.unwrap();
        let (mut records, mut iterator) = (Vec::new(), iterator.shard_iterator);
        loop {
            let page = kinesis.get_records().set_shard_iterator(iterator).send().await.unwrap();
            if page.records.is_empty() && page.millis_behind_latest == Some(0) {
                break;
            }
            records.extend(page.records);
            iterator = page.next_shard_iterator;
        }
        shards.push(records);
    }
    shards
}

/// 50 records a second for a second, of 20 users with a gap of 10 s.
fn options() -> Options {
    let none = Share::default();
    Options {
        rate: 50,
        users: 20,
        gap_seconds: 10,
        late: none,
        late_by_seconds: 60,
        duplicate: none,
        broken: none,
        duration_seconds: 1,
        seed: 1,
    }
}

/// Puts this load into click-stream, with calls that fail according to `plan`, until `stop` and then `abandon` resolve.
async fn produced(
    world: &World,
    options: Options,
    plan: impl FnMut(&Call) -> Fault + Send + 'static,
    stop: impl Future<Output = ()>,
    abandon: impl Future<Output = ()>,
) -> Produced {
    let client = aws_sdk_kinesis::Client::new(&world.faulty(plan));
    produce(&client, STREAM, &Load::new(options).unwrap(), stop, abandon, |_| ()).await
}

/// Never.
fn never() -> impl Future<Output = ()> {
    std::future::pending()
}

#[tokio::test(flavor = "multi_thread")]
async fn three_thousand_records_a_second_arrive_in_four_shards_as_the_summary_counts_them() {
    let world = World::with_shards(4).await;
    let begin_ms = now_ms();
    let load = ["produce", "--stream", STREAM, "--rate", "3000", "--users", "560", "--gap", "1s", "--duration", "3s"];
    let shares = ["--late", "5", "--late-by", "2h", "--duplicate", "2%", "--broken", "1.5", "--seed", "17", "--yes"];
    let [summary] = &world.json(&[&load[..], &shares].concat())[..] else { panic!("one line") };
    let counted = |name: &str| summary[name].as_u64().unwrap();
    let names = ["records", "on_time", "late", "duplicates", "broken", "accepted", "unanswered"];
    assert_eq!(names.map(counted), [9_000, 8_235, 450, 180, 135, 9_000, 0], "{summary}");
    assert_eq!((&summary["stream"], &summary["seed"], &summary["given_up"]), (&json!(STREAM), &json!(17), &json!({})));
    assert_eq!(counted("throttled") + counted("failed"), counted("retried"), "every refusal is retried");

    let shards = shards(&world).await;
    for records in &shards {
        assert!((1_350..=3_150).contains(&records.len()), "a quarter, give or take: {}", records.len());
    }
    let mut different: BTreeSet<&[u8]> = BTreeSet::new();
    let mut users: BTreeMap<String, WindowDraft> = BTreeMap::new();
    let rule = WindowRule { gap: SessionGap::from_ms(1_000), lateness_ms: HOUR_MS, cut: SessionCut::None };
    let (mut on_time, mut late, mut duplicates, mut broken, mut sessions) = (0, 0, 0, 0, 0);
    for record in shards.iter().flatten() {
        let data = record.data.as_ref();
        let Ok(decoded) = Click::decode(data, LatestBelievable::after_arrival(now_ms(), 0)) else {
            broken += 1;
            continue;
        };
        let click = decoded.click;
        let user = click.user_id.as_str();
        assert_eq!(Some(user), record.partition_key());
        if !different.insert(data) {
            duplicates += 1;
        } else if click.time.ms() < begin_ms {
            assert!(click.time.ms() >= begin_ms - 2 * HOUR_MS && click.time.ms() < now_ms() - HOUR_MS);
            late += 1;
            continue;
        } else {
            on_time += 1;
        }
        let draft = users.entry(user.to_owned()).or_insert_with(|| WindowDraft::on(SessionWindow::default()));
        match draft.apply(&click, rule) {
            Placement::Started => sessions += 1,
            Placement::Continued { merged, .. } => sessions -= merged as u64,
            Placement::Late => panic!("no click on time arrives an hour late"),
        }
    }
    assert_eq!([on_time, late, duplicates, broken], [8_235, 450, 180, 135]);
    assert_eq!([sessions, users.len() as u64], [counted("sessions"), counted("users")]);
    assert!(counted("sessions") > counted("users"), "some users had a second session: {summary}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_refused_is_retried_and_every_refusal_is_counted() {
    let world = World::start().await;
    let counts: Arc<Mutex<[u64; 3]>> = Arc::default();
    let counting = Arc::clone(&counts);
    let plan = move |call: &Call| {
        let parts = call.parts as u64;
        let [throttled, failed, unanswered] = &mut *counting.lock().unwrap();
        match call.number {
            0 => {
                *throttled += 1;
                Fault::PartsThrottled(vec![0])
            }
            1 => {
                *throttled += parts;
                Fault::Throttled
            }
            2 => {
                *failed += 1;
                Fault::EntriesRefused(vec![0], "InternalFailure")
            }
            3 => {
                *failed += parts;
                *unanswered += parts;
                Fault::ReplyLost
            }
            _ => Fault::None,
        }
    };
    let produced = produced(&world, options(), plan, never(), never()).await;
    let [throttled, failed, unanswered] = *counts.lock().unwrap();
    assert!(produced.is_complete() && produced.error.is_none());
    assert_eq!([produced.made(), produced.accepted, produced.given_up()], [50, 50, 0]);
    assert_eq!([produced.throttled, produced.failed, produced.unanswered], [throttled, failed, unanswered]);
    assert_eq!(produced.retried, throttled + failed);
    let there = shards(&world).await.concat().len() as u64;
    assert_eq!(there, 50 + unanswered, "a record without an answer is in the stream twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_stay_throttled_are_given_up_and_the_command_fails() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sessionctl"));
    command.args("produce --stream clicks --rate 40 --users 4 --duration 1s --seed 1 --yes --json".split(' '));
    command.env_clear().env("AWS_ENDPOINT_URL", stub::throttling(|partition_key| partition_key == "load-1"));
    command.env("AWS_REGION", "us-east-1").env("AWS_ACCESS_KEY_ID", "local").env("AWS_SECRET_ACCESS_KEY", "local");
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    let counted = |name: &str| summary[name].as_u64().unwrap();
    let given_up = summary["given_up"]["ProvisionedThroughputExceededException"].as_u64().unwrap();
    assert_eq!([counted("records"), counted("accepted") + given_up], [40, 40], "{summary}");
    assert!(given_up > 0 && counted("accepted") > 0, "some users' records are throttled: {summary}");
    assert_eq!([counted("throttled"), counted("retried")], [10 * given_up, 9 * given_up], "ten attempts");
}

#[tokio::test(flavor = "multi_thread")]
async fn error_that_no_retry_can_help_ends_the_load_and_no_record_is_uncounted() {
    let world = World::start().await;
    let plan = |call: &Call| if call.number < 2 { Fault::None } else { Fault::AccessDenied };
    let produced = produced(&world, Options { duration_seconds: 4, ..options() }, plan, never(), never()).await;
    assert!(produced.made() < 200, "the rest was not made");
    assert_eq!(produced.error.as_ref().map(|error| error.code()), Some("AccessDeniedException"));
    assert_eq!(produced.given_up.keys().collect::<Vec<_>>(), ["AccessDeniedException"]);
    assert_eq!(produced.accepted + produced.given_up(), produced.made());
    assert_eq!([produced.retried, shards(&world).await.concat().len() as u64], [0, produced.accepted]);
    let error = produced.into_result(STREAM).unwrap_err();
    assert!(error.to_string().starts_with("stream click-stream: PutRecords failed: AccessDenied"), "{error}");
    assert!(error.advice().unwrap().starts_with("allow kinesis:PutRecords on the stream"));
}

#[tokio::test(flavor = "multi_thread")]
async fn at_most_32_requests_are_under_way_and_a_second_ctrl_c_gives_them_up() {
    let world = World::start().await;
    let (sender, mut calls) = mpsc::unbounded_channel();
    let plan = move |_: &Call| {
        let (hold, reached, release) = Hold::new();
        sender.send((reached, release)).unwrap();
        Fault::Held(hold)
    };
    let client = aws_sdk_kinesis::Client::new(&world.faulty(plan));
    let stop = Notify::new();
    let mut held = Vec::new();
    let mut ticks_after = 0;
    let on_progress = |_: &Produced| {
        while let Ok(call) = calls.try_recv() {
            held.push(call);
        }
        ticks_after += u32::from(held.len() >= 32);
        if ticks_after == 10 {
            stop.notify_one();
        }
    };
    let load = Load::new(Options { duration_seconds: 86_400, ..options() }).unwrap();
    let produced = produce(&client, STREAM, &load, stop.notified(), async {}, on_progress).await;
    assert_eq!((held.len(), produced.accepted), (32, 0));
    assert_eq!(produced.given_up, [("Interrupted".to_owned(), produced.made())].into());
    assert!(!produced.is_complete());
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_ends_the_load_with_its_summary() {
    let world = World::start().await;
    let arguments = "produce --stream click-stream --rate 100 --users 50 --duration 24h --yes --json";
    let arguments: Vec<_> = arguments.split(' ').collect();
    let child = world.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while shards(&world).await.concat().is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "nothing was given up");
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    let there = shards(&world).await.concat().len();
    assert_eq!((&summary["records"], &summary["accepted"]), (&json!(there), &json!(there)));
    assert!(String::from_utf8(output.stderr).unwrap().ends_with("press Ctrl-C again to give up what is under way\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn target_and_volume_are_shown_before_anything_is_put() {
    let world = World::start().await;
    let load = ["produce", "--stream", STREAM, "--rate", "2000", "--users", "9000", "--duration", "1s", "--seed", "3"];
    let (status, stdout, stderr) = world.run(&load);
    assert_eq!(
        (status, stdout.as_str(), shards(&world).await.concat().len()),
        (Some(2), "", 0),
        "no question was asked"
    );
    assert!(stderr.starts_with("error: produce puts records into a stream and needs confirmation"), "{stderr}");

    let (status, stdout, stderr) = world.run(&[&load[..], &["--yes"]].concat());
    let expected = format!(
        "account 000000000000, region us-east-1\nKinesis at {}\nstream click-stream\n\
         records to put: 2000, as many PUT payload units; 2000 a second for 1 s\n\
         users load-1 to load-9000, 4000 of them with a session under way at a time, gap 10 s\nseed 3\n\
         hint: the stream's open shards take 1000 records a second; the others are throttled, and it takes longer\n",
        world.embedded.kinesis_url()
    );
    assert_eq!((status, stderr), (Some(0), expected));
    assert!(stdout.starts_with("made            2000 records in "), "{stdout}");
    assert!(stdout.ends_with("\n                   0 given up\n"), "{stdout}");
    assert_eq!(shards(&world).await.concat().len(), 2_000);
}

#[test]
fn options_outside_their_limits_are_errors_that_name_option_value_and_limit() {
    let cases = [
        ("--rate 0", "error: --rate is 0, expected 1 to 100000"),
        ("--rate 5000000000", "invalid value '5000000000' for '--rate <N>': 5000000000 is not in 0..=4294967295"),
        ("--users 1", "error: --users is 1, expected 2 to 1000000"),
        ("--gap 0", "error: --gap is 0s, expected 1s to 86400s (24h)"),
        ("--late-by soon", "invalid value 'soon' for '--late-by <TIME>': expected a time such as 90s, 30m or 12h"),
        ("--duration 2d", "error: --duration is 172800s, expected 1s to 86400s (24h)"),
        ("--late 91", "invalid value '91' for '--late <PERCENT>': expected a percentage from 0 to 90 with at most two"),
        ("--duplicate 0.005", "invalid value '0.005' for '--duplicate <PERCENT>': expected a percentage"),
        ("--broken=-1", "invalid value '-1' for '--broken <PERCENT>': expected a percentage"),
        ("--seed x", "invalid value 'x' for '--seed <N>'"),
        (
            "--late 60 --broken 31",
            "--late 60, --duplicate 0 and --broken 31 are 91.00 % together, more than the limit of 90",
        ),
        ("--gap 1s --rate 4", "--gap 1s is too short for --rate 4: at least 5 clicks have to be on time within a gap"),
    ];
    for (options, expected) in cases {
        let required = ["--rate 10", "--users 10", "--stream s"];
        let missing = required.iter().filter(|it| !options.contains(it.split(' ').next().unwrap()));
        let line = [&["produce", options], &missing.copied().collect::<Vec<_>>()[..]].concat().join(" ");
        let output = Command::new(env!("CARGO_BIN_EXE_sessionctl")).args(line.split(' ')).env_clear().output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{line}: {stderr}");
        assert!(stderr.contains(expected), "{line}: {stderr}");
    }
}
