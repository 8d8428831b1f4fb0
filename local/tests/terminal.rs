//! The command `run` and the demo as a user runs them: the built program, its output, its files and its exit status.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

const LOCAL: &str = env!("CARGO_BIN_EXE_local");

/// Two sessions of `a`, one of `b`.
const CLICKS: &str = r#"{"user_id":"a","event_timestamp":1721390000000,"event_name":"search"}
{"user_id":"b","event_timestamp":1721390001000,"event_name":"search"}
{"user_id":"a","event_timestamp":1721390020000,"event_name":"search"}
"#;

const SESSION_IDS: [&str; 3] = ["a_0", "a_1", "b_0"];

/// A folder in which the program runs, with clicks in the file `clicks`.
struct Desk {
    folder: TempDir,
}

impl Desk {
    fn new() -> Self {
        let desk = Self { folder: TempDir::new().unwrap() };
        desk.put("clicks", CLICKS.as_bytes());
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn put(&self, name: &str, content: &[u8]) {
        fs::write(self.path(name), content).unwrap();
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(LOCAL);
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(&[&["run"], arguments].concat()).output().unwrap()
    }

    /// The exit status and standard error of a run with invalid `arguments`.
    fn refused(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.command(arguments).output().unwrap();
        assert_eq!(text(&output.stdout), "", "{arguments:?}");
        (output.status.code().unwrap(), text(&output.stderr))
    }

    /// The files in the folder and their content.
    fn content(&self) -> Vec<(String, Vec<u8>)> {
        let file = |entry: fs::DirEntry| {
            let content = if entry.path().is_dir() { Vec::new() } else { fs::read(entry.path()).unwrap() };
            (entry.file_name().into_string().unwrap(), content)
        };
        let mut files: Vec<_> = fs::read_dir(self.folder.path()).unwrap().map(|entry| file(entry.unwrap())).collect();
        files.sort();
        files
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn session_ids(ndjson: &str) -> Vec<String> {
    let id = |line: &str| {
        serde_json::from_str::<serde_json::Value>(line).unwrap()["session_id"].as_str().unwrap().to_owned()
    };
    ndjson.lines().map(id).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn value_out_of_range_is_a_usage_error_that_names_option_value_and_limit() {
    let desk = Desk::new();
    let cases: [(&[&str], &str, &str); 8] = [
        (&["run", "--gap-seconds"], "0", "0 is not in 1..=86400"),
        (&["run", "--gap-seconds"], "86401", "86401 is not in 1..=86400"),
        (&["run", "--shards"], "0", "0 is not in 1..=64"),
        (&["run", "--batch-size"], "10001", "10001 is not in 1..=10000"),
        (&["run", "--first-session"], "never", "[possible values: emit, skip]"),
        (&["serve", "--shards"], "65", "65 is not in 1..=64"),
        (&["chaos", "--runs"], "0", "0 is not in 1..=1000000"),
        (&["chaos", "--jobs"], "0", "0 is not in 1..=256"),
    ];
    for (arguments, value, limit) in cases {
        let (command, option) = (arguments[0], arguments[1]);
        let input: &[&str] = if command == "run" { &["--input", "clicks"] } else { &[] };
        let (status, message) = desk.refused(&[&[command], input, &[option, value]].concat());
        assert_eq!(status, 2, "{message}");
        assert!(message.starts_with(&format!("error: invalid value '{value}' for '{option} <")), "{message}");
        assert!(message.contains(limit), "{message}");
    }
}

#[test]
fn unusable_file_is_an_immediate_error_and_leaves_every_file_unchanged() {
    let desk = Desk::new();
    for name in ["old", "file"] {
        desk.put(name, b"as it was");
    }
    fs::create_dir_all(desk.path("folder")).unwrap();
    fs::create_dir_all(desk.path("data")).unwrap();
    desk.put("data/dynamodb.sqlite", b"not a database");
    fs::hard_link(desk.path("clicks"), desk.path("hard link")).unwrap();
    std::os::unix::fs::symlink("clicks", desk.path("symbolic link")).unwrap();
    let before = desk.content();
    let missing = "No such file or directory (os error 2)";
    let same = "they must be different files";
    let cases: [(&[&str], String); 14] = [
        (&["run", "--input", "none"], format!("--input none cannot be opened for reading: {missing}")),
        (&["run", "--input", "folder"], "--input folder cannot be opened for reading: is a directory".into()),
        (
            &["run", "--input", "clicks", "--sessions", "/nonexistent/x"],
            format!("--sessions /nonexistent/x cannot be opened for writing: {missing}"),
        ),
        (
            &["run", "--input", "clicks", "--sessions", "old", "--boundaries", "new", "--rejected", "no/x"],
            format!("--rejected no/x cannot be opened for writing: {missing}"),
        ),
        (
            &["run", "--input", "clicks", "--boundaries", "folder"],
            "--boundaries folder cannot be opened for writing: Is a directory (os error 21)".into(),
        ),
        (&["run", "--input", "clicks", "--sessions", "clicks"], format!("--sessions clicks is also given as --input: {same}")),
        (
            &["run", "--input", "clicks", "--boundaries", "./clicks"],
            format!("--boundaries ./clicks is also given as --input: {same}"),
        ),
        (
            &["run", "--input", "clicks", "--rejected", "hard link"],
            format!("--rejected hard link is also given as --input: {same}"),
        ),
        (
            &["run", "--input", "clicks", "--rejected", "symbolic link"],
            format!("--rejected symbolic link is also given as --input: {same}"),
        ),
        (
            &["run", "--input", "clicks", "--sessions", "new", "--rejected", "./new"],
            format!("--rejected ./new is also given as --sessions: {same}"),
        ),
        (
            &["run", "--input", "clicks", "--sessions", "-", "--boundaries", "-"],
            format!("--boundaries - is also given as --sessions: {same}"),
        ),
        (
            &["run", "--input", "clicks", "--data-dir", "data", "--sessions", "data/dynamodb.sqlite"],
            format!("--sessions data/dynamodb.sqlite is also given as --data-dir: {same}"),
        ),
        (
            &["run", "--input", "clicks", "--sessions", "old", "--rejected", "new", "--data-dir", "file"],
            "--data-dir file cannot be used\n  because: cannot create the data directory file\n  because: not a directory".into(),
        ),
        (&["serve", "--exports", "folder/no/x"], format!("--exports folder/no/x cannot be opened for writing: {missing}")),
    ];
    for (arguments, expected) in cases {
        assert_eq!(desk.refused(arguments), (1, format!("error: {expected}\n")), "{arguments:?}");
        assert_eq!(desk.content(), before, "{arguments:?}");
    }
    let (status, message) = desk.refused(&["run", "--input", "clicks", "--sessions", "old", "--data-dir", "data"]);
    let expected =
        "error: --data-dir data cannot be used\n  because: cannot open the DynamoDB database in data/dynamodb.sqlite: ";
    assert!(status == 1 && message.starts_with(expected), "{message}");
    assert_eq!(desk.text("old"), "as it was");
    assert_eq!(desk.text("data/dynamodb.sqlite"), "not a database");
}

#[test]
fn error_in_an_option_does_not_wait_for_standard_input_to_end() {
    let desk = Desk::new();
    let mut command = desk.command(&["run", "--input", "-", "--sessions", "/nonexistent/x"]);
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let stdin = child.stdin.take(); // open for as long as the program runs
    assert_eq!(child.wait().unwrap().code(), Some(1));
    drop(stdin);
}

#[test]
fn standard_input_that_is_also_an_output_is_an_error() {
    let desk = Desk::new();
    let mut command = desk.command(&["run", "--input", "-", "--sessions", "clicks"]);
    let output = command.stdin(fs::File::open(desk.path("clicks")).unwrap()).output().unwrap();
    let expected = "error: --sessions clicks is also given as --input: they must be different files\n";
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(1), expected.to_owned()));
    assert_eq!(desk.text("clicks"), CLICKS);
}

#[test]
fn gzip_input_gives_the_same_sessions_from_a_file_and_from_standard_input() {
    let desk = Desk::new();
    let (first, second) = CLICKS.as_bytes().split_at(100);
    // Two members that split a line, in a file whose name does not end in .gz.
    desk.put("zipped", &[gzip(first), gzip(second)].concat());
    let output = desk.run(&["--input", "zipped", "--sessions", "-"]);
    assert_eq!(
        (output.status.code(), session_ids(&text(&output.stdout))),
        (Some(0), SESSION_IDS.map(String::from).into())
    );

    let mut command = desk.command(&["run", "--input", "-", "--sessions", "sessions"]);
    let output = command.stdin(fs::File::open(desk.path("zipped")).unwrap()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(session_ids(&desk.text("sessions")), SESSION_IDS);
}

#[test]
fn failed_run_leaves_its_outputs_empty() {
    let desk = Desk::new();
    let whole = gzip(CLICKS.as_bytes());
    desk.put("cut.gz", &whole[..whole.len() - 4]);
    let outputs = ["--sessions", "sessions", "--boundaries", "boundaries", "--rejected", "rejected"];
    let cases: [(&[&str], &str); 3] = [
        (&["--input", "cut.gz"], "cut.gz, after line 3: the gzip data is damaged or truncated: unexpected end of file"),
        (
            &["--input", "clicks", "--sessions", "/dev/full"],
            "--sessions /dev/full cannot be written: No space left on device (os error 28)",
        ),
        (
            &["--input", "clicks", "--boundaries", "/dev/full"],
            "--boundaries /dev/full cannot be written: No space left on device (os error 28)",
        ),
    ];
    for (arguments, expected) in cases {
        for name in ["sessions", "boundaries", "rejected"] {
            desk.put(name, b"of an earlier run");
        }
        let others = outputs.chunks(2).filter(|pair| !arguments.contains(&pair[0])).flatten().copied();
        let output = desk.run(&arguments.iter().copied().chain(others.clone()).collect::<Vec<_>>());
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(1), format!("error: {expected}\n")));
        for name in others.filter(|name| !name.starts_with('-')) {
            assert_eq!(desk.text(name), "", "{name} after {arguments:?}");
        }
    }
}

#[test]
fn ctrl_c_ends_a_run_and_leaves_its_outputs_empty() {
    let desk = Desk::new();
    desk.put("sessions", b"of an earlier run");
    let mut command = desk.command(&["run", "--input", "-", "--sessions", "sessions", "--boundaries", "boundaries"]);
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap(); // open for as long as the program runs
    for number in 0..1_000 {
        writeln!(stdin, r#"{{"user_id":"user{number}","event_timestamp":1721390000000}}"#).unwrap();
    }
    let deadline = Instant::now() + Duration::from_secs(60);
    while !fs::read(desk.path("boundaries")).is_ok_and(|boundaries| !boundaries.is_empty()) {
        assert!(Instant::now() < deadline, "boundaries are written while the input is open");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), text(&output.stderr)),
        (Some(1), "error: interrupted: the output files of this run are either empty or unchanged\n".to_owned())
    );
    assert_eq!((desk.text("sessions"), desk.text("boundaries")), (String::new(), String::new()));
    drop(stdin);
}

