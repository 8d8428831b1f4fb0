//! Bytes as a record of session-stream: what can be read is written again as the same boundary.

#![no_main]

use libfuzzer_sys::fuzz_target;
use shared::boundary::Boundary;
use shared::rejection::Reason;

fuzz_target!(|data: &[u8]| {
    let boundary = match Boundary::decode(data) {
        Ok(boundary) => boundary,
        Err(rejection) => {
            assert!(!rejection.message.is_empty() && !rejection.message.contains(char::is_control));
            assert!(Reason::all().any(|reason| reason == rejection.reason), "{} is not listed", rejection.reason);
            return;
        }
    };
    // The Flink job's boundaries have no status, and are never written again.
    if boundary.status.is_some() {
        let encoded = boundary.encode().expect("texts and integers are JSON");
        assert_eq!(Boundary::decode(&encoded).as_ref(), Ok(&boundary));
    }
});
