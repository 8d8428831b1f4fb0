//! The log lines of this project's own crates, as the function would write them.
//!
//! One subscriber for the whole process writes to the thread's own collection, if it has one. A subscriber for each
//! thread would miss lines: whether a line is of interest is cached for all threads, by the first one that comes to it.

use std::cell::RefCell;
use std::io;
use std::sync::Once;

use lambda_runtime::tracing::subscriber;
use serde_json::Value;

thread_local! {
    static COLLECTED: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

/// Collects the lines of the current thread, which is that of the test and of its services, until it is dropped.
pub struct Logs(());

struct Writer;

impl io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        COLLECTED.with_borrow_mut(|collected| collected.iter_mut().for_each(|lines| lines.extend_from_slice(bytes)));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Logs {
    /// Begins to collect.
    pub fn collect() -> Self {
        static SUBSCRIBED: Once = Once::new();
        SUBSCRIBED.call_once(|| {
            subscriber::fmt().json().without_time().with_writer(|| Writer).init();
            // A thread may have come to a line just before the subscriber was in place.
            lambda_runtime::tracing::callsite::rebuild_interest_cache();
        });
        COLLECTED.set(Some(Vec::new()));
        Self(())
    }

    /// Everything that was written, as text.
    pub fn text(&self) -> String {
        String::from_utf8(COLLECTED.with_borrow(Clone::clone).unwrap()).unwrap()
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

impl Drop for Logs {
    fn drop(&mut self) {
        COLLECTED.set(None);
    }
}
