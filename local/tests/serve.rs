//! The command `serve` as a user runs it: the built program, called with the SDK.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use aws_sdk_kinesis::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use ops::config::Config;
use ops::output::{Format, Output};
use ops::tables::{self, Tables};
use ops::target::{Service, Target};

/// Anything that takes longer than this is considered stuck.
const PATIENCE: Duration = Duration::from_secs(60);

/// Lines read ahead of the test. When they are not consumed, the program blocks on its output, as with a stopped
/// terminal.
const LINES_READ_AHEAD: usize = 100;

/// More items than any table of these tests contains.
const MOST_ITEMS: u32 = 10_000;

const LOCAL: &str = env!("CARGO_BIN_EXE_local");

/// The running program. Dropping it kills the program.
struct Served {
    child: Child,
    lines: Receiver<String>,
    exports: BTreeMap<String, String>,
}

impl Served {
    /// Starts `serve` and reads the exports from its output.
    fn start(exports_file: &str) -> Self {
        let mut serve = Command::new(LOCAL);
        serve.args(["serve", "--shards", "2", "--exports", exports_file]).stdout(Stdio::piped());
        let mut child = serve.spawn().unwrap();
        let (sender, lines) = mpsc::sync_channel(LINES_READ_AHEAD);
        let stdout = BufReader::new(child.stdout.take().unwrap());
        // Ends when the program or the test ends.
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let mut served = Self { lines, child, exports: BTreeMap::new() };
        while let line = served.line()
            && !line.starts_with("Press Ctrl-C")
        {
            if let Some((name, value)) = line.strip_prefix("export ").and_then(|export| export.split_once('=')) {
                let words = shlex::split(value).unwrap(); // as a shell reads it
                served.exports.insert(name.to_owned(), words.concat());
            }
        }
        served
    }

    /// Stops reading the output until the result is dropped. The pipe stays open.
    fn stop_reading(&mut self) -> Receiver<String> {
        let (_, none) = mpsc::channel();
        std::mem::replace(&mut self.lines, none)
    }

    async fn ends(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "it is still running");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("the program is running and prints something")
    }

    /// Reads the output until a line contains `text`.
    fn until(&self, text: &str) {
        while !self.line().contains(text) {}
    }

    fn kinesis(&self) -> aws_sdk_kinesis::Client {
        let config = aws_sdk_kinesis::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(self.exports["AWS_REGION"].clone()))
            .endpoint_url(&self.exports["AWS_ENDPOINT_URL_KINESIS"])
            .credentials_provider(Credentials::new("local", "local", None, None, "test"))
            .http_client(aws_smithy_http_client::Builder::new().build_http());
        aws_sdk_kinesis::Client::from_conf(config.build())
    }

    async fn put(&self, user: &str, data: &str) {
        let put = self.kinesis().put_record().stream_name("click-stream").partition_key(user);
        put.data(Blob::new(data)).send().await.unwrap();
    }

    /// The tables as shown to a client that uses the exports.
    async fn tables(&self) -> String {
        let config = Config::from_variables(self.exports.clone()).unwrap();
        let dynamodb = aws_sdk_dynamodb::Client::new(&config.sdk);
        let names = &config.tables;
        let names = [names.sessions.as_str(), &names.state_log, &names.states, &names.rejected];
        let target = Target::of(&config.sdk, &dynamodb, &[Service::DynamoDb], names).await.unwrap();
        let [sessions, state_log, states, rejected] = &target.tables;
        let tables = Tables { sessions, state_log, states, rejected, limit: MOST_ITEMS, width: None };
        let mut shown = Vec::new();
        tables::show(&dynamodb, &tables, &mut Output::new(&mut shown, Format::Text)).await.unwrap();
        String::from_utf8(shown).unwrap()
    }
}

