//! The log lines of a test, as the functions write them.
//!
//! One subscriber for the whole process writes to the current thread's buffer, if it has one. Per-thread subscribers
//! would miss lines: tracing caches the interest in a line for all threads, from the first thread that reaches it.

use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::Once;

use serde_json::Value;

thread_local! {
    static CAPTURED: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

/// Captures this thread's log lines at level INFO and above, as on Lambda, until it is dropped. An asynchronous test
/// must run on a single thread.
#[derive(Debug)]
pub struct CapturedLogs(());

impl CapturedLogs {
    /// Captures from now on.
    #[must_use]
    pub fn start() -> Self {
        static SUBSCRIBED: Once = Once::new();
        SUBSCRIBED.call_once(|| {
            // An error means that another subscriber is set; then nothing is captured and the test fails.
            let _ = tracing::subscriber::set_global_default(kinesis_function::logs::json_lines_to(
                || Capture,
                Some("INFO"),
                None,
            ));
            // A thread may have reached a line just before the subscriber was set.
            tracing::callsite::rebuild_interest_cache();
        });
        CAPTURED.set(Some(Vec::new()));
        Self(())
    }

    /// Everything written so far.
    #[must_use]
    pub fn text(&self) -> String {
        CAPTURED.with_borrow(|captured| String::from_utf8_lossy(captured.as_deref().unwrap_or_default()).into_owned())
    }

    /// The level and the fields of each line. A line that is not JSON appears as an error.
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
