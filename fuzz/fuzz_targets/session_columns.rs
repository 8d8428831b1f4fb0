//! Parses arbitrary text as a declaration of columns. What it declares is read from the record behind the first NUL,
//! and goes through a session and a boundary.

#![no_main]

use libfuzzer_sys::fuzz_target;
use shared::boundary::{Boundary, Version};
use shared::click::LatestBelievable;
use shared::click_format::{ClickFormat, Decoded};
use shared::columns::declaration::SessionColumns;
use shared::limits::{MAX_COLUMN_DECLARATION_BYTES, MAX_COLUMNS};
use shared::session::SessionGap;
use shared::session_cut::SessionCut;
use shared::session_window::{SessionWindow, WindowDraft, WindowRule};

const ARRIVAL_MS: u64 = 1_721_390_400_000;
const RULE: WindowRule = WindowRule { gap: SessionGap::from_ms(10_000), lateness_ms: 0, cut: SessionCut::None };

/// The columns of `declaration`, if it is one.
fn columns(declaration: &str) -> Option<SessionColumns> {
    let columns = match SessionColumns::parse(declaration) {
        Ok(columns) => columns,
        Err(faults) => {
            assert!(!faults.is_empty());
            assert!(faults.iter().all(|fault| !fault.to_string().contains(char::is_control)), "{faults:?}");
            return None;
        }
    };
    assert!(columns.names().len() <= MAX_COLUMNS);
    let pairs = columns.names().zip(columns.canonical_texts());
    let canonical: String = pairs.map(|(name, text)| format!("{name} = {text}\n")).collect();
    if canonical.len() <= MAX_COLUMN_DECLARATION_BYTES {
        assert_eq!(SessionColumns::parse(&canonical).as_ref(), Ok(&columns), "{canonical}");
    }
    Some(columns)
}

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(2, |byte| *byte == 0);
    let Some(columns) = parts.next().and_then(|text| columns(std::str::from_utf8(text).ok()?)) else { return };
    let format = ClickFormat::default().with_columns(columns.clone());
    let latest = LatestBelievable::after_arrival(ARRIVAL_MS, 900_000);
    let (mut draft, mut user_id) = (WindowDraft::on(SessionWindow::default()), None);
    for value in format.values(parts.next().unwrap_or_default(), latest) {
        if let Ok(Decoded::Click(decoded)) = value.decoded {
            assert_eq!(decoded.click.columns.as_slice().len(), columns.names().len());
            draft.apply(&decoded.click, RULE);
            user_id = Some(decoded.click.user_id);
        }
    }
    let Some(user_id) = user_id else { return };
    let same = columns.mapping_from(columns.canonical_texts());
    for session in &draft.window().sessions {
        assert_eq!(same.values(session.columns.clone()), session.columns);
    }
    draft.close();
    for session in draft.touched() {
        let boundary = Boundary::of(&user_id, session, &columns, Version::new(1));
        let json = boundary.encode().expect("it is strings and numbers");
        assert_eq!(Boundary::decode(&json).as_ref(), Ok(&boundary), "{}", String::from_utf8_lossy(&json));
    }
});
