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
    assert!(output.stderr.is_empty(), "{output:?}");
    let error = line["fields"]["error"].as_str().unwrap();
    for name in
        ["AWS_REGION is missing", "STATE_TABLE is missing", "SESSION_STREAM is missing", "FIRST_SESSION is \"maybe\""]
    {
        assert!(error.contains(name), "{name} is not in {error}");
    }
}

#[test]
fn start_without_a_reachable_service_ends_with_one_line_about_the_runtime_api() {
    // Nothing listens on port 1: warming up fails at once, and so does asking the Runtime API for an event.
    let output = Command::new(env!("CARGO_BIN_EXE_sessionizer-fn"))
        .env_clear()
        .env("AWS_LAMBDA_LOG_FORMAT", "JSON")
        .env("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:1")
        .env("AWS_LAMBDA_FUNCTION_NAME", "function")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "id")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        .env("STATE_TABLE", "t")
        .env("REJECTED_TABLE", "t")
        .env("SESSION_STREAM", "s")
        .output()
        .unwrap();
    assert!(!output.status.success());
    let line: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(line["fields"]["message"], "the Runtime API cannot be reached");
    assert!(output.stderr.is_empty(), "{output:?}");
}
