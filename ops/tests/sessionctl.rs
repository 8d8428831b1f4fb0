//! `sessionctl` as an operator runs it: the built program against the embedded services.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Command, ExitStatus, Output, Stdio};

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use local_aws::{LocalAws, LocalAwsOptions, Template};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// An account with rejected records.
struct Account {
    services: LocalAws,
}

impl Account {
    /// Its table of rejected records contains `count` records from click-stream.
    async fn with(count: u64) -> Self {
        let services = LocalAws::start(LocalAwsOptions::default()).await.unwrap();
        services.create_resources(&Template::of_this_project().unwrap(), Some(1)).await.unwrap();
        for number in 1..=count {
            let (text, digits) = (number.to_string(), |n: u64| AttributeValue::N(n.to_string()));
            let string = |text: &str| AttributeValue::S(text.to_owned());
            let shard = "click-stream/shardId-000000000000";
            let put = services.dynamodb().put_item().table_name("rejected-records");
            let put = put.item("position", string(&format!("{shard}/{text}"))).item("source", string(shard));
            let put = put.item("sequence_number", string(&text)).item("partition_key", string("key"));
            let put = put.item("reason", string("not_json")).item("message", string("expected value\u{1b}[2J"));
            let put = put.item("arrival_time", digits(number)).item("data_length", digits(text.len() as u64));
            put.item("data", AttributeValue::B(Blob::new(text))).send().await.unwrap();
        }
        Self { services }
    }

    /// `sessionctl` with `arguments` and only the variables that point it to this account.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sessionctl"));
        command.args(arguments).env_clear().stdin(Stdio::null());
        command.env("AWS_REGION", "us-east-1").env("AWS_ACCESS_KEY_ID", "local").env("AWS_SECRET_ACCESS_KEY", "local");
        command.env("AWS_ENDPOINT_URL_DYNAMODB", self.services.dynamodb_url());
        command.env("AWS_ENDPOINT_URL_KINESIS", self.services.kinesis_url());
        command
    }

    fn run(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        output_of(&self.command(arguments).output().unwrap())
    }

    /// The number of remaining rejected records.
    async fn left(&self) -> i32 {
        self.services.dynamodb().scan().table_name("rejected-records").send().await.unwrap().count
    }

    /// The first output of each command that calls both services.
    fn target(&self) -> String {
        let (dynamodb, kinesis) = (self.services.dynamodb_url(), self.services.kinesis_url());
        let endpoints = format!("DynamoDB at {dynamodb}\nKinesis at {kinesis}\n");
        format!("account 000000000000, region us-east-1\n{endpoints}table rejected-records\n")
    }
}

