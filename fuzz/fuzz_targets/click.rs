//! Decodes lines of arbitrary bytes as records of click-stream and applies the clicks to one user.

#![no_main]

use libfuzzer_sys::fuzz_target;
use shared::click::{Click, LatestBelievable};
use shared::limits::{MAX_ATTRIBUTE_BYTES, MAX_WINDOW_SESSIONS, MIN_CLICK_TIME_MS};
use shared::rejection::Reason;
use shared::session::SessionGap;
use shared::session_cut::SessionCut;
use shared::session_window::{Placement, SessionWindow, WindowDraft, WindowRule};

const ARRIVAL_MS: u64 = 1_721_390_400_000;
const MAX_CLOCK_SKEW_MS: u64 = 900_000;
const RULE: WindowRule = WindowRule { gap: SessionGap::from_ms(10_000), lateness_ms: 3_600_000, cut: SessionCut::None };

fuzz_target!(|data: &[u8]| {
    let latest = LatestBelievable::after_arrival(ARRIVAL_MS, MAX_CLOCK_SKEW_MS);
    let mut window = SessionWindow::default();
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
        let before = window.clone();
        let mut draft = WindowDraft::on(window);
        if draft.apply(&click, RULE) == Placement::Late {
            assert_eq!(&before, draft.window(), "a late click changes nothing");
            assert!(draft.touched().is_empty());
        } else {
            applied_clicks += 1;
        }
        window = draft.into_window();
        let sessions = &window.sessions;
        assert!((1..=MAX_WINDOW_SESSIONS).contains(&sessions.len()) || applied_clicks == 0);
        assert!(sessions.iter().all(|session| session.start <= session.end));
        let gaps = sessions.windows(2).map(|pair| pair[1].start.ms_since(pair[0].end));
        assert!(gaps.min().is_none_or(|least| least >= RULE.gap.ms()), "two sessions within a gap");
        assert!(sessions.iter().map(|session| session.event_count).sum::<u64>() <= applied_clicks);
    }
});
