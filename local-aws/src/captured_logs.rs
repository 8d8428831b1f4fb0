//! The log lines of a test, as the functions write them.
//!
//! One subscriber for the whole process writes to the thread's own buffer, if it has one. A subscriber per thread would
//! miss lines: whether a line is of interest is cached for all threads, by the first one that reaches it.

use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::Once;

use serde_json::Value;

thread_local! {
    static CAPTURED: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

/// Captures what this thread logs at level INFO, as on Lambda, until this value is dropped. An asynchronous test must
/// run on a single thread.
#[derive(Debug)]
pub struct CapturedLogs(());

impl CapturedLogs {
    /// Captures from now on.
    #[must_use]
    pub fn start() -> Self {
        static SUBSCRIBED: Once = Once::new();
        SUBSCRIBED.call_once(|| {
            // An error says that another subscriber is in place; then nothing is captured, and the test fails.
            let _ = tracing::subscriber::set_global_default(kinesis_function::logs::json_lines_to(
                || Capture,
                Some("INFO"),
                None,
            ));
            // A thread may have reached a line just before the subscriber was in place.
            tracing::callsite::rebuild_interest_cache();
        });
        CAPTURED.set(Some(Vec::new()));
        Self(())
    }

    /// Everything that was written.
    #[must_use]
    pub fn text(&self) -> String {
        CAPTURED.with_borrow(|captured| String::from_utf8_lossy(captured.as_deref().unwrap_or_default()).into_owned())
    }

    /// The level and the fields of each line; a line that is not JSON is shown as an error.
    #[must_use]
    pub fn lines(&self) -> Vec<(String, Value)> {
        let line = |line: &str| match serde_json::from_str::<Value>(line) {
            Ok(mut json) => (json["level"].as_str().unwrap_or_default().to_owned(), json["fields"].take()),
            Err(error) => ("not JSON".to_owned(), Value::String(format!("{error}: {line}"))),
        };
        self.text().lines().map(line).collect()
    }
}

impl Drop for CapturedLogs {
    fn drop(&mut self) {
        CAPTURED.set(None);
    }
}

struct Capture;

impl Write for Capture {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        CAPTURED.with_borrow_mut(|captured| captured.iter_mut().for_each(|buffer| buffer.extend_from_slice(bytes)));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
