//! The local run cannot call an AWS account, whatever the environment contains.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Everything that reads a process's environment: no client can get the SDK's variables any other way.
const READS_ENVIRONMENT: [&str; 4] = ["env::var", "var_os", "from_env", "aws_config"];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

#[test]
fn neither_the_local_run_nor_the_embedded_services_read_the_environment() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let files = ["local/src", "local-aws/src"].map(|folder| sources(&project.join(folder))).concat();
    assert!(files.len() > 50, "{files:?}");
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        for name in READS_ENVIRONMENT {
            assert!(!text.contains(name), "{} contains {name}", file.display());
        }
    }
}

#[test]
fn run_ignores_endpoints_in_the_environment() {
    let folder = tempfile::TempDir::new().unwrap();
    let clicks = folder.path().join("clicks");
    fs::write(&clicks, r#"{"user_id":"a","event_timestamp":1721390000000}"#).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut run = Command::new(env!("CARGO_BIN_EXE_local"));
    run.args(["run", "--sessions", "-", "--input"]).arg(&clicks).current_dir(&folder);
    for name in ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_KINESIS"] {
        run.env(name, &url);
    }
    for name in ["SESSIONS_TABLE", "STATE_TABLE", "REJECTED_TABLE", "SESSION_STREAM", "AWS_REGION"] {
        run.env(name, "elsewhere");
    }
    let output = run.env("AWS_ACCESS_KEY_ID", "a").env("AWS_SECRET_ACCESS_KEY", "s").output().unwrap();
    assert!(String::from_utf8(output.stdout).unwrap().contains(r#""session_id":"a_0""#), "{:?}", output.status);
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "no connection is waiting");
}

#[test]
fn commands_for_an_account_do_not_exist() {
    for command in ["tables", "redrive"] {
        let output = Command::new(env!("CARGO_BIN_EXE_local")).arg(command).output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(message.contains(&format!("unrecognized subcommand '{command}'")), "{message}");
    }
}
