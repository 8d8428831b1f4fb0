//! The log lines of a test, as the functions write them.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tracing::subscriber::DefaultGuard;

/// Captures what this thread logs at level INFO, as on Lambda, until this value is dropped.
#[derive(Debug)]
pub struct CapturedLogs {
    buffer: Buffer,
    _guard: DefaultGuard,
}

impl CapturedLogs {
    /// Captures from now on. In an asynchronous test that takes a runtime of one thread.
    #[must_use]
    pub fn start() -> Self {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let subscriber = shared::logs::json_lines_to(move || writer.clone(), Some("INFO"), None);
        Self { buffer, _guard: tracing::subscriber::set_default(subscriber) }
    }

    /// Everything that was written.
    #[must_use]
    pub fn text(&self) -> String {
        let bytes = self.buffer.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
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

#[derive(Clone, Debug, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
