//! Starts a function's binary as Lambda does, in an environment in which it cannot run.

use std::process::Command;

use serde_json::Value;

/// The variables of an environment without any service: nothing listens on port 1.
pub const UNREACHABLE: [(&str, &str); 8] = [
    ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:1"),
    ("AWS_LAMBDA_FUNCTION_NAME", "function"),
    ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
    ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
    ("AWS_REGION", "us-east-1"),
    ("AWS_ACCESS_KEY_ID", "id"),
    ("AWS_SECRET_ACCESS_KEY", "secret"),
    ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
];

/// Starts `binary` with only `variables` and returns the line that it writes before it exits.
///
/// # Errors
/// If it cannot be started, succeeds, or writes anything other than one line of JSON to standard output.
pub fn failed_start(binary: &str, variables: &[(&str, &str)]) -> Result<Value, String> {
    let mut command = Command::new(binary);
    command.env_clear().env("AWS_LAMBDA_LOG_FORMAT", "JSON").envs(variables.iter().copied());
    let output = command.output().map_err(|error| format!("{binary}: {error}"))?;
    if output.status.success() || !output.stderr.is_empty() {
        return Err(format!("{binary}: {output:?}"));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("{binary}: {error}: {output:?}"))
}
