//! `sessionctl watch`.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdout, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use aws_sdk_kinesis::types::{Shard, StreamStatus};
use local_aws::faults::Fault;
use ops::output::{Format, Output};
use ops::watch::{Watch, Watched};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::world::World;

/// A running `watch`.
struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Running {
    /// Started, and reading all shards.
    fn start(world: &World, arguments: &[&str]) -> Self {
        let mut command = world.command(&[&["watch"], arguments].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        while !said.contains("press Ctrl-C to stop\n\n") {
            assert_ne!(stderr.read_line(&mut said).unwrap(), 0, "{said}");
        }
        assert!(said.contains("\nstream session-stream\nshards read from now on: "), "{said}");
        child.stderr = Some(stderr.into_inner());
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdout }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line
    }

    fn object(&mut self) -> Value {
        serde_json::from_str(&self.line()).unwrap()
    }

    /// Presses Ctrl-C; exit status, the rest of its output, and what it says in the end.
    fn stop(mut self) -> (Option<i32>, String, String) {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
        let (mut rest, mut said) = (String::new(), String::new());
        self.stdout.read_to_string(&mut rest).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (self.child.wait().unwrap().code(), rest, said)
    }
}

fn boundary(user: &str, ordinal: u64, status: &str, version: u64) -> String {
    let closed =
        if status == "closed" { r#""session_end":1721390009000,"duration_ms":9000,"event_count":5,"# } else { "" };
    format!(
        r#"{{"user_id":"{user}","session_timestamp":1721390000000,"session_time":"2024-07-19 11:53:20","session_id":"{user}_{ordinal}","event_type":null,"device_type":null,"event_name":null,"status":"{status}",{closed}"version":{version}}}"#
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn boundaries_are_shown_as_they_are_published_with_corrections_marked() {
    let world = World::start().await;
    world.publish("u", &boundary("u", 0, "open", 1)).await; // before it watches
    let mut running = Running::start(&world, &[]);
    assert_eq!(running.line(), "  start (UTC)          status       length   clicks  session\n");
    let cases = [
        ("open", 2, "  2024-07-19 11:53:20  open                          u_0\n"),
        ("closed", 3, "  2024-07-19 11:53:20  closed          9 s        5  u_0\n"),
        (
            "open",
            4,
            "  2024-07-19 11:53:20  open                          u_0  <- correction: reopened, it goes on after all\n",
        ),
        ("open", 4, "  2024-07-19 11:53:20  open                          u_0  <- published again\n"),
        (
            "retracted",
            5,
            "  2024-07-19 11:53:20  retracted                     u_0  <- correction: retracted, late clicks made two sessions one\n",
        ),
    ];
    for (status, version, expected) in cases {
        world.publish("u", &boundary("u", 0, status, version)).await;
        assert_eq!(running.line(), expected);
    }
    world.publish("u", "\u{1b}[2J").await;
    let line = running.line();
    assert!(line.starts_with("  not a boundary: ") && !line.contains('\u{1b}'), "{line}");
    let (status, rest, said) = running.stop();
    assert_eq!((status, rest.as_str()), (Some(0), ""));
    assert_eq!(said, "\nboundaries: 5, corrections among them: 2\nrecords that are not boundaries: 1\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn boundaries_of_one_user_are_objects_with_their_correction() {
    let world = World::start().await;
    let mut running = Running::start(&world, &["--user", "u", "--json"]);
    for (user, status, version) in [("u", "closed", 1), ("v", "open", 1), ("u", "open", 2), ("u", "open", 2)] {
        world.publish(user, &boundary(user, 3, status, version)).await;
    }
    world.publish("u", "no boundary").await;
    world.publish("u", &boundary("u", 4, "open", 3)).await;
    let objects: Vec<_> = (0..4).map(|_| running.object()).collect();
    assert_eq!((&objects[0]["session_id"], &objects[0]["event_count"]), (&"u_3".into(), &5.into()));
    let mark = |number: usize, key: &str| objects[number].get(key).cloned();
    assert_eq!([mark(0, "correction"), mark(1, "correction")], [None, Some("reopened".into())]);
    assert_eq!([mark(2, "repetition"), mark(2, "correction")], [Some("repeated".into()), None]);
    assert_eq!(objects[3]["session_id"], "u_4");
    assert_eq!(running.stop().0, Some(0));
}

/// Ids of the open shards of session-stream, in the order of their hash keys.
async fn open_shards(world: &World) -> Vec<String> {
    let kinesis = world.embedded.kinesis();
    let is_active = async || {
        let answer = kinesis.describe_stream_summary().stream_name("session-stream").send().await.unwrap();
        answer.stream_description_summary.unwrap().stream_status == StreamStatus::Active
    };
    while !is_active().await {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let listed = kinesis.list_shards().stream_name("session-stream").send().await.unwrap().shards.unwrap();
    let is_open = |shard: &Shard| shard.sequence_number_range.as_ref().unwrap().ending_sequence_number.is_none();
    let start = |shard: &Shard| shard.hash_key_range.as_ref().unwrap().starting_hash_key.parse::<u128>().unwrap();
    let mut open: Vec<_> = listed.into_iter().filter(is_open).collect();
    open.sort_by_key(start);
    open.into_iter().map(|shard| shard.shard_id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn shards_are_followed_when_they_are_split_and_merged() {
    let world = World::start().await;
    let kinesis = world.embedded.kinesis();
    let mut running = Running::start(&world, &["--json"]);
    let mut expected = Vec::new();
    for (version, merges) in [(1, false), (2, true), (3, false), (4, true)] {
        match open_shards(&world).await.as_slice() {
            [left, right] if merges => {
                let merge = kinesis.merge_shards().stream_name("session-stream").shard_to_merge(left);
                merge.adjacent_shard_to_merge(right).send().await.unwrap();
            }
            [shard] => {
                let split = kinesis.split_shard().stream_name("session-stream").shard_to_split(shard);
                split.new_starting_hash_key((1_u128 << 127).to_string()).send().await.unwrap();
            }
            other => panic!("{other:?}"),
        }
        open_shards(&world).await;
        for user in ["a", "b", "c", "d"] {
            world.publish(user, &boundary(user, 0, "open", version)).await;
            expected.push((user.to_owned(), version));
        }
    }
    let read = |object: Value| (object["user_id"].as_str().unwrap().to_owned(), object["version"].as_u64().unwrap());
    let mut seen: Vec<_> = expected.iter().map(|_| read(running.object())).collect();
    for user in ["a", "b", "c", "d"] {
        let versions = seen.iter().filter(|(of, _)| of == user).map(|(_, version)| *version);
        assert_eq!(versions.collect::<Vec<_>>(), [1, 2, 3, 4], "a child is read after its parents");
    }
    seen.sort();
    expected.sort();
    assert_eq!(seen, expected);
    assert_eq!(running.stop().1, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn shards_that_name_no_parents_are_read_as_well() {
    let world = World::start().await;
    let mut running = Running::start(&world, &["--json"]);
    world.embedded.reshard("session-stream", true).await.unwrap(); // the embedded Kinesis names none
    for user in ["a", "c"] {
        world.publish(user, &boundary(user, 0, "open", 1)).await;
    }
    let mut users = [running.object(), running.object()].map(|object| object["user_id"].as_str().unwrap().to_owned());
    users.sort();
    assert_eq!(users, ["a", "c"]);
    assert_eq!(running.stop().0, Some(0));
}

/// Output that a test can look at while it grows.
struct Shared<'a>(&'a Mutex<Vec<u8>>);

impl Write for Shared<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn throttles_and_lost_connections_delay_it_and_a_missing_permission_ends_it() {
    let world = World::start().await;
    let sdk = world.faulty(|call| match (call.operation.as_str(), call.number) {
        ("GetRecords", 0 | 3) => Fault::Throttled,
        ("GetRecords", 1) => Fault::NotSent,
        ("GetRecords", 4) => Fault::InternalError,
        ("GetRecords", 9..) => Fault::AccessDenied,
        _ => Fault::None,
    });
    let client = aws_sdk_kinesis::Client::new(&sdk);
    let watch = Watch::start(&client, "session-stream", None).await.unwrap();
    assert_eq!(watch.shards(), 1);
    world.publish("u", &boundary("u", 0, "open", 1)).await;
    let shown = Mutex::new(Vec::new());
    let mut output = Output::new(Shared(&shown), Format::Json);
    let error = watch.show(&mut output, std::future::pending()).await.unwrap_err().to_string();
    assert!(error.starts_with("stream session-stream: GetRecords failed: AccessDeniedException"), "{error}");
    assert_eq!(shown.lock().unwrap().iter().filter(|byte| **byte == b'\n').count(), 1, "shown once");

    let watch = Watch::start(&world.embedded.kinesis(), "session-stream", None).await.unwrap();
    let soon = tokio::time::sleep(Duration::from_millis(10));
    let mut output = Output::new(Vec::new(), Format::Text);
    assert_eq!(watch.show(&mut output, soon).await.unwrap(), Watched::default());
}
