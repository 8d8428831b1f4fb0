//! The function's binary, started as Lambda starts it.

#![allow(clippy::unwrap_used)]

use std::process::Command;

#[test]
fn wrong_configuration_is_one_line_of_json_that_names_every_variable() {
    let output = Command::new(env!("CARGO_BIN_EXE_sessionizer-fn"))
        .env_clear()
        .env("AWS_LAMBDA_LOG_FORMAT", "JSON")
        .env("FIRST_SESSION", "maybe")
        .output()
        .unwrap();
    assert!(!output.status.success());
    let line: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&line["level"], &line["fields"]["message"]), (&"ERROR".into(), &"cannot start".into()));
    let error = line["fields"]["error"].as_str().unwrap();
    for name in ["STATE_TABLE is missing", "SESSION_STREAM is missing", "FIRST_SESSION is \"maybe\""] {
        assert!(error.contains(name), "{name} is not in {error}");
    }
}
