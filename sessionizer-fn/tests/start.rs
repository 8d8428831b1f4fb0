//! Starts the function's binary as Lambda does.

#![allow(clippy::unwrap_used)]

use local_aws::failed_start::{UNREACHABLE, failed_start};

const BINARY: &str = env!("CARGO_BIN_EXE_sessionizer-fn");

#[test]
fn invalid_configuration_is_logged_as_one_line_of_json_with_every_variable() {
    let line = failed_start(BINARY, &[("FIRST_SESSION", "maybe")]).unwrap();
    assert_eq!((&line["level"], &line["fields"]["message"]), (&"ERROR".into(), &"cannot start".into()));
    let error = line["fields"]["error"].as_str().unwrap();
    for name in [
        "AWS_REGION is missing",
        "STATE_LOG_TABLE is missing",
        "STATE_TABLE is missing",
        "SESSION_STREAM is missing",
        "FIRST_SESSION is \"maybe\"",
    ] {
        assert!(error.contains(name), "{name} is not in {error}");
    }
}

#[test]
fn start_without_reachable_services_ends_with_one_line_about_the_runtime_api() {
    // The warm-up fails immediately, and so does the request for an event.
    let names = [("STATE_LOG_TABLE", "t"), ("STATE_TABLE", "t"), ("REJECTED_TABLE", "t"), ("SESSION_STREAM", "s")];
    let line = failed_start(BINARY, &[&UNREACHABLE[..], &names].concat()).unwrap();
    assert_eq!(line["fields"]["message"], "the Runtime API cannot be reached");
}