impl Served {
    /// The tables, as soon as they contain `text`.
    async fn is_shown_by(&self, deadline: Instant, text: &str) -> String {
        loop {
            let tables = self.tables().await;
            if tables.contains(text) {
                return tables;
            }
            assert!(Instant::now() < deadline, "{text} is not in\n{tables}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended by itself
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn clicks_put_through_the_api_become_sessions_in_the_tables() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("exports");
    let served = Served::start(file.to_str().unwrap());
    let click =
        |user: &str, ms: u64| format!(r#"{{"user_id":"{user}","event_timestamp":"{ms}","event_name":"search"}}"#);
    served.put("user7", &click("user7", 1_721_390_000_000)).await;
    served.until("user7_0   open");
    served.put("user7", &click("user7", 1_721_390_012_000)).await;
    served.until("user7_1   open");
    served.put("nobody", "no click").await;
    served.put("user8", &click("user8", 1_721_390_000_000)).await;
    served.until("user8_0");

    // A boundary is printed when it is published; the sink stores it a moment later.
    let deadline = Instant::now() + PATIENCE;
    let tables = loop {
        let tables = served.tables().await;
        if tables.contains("sessions: 3\n") && tables.contains("rejected-records: 1\n") {
            break tables;
        }
        assert!(Instant::now() < deadline, "{tables}");
    };
    for line in ["user7_0  2024-07-19 11:53:20  closed", "user7_1  2024-07-19 11:53:32  open", "not_json"] {
        assert!(tables.contains(line), "{line} is not in\n{tables}");
    }
    let exports = std::fs::read_to_string(&file).unwrap();
    for (name, value) in &served.exports {
        assert!(exports.contains(&format!("export {name}={value}\n")), "{name} is not in\n{exports}");
    }
    for name in ["AWS_ENDPOINT_URL_DYNAMODB", "STATE_LOG_TABLE", "STATE_TABLE", "SESSIONS_TABLE", "SESSION_GAP_SECONDS"]
    {
        assert!(served.exports.contains_key(name), "{name} is not exported");
    }
}

/// With the default gap and grace of ten seconds each, and a sweep every second.
#[tokio::test]
async fn a_quiet_user_is_closed_and_reopened_by_a_late_click_of_the_same_session() {
    const SOON: Duration = Duration::from_secs(25);
    let folder = tempfile::TempDir::new().unwrap();
    let served = Served::start(folder.path().join("exports").to_str().unwrap());
    let click = |ms: u64| format!(r#"{{"user_id":"quiet","event_timestamp":{ms},"event_name":"search"}}"#);
    for (ms, summary) in [(1_721_390_000_000, "closed     0 s       1"), (1_721_390_006_000, "closed     6 s       2")]
    {
        let began = Instant::now();
        served.put("quiet", &click(ms)).await;
        served.until("quiet_0   open");
        served.is_shown_by(began + SOON, "quiet_0  2024-07-19 11:53:20  open").await;
        let tables = served.is_shown_by(began + SOON, summary).await;
        assert!(began.elapsed() >= Duration::from_secs(19), "closed before the gap and the grace were over");
        assert!(tables.contains("sessions: 1\n"), "{tables}");
        served.until("quiet_0   closed");
    }
}

#[tokio::test]
async fn serve_exits_with_an_error_when_its_pipeline_stops() {
    let folder = tempfile::TempDir::new().unwrap();
    let mut served = Served::start(folder.path().join("exports").to_str().unwrap());
    served.kinesis().delete_stream().stream_name("click-stream").send().await.unwrap();
    assert_eq!(served.ends().await.code(), Some(1));
}

#[tokio::test]
async fn ctrl_c_ends_serve_although_its_output_is_not_read() {
    const CLICKS: usize = 2_000;
    let folder = tempfile::TempDir::new().unwrap();
    let mut served = Served::start(folder.path().join("exports").to_str().unwrap());
    let unread = served.stop_reading();
    let kinesis = served.kinesis();
    for first in (0..CLICKS).step_by(500) {
        // Boundaries of users with long names fill the pipe and the tap.
        let entry = |number: usize| {
            let user = format!("user{number:0>200}");
            let click = format!(r#"{{"user_id":"{user}","event_timestamp":1721390000000}}"#);
            PutRecordsRequestEntry::builder().partition_key(user).data(Blob::new(click)).build().unwrap()
        };
        let entries = (first..first + 500).map(entry).collect();
        let put = kinesis.put_records().stream_name("click-stream").set_records(Some(entries)).send().await.unwrap();
        assert_eq!(put.failed_record_count, Some(0));
        tokio::time::sleep(Duration::from_millis(600)).await; // two shards take 2,000 records a second
    }
    // The pipeline continues: sessions are stored although the output is not read.
    let deadline = Instant::now() + PATIENCE;
    while !served.tables().await.contains(&format!("sessions: {CLICKS}\n")) {
        assert!(Instant::now() < deadline, "the pipeline waits for a reader");
    }
    let pid = served.child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    assert_eq!(served.ends().await.code(), Some(0));
    drop(unread);
}
