//! Decodes lines of arbitrary bytes as records of click-stream and applies the clicks to one user.

#![no_main]

use libfuzzer_sys::fuzz_target;
use shared::click::{Click, LatestBelievable};
use shared::limits::{MAX_ATTRIBUTE_BYTES, MIN_CLICK_TIME_MS};
use shared::rejection::Reason;
use shared::session_rule::{Placement, SessionGap, UserSessions, apply};

const ARRIVAL_MS: u64 = 1_721_390_400_000;
const MAX_CLOCK_SKEW_MS: u64 = 3_600_000;
const GAP: SessionGap = SessionGap::from_ms(10_000);

fuzz_target!(|data: &[u8]| {
    let latest = LatestBelievable::after_arrival(ARRIVAL_MS, MAX_CLOCK_SKEW_MS);
    let mut sessions: Option<UserSessions> = None;
    let mut applied_clicks = 0;
    for line in data.split(|byte| *byte == b'\n') {
        let click = match Click::decode(line, latest) {
            Ok(decoded) => decoded.click,
            Err(rejection) => {
                assert!(!rejection.message.is_empty() && !rejection.message.contains(char::is_control));
                assert!(Reason::all().any(|reason| reason == rejection.reason), "{} is not listed", rejection.reason);
                continue;
            }
        };
        assert!(click.time.ms() >= MIN_CLICK_TIME_MS, "a time in seconds");
        assert!(click.time.ms() <= ARRIVAL_MS + MAX_CLOCK_SKEW_MS, "a click from too far in the future");
        assert!(!click.user_id.is_placeholder());
        assert!(click.attributes.len_bytes() <= 3 * MAX_ATTRIBUTE_BYTES);
        let before = sessions.clone();
        let applied = apply(sessions.take(), &click, GAP);
        if applied.placement == Placement::Late {
            assert_eq!(before.as_ref(), Some(&applied.sessions), "a late click changes nothing");
            assert!(applied.touched.is_empty());
        } else {
            applied_clicks += 1;
        }
        let after = &applied.sessions;
        assert!(after.current.start <= after.current.end);
        assert!(after.previous.is_none() || after.ordinal > 0);
        if let Some(previous) = &after.previous {
            assert!(after.current.start.ms_since(previous.end) >= GAP.ms(), "two sessions within a gap");
            assert!(previous.event_count + after.current.event_count <= applied_clicks);
        }
        sessions = Some(applied.sessions);
    }
});
