//! Decodes arbitrary bytes as a record of session-stream; every decoded boundary must survive a round trip.

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
    // Boundaries of the Flink job have no status and are never encoded again.
    if boundary.status.is_some() {
        let encoded = boundary.encode().expect("strings and integers encode as JSON");
        assert_eq!(Boundary::decode(&encoded).as_ref(), Ok(&boundary));
    }
});