#[test]
fn outputs_replace_those_of_an_earlier_run() {
    let desk = Desk::new();
    for name in ["sessions", "boundaries", "rejected"] {
        desk.put(name, &[b'x'; 100_000]);
    }
    // One click per batch: a session that opens and closes within one batch is published once.
    let options = ["--input", "clicks", "--shards", "1", "--batch-size", "1"];
    let outputs = ["--sessions", "sessions", "--boundaries", "boundaries", "--rejected", "rejected"];
    let output = desk.run(&[&options[..], &outputs].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(session_ids(&desk.text("sessions")), SESSION_IDS);
    let mut of_a = session_ids(&desk.text("boundaries"));
    of_a.retain(|id| id.starts_with('a'));
    assert_eq!(of_a, ["a_0", "a_0", "a_1"], "opened, closed, and the next one opened");
    assert_eq!(desk.text("rejected"), "");
}

#[test]
fn last_session_of_each_user_stays_open_unless_asked_to_close() {
    let desk = Desk::new();
    let statuses = |options: &[&str]| {
        let output = desk.run(&[&["--input", "clicks", "--sessions", "-"], options].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let status = |line: &str| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["status"].as_str().unwrap().to_owned()
        };
        text(&output.stdout).lines().map(status).collect::<Vec<_>>()
    };
    assert_eq!(statuses(&[]), ["closed", "open", "open"]);
    assert_eq!(statuses(&["--close"]), ["closed"; 3]);
}

#[test]
fn rejected_records_are_written_in_input_order_with_their_partition_keys() {
    let desk = Desk::new();
    let far_future = r#"{"user_id":"c","event_timestamp":32503680000000}"#; // the year 3000
    let lines = ["", "no click", "\r", &far_future.replace('c', "a"), " \t ", "{}", CLICKS, "[]", far_future];
    desk.put("mixed", lines.join("\n").as_bytes());
    let arguments = ["--input", "mixed", "--rejected", "-", "--data-dir", "data"];
    let output = desk.run(&arguments);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let row = |line: &str| {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| row[name].as_str().unwrap().to_owned();
        (row["line"].as_u64(), text("partition_key"), text("reason"))
    };
    let expected = [
        (2, "line 2", "not_json"),
        (4, "a", "event_timestamp_in_the_future"),
        (6, "line 6", "user_id_missing"),
        (11, "line 11", "not_an_object"),
        (12, "c", "event_timestamp_in_the_future"),
    ];
    let expected = expected.map(|(line, key, reason)| (Some(line), key.to_owned(), reason.to_owned()));
    assert_eq!(text(&output.stdout).lines().map(row).collect::<Vec<_>>(), expected);
    // A second run does not report the records that the first one rejected.
    desk.put("mixed", b"  {\n");
    let second = desk.run(&arguments);
    let rows: Vec<_> = text(&second.stdout).lines().map(row).collect();
    assert_eq!(rows, [(Some(1), "line 1".to_owned(), "not_json".to_owned())]);
}

#[test]
fn oversized_line_is_reported_with_the_limit_and_fails_the_run() {
    let desk = Desk::new();
    let padded = |bytes: usize| {
        let click = r#"{"user_id":"a","event_timestamp":1721390000000}"#;
        format!("{click}{}\n", " ".repeat(bytes - click.len()))
    };
    // With the partition key `a`, the first line is exactly at the limit.
    let lines = [padded(1_048_575), padded(1_048_576), "x".repeat(1_100_000)];
    desk.put("large", lines.concat().as_bytes());
    let output = desk.run(&["--input", "large", "--sessions", "-"]);
    assert_eq!(session_ids(&text(&output.stdout)), ["a_0"]);
    let summary = text(&output.stderr);
    let expected = "
not put            2 lines: a Kinesis record is limited to 1048576 bytes including its partition key
                     line 2 has 1048576 bytes plus a partition key of 1
                     line 3 has 1100000 bytes
NOT EVERY RECORD IS ACCOUNTED FOR: of 3 records, 1 were applied, late, filtered or rejected
";
    assert!(summary.ends_with(expected), "{summary}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn the_demo_closes_every_session_by_inactivity_and_ends_with_the_table() {
    let desk = Desk::new();
    let output = desk.command(&[]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let printed = text(&output.stdout);
    let (before, after) = printed.split_once("Nobody clicks any more.").unwrap();
    let (quiet, table) = after.split_once("The sessions table:").unwrap();
    assert!(before.contains("open  "), "{printed}");
    // Each user's last session closes after the users have stopped.
    for user in ["user1", "user2", "user3"] {
        let ordinals =
            table.split_whitespace().filter_map(|word| word.strip_prefix(user)?.strip_prefix('_')?.parse().ok());
        let last: u64 = ordinals.max().unwrap();
        let closes = |line: &str| line.trim_start().starts_with(&format!("{user}_{last} ")) && line.contains("closed");
        assert!(quiet.lines().any(closes), "{user}_{last}: {printed}");
    }
    assert!(!table.contains("open") && table.contains("closed"), "{printed}");
    assert!(table.contains("cargo run -p local -- serve\n      Prints the address of a page"), "{printed}");
}

#[test]
fn help_explains_the_exit_status() {
    let help = Command::new(LOCAL).arg("--help").current_dir(Path::new("/")).output().unwrap();
    assert!(text(&help.stdout).contains("Exit status:\n  0  "), "{}", text(&help.stdout));
}
