//! The log lines of this project's own crates, as the function would write them.

use std::io;
use std::sync::{Arc, Mutex};

use lambda_runtime::tracing::{self, subscriber};
use serde_json::Value;

/// Collects the lines of the current thread until it is dropped.
pub struct Logs {
    written: Arc<Mutex<Vec<u8>>>,
    _guard: tracing::dispatcher::DefaultGuard,
}

struct Writer(Arc<Mutex<Vec<u8>>>);

impl io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Logs {
    /// Begins to collect.
    pub fn collect() -> Self {
        let written = Arc::<Mutex<Vec<u8>>>::default();
        let writer = Arc::clone(&written);
        let lines = subscriber::fmt().json().without_time().with_writer(move || Writer(Arc::clone(&writer)));
        let guard = subscriber::util::SubscriberInitExt::set_default(lines.finish());
        Self { written, _guard: guard }
    }

    /// Everything that was written, as text.
    pub fn text(&self) -> String {
        String::from_utf8(self.written.lock().unwrap().clone()).unwrap()
    }

    /// The level and the fields of each line so far.
    pub fn lines(&self) -> Vec<(String, Value)> {
        let lines = self.text();
        let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let own = lines.filter(|line| {
            let target = line["target"].as_str().unwrap();
            ["shared", "sessionizer_fn"].iter().any(|name| target.starts_with(name))
        });
        own.map(|mut line| (line["level"].as_str().unwrap().to_owned(), line["fields"].take())).collect()
    }
}