/// Exit code, standard output, standard error.
fn output_of(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// Runs `command` in a terminal and types `answer` at its prompt. Returns its status and everything that the terminal
/// shows.
fn at_a_terminal(mut command: Command, answer: &str) -> (ExitStatus, String) {
    let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&controller).unwrap();
    unlockpt(&controller).unwrap();
    let name = ptsname(&controller, Vec::new()).unwrap();
    let terminal = File::from(rustix::fs::open(&name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap());
    command.stdin(terminal.try_clone().unwrap()).stderr(terminal.try_clone().unwrap()).stdout(terminal);
    let mut child = command.spawn().unwrap();
    drop(command); // closes its handles of the terminal, so that reading ends when the program exits
    let mut controller = File::from(controller);
    let (mut shown, mut buffer, mut is_answered) = (Vec::new(), [0; 1_024], false);
    // On Linux, reading from a terminal that no process has open is an error.
    while let Ok(count @ 1..) = controller.read(&mut buffer) {
        shown.extend_from_slice(&buffer[..count]);
        if !is_answered && shown.ends_with(b"to continue: ") {
            controller.write_all(format!("{answer}\n").as_bytes()).unwrap();
            is_answered = true;
        }
    }
    (child.wait().unwrap(), String::from_utf8_lossy(&shown).replace("\r\n", "\n"))
}

#[tokio::test(flavor = "multi_thread")]
async fn redrive_without_a_terminal_and_without_yes_is_refused_before_any_call() {
    let account = Account::with(1).await;
    let expected = "error: redrive changes tables and streams and needs confirmation, but standard input and standard \
                    error are not a terminal: nothing was changed\n\
                    hint: run the command in a terminal, or pass --yes after reading its entry in --help (redrive and \
                    forget: --dry-run to only count)\n";
    assert_eq!(account.run(&["redrive"]), (Some(2), String::new(), expected.to_owned()));
    assert_eq!(account.left().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn redrive_in_a_terminal_shows_what_it_would_change_and_changes_it_once_confirmed() {
    let account = Account::with(3).await;
    let question = "records to put back: 3 into stream click-stream\n\
                    Put them back in account 000000000000, region us-east-1? Type \"yes\" to continue: ";
    let (status, shown) = at_a_terminal(account.command(&["redrive"]), "no");
    let refused = "no\nerror: not confirmed: nothing was changed\n";
    assert_eq!((status.code(), shown), (Some(1), format!("{}{question}{refused}", account.target())));
    assert_eq!(account.left().await, 3);

    let (status, shown) = at_a_terminal(account.command(&["redrive"]), "yes");
    assert!(shown.starts_with(&format!("{}{question}yes\n", account.target())), "{shown}");
    assert!(shown.ends_with("records put back into their streams: 3\n        3 not_json\n"), "{shown}");
    assert_eq!((status.code(), account.left().await), (Some(0), 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn redrive_with_yes_does_not_ask_but_still_shows_its_target() {
    let account = Account::with(2).await;
    let done = "records put back into their streams: 2\n        2 not_json\n".to_owned();
    let said = format!("{}records to put back: 2 into stream click-stream\n", account.target());
    assert_eq!(account.run(&["redrive", "--yes"]), (Some(0), done, said));
    assert_eq!(account.left().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn dry_run_does_not_ask_and_changes_nothing() {
    let account = Account::with(1).await;
    let (status, stdout, stderr) = account.run(&["redrive", "--dry-run", "--reasons", "not_json,not_utf8"]);
    let expected = "Dry run: nothing was changed. Without --dry-run:\n\
                    records put back into their streams: 1\n        1 not_json\n";
    assert_eq!((status, stdout.as_str()), (Some(0), expected));
    assert_eq!(stderr, format!("{}records to put back: 1 into stream click-stream\n", account.target()));
    assert_eq!(account.left().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_reason_is_an_error_that_lists_the_valid_ones() {
    let account = Account::with(1).await;
    let (status, stdout, stderr) = account.run(&["redrive", "--yes", "--reasons", "bogus"]);
    assert_eq!((status, stdout.as_str()), (Some(2), ""), "nothing was done");
    let expected = "error: --reasons: unknown reason \"bogus\". Valid reasons:\n  not_utf8\n  ";
    assert!(stderr.starts_with(expected), "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_a_deleted_stream_stay_in_the_table_and_the_command_fails_with_advice() {
    let account = Account::with(1).await;
    account.services.kinesis().delete_stream().stream_name("click-stream").send().await.unwrap();
    let (status, stdout, stderr) = account.run(&["redrive", "--yes"]);
    let expected = "records put back into their streams: 0\n        \
                    1 not_json, left in the table: not accepted (ResourceNotFoundException)\n";
    assert_eq!((status, stdout.as_str()), (Some(1), expected));
    assert!(stderr.ends_with("run the same command again: the remaining records are in the table\n"), "{stderr}");
    assert_eq!(account.left().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_table_is_an_error_that_lists_the_settings_to_check() {
    let account = Account::with(0).await;
    let output = account.command(&["redrive", "--yes"]).env("REJECTED_TABLE", "elsewhere").output().unwrap();
    let (status, stdout, stderr) = output_of(&output);
    assert_eq!((status, stdout.as_str()), (Some(1), ""));
    assert!(
        stderr.starts_with("error: table elsewhere: DescribeTable failed: ResourceNotFoundException: "),
        "{stderr}"
    );
    assert!(stderr.contains("\nhint: the account, region or table name may be wrong"), "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_missing_variables_are_reported_together() {
    let account = Account::with(0).await;
    let output = account.command(&["tables"]).env_clear().output().unwrap();
    let (status, stdout, stderr) = output_of(&output);
    assert_eq!((status, stdout.as_str()), (Some(1), ""));
    for text in ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "\nhint: set them, or take them from"] {
        assert!(stderr.contains(text), "{text} is not in\n{stderr}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_are_shown_up_to_the_limit_with_control_characters_escaped() {
    let account = Account::with(3).await;
    let dynamodb = account.services.dynamodb_url();
    let tables = "tables sessions, state-log, session-state, rejected-records\n\n";
    let target = format!("account 000000000000, region us-east-1\nDynamoDB at {dynamodb}\n{tables}");
    let empty = "sessions: 0
  session  start (UTC)  status  length  clicks  first event

state-log and session-state: 0
  user  state  last session  start (UTC)  last seen  clicks

";
    let row = "  not_json      1  expected value\\u{1b}[2J\n";
    let titles = "  reason    bytes  message\n";
    let all = format!("{empty}rejected-records: 3\n{titles}{row}{row}{row}");
    assert_eq!(account.run(&["tables"]), (Some(0), all.clone(), target.clone()));
    assert_eq!(account.run(&["tables", "--limit", "3"]), (Some(0), all, target.clone()));

    let (status, stdout, stderr) = account.run(&["tables", "--limit", "2"]);
    let (title, rows) = stdout.strip_prefix(empty).unwrap().split_once('\n').unwrap();
    assert!(title.starts_with("rejected-records: 2, in no particular order; the table contains "), "{title}");
    assert_eq!((status, rows, stderr), (Some(0), format!("{titles}{row}{row}").as_str(), target));
}

#[test]
fn values_outside_their_limits_are_rejected() {
    let cases: [(&[&str], &str); 3] = [
        (&["tables", "--limit", "0"], "0 is not in 1..=1000"),
        (&["tables", "--limit", "1001"], "1001 is not in 1..=1000"),
        (&["redrive", "--yes", "--dry-run"], "'--yes' cannot be used with '--dry-run'"),
    ];
    for (arguments, expected) in cases {
        let (status, _, stderr) =
            output_of(&Command::new(env!("CARGO_BIN_EXE_sessionctl")).args(arguments).output().unwrap());
        assert_eq!(status, Some(2), "{stderr}");
        assert!(stderr.contains(expected), "{stderr}");
    }
}

#[test]
fn help_explains_the_exit_status_and_the_danger_of_yes() {
    let help = |arguments: &[&str]| {
        output_of(&Command::new(env!("CARGO_BIN_EXE_sessionctl")).args(arguments).output().unwrap()).1
    };
    assert!(help(&["--help"]).contains("Exit status:\n  0  "), "{}", help(&["--help"]));
    assert!(help(&["redrive", "--help"]).contains("DANGER: "), "{}", help(&["redrive", "--help"]));
}
