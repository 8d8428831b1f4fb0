//! The demo's shop: what its users do, a click as its producer writes it, and what a broken producer writes.
//!
//! The walkthrough, the live page and `produce` put these records.

use fastrand::Rng;
use serde::Deserialize;
use serde_json::json;

const EVENTS: [&str; 5] = ["navigate", "search", "detail", "category", "checkout"];
const DEVICES: [&str; 3] = ["desktop", "mobile", "tablet"];

/// How far ahead of now [`Fault::InTheFuture`] is, in milliseconds: a day, twice the largest clock skew that the
/// sessionizer can allow.
const FUTURE_MS: u64 = 86_400_000;

/// A click with a random event on a random device. The shop's producer quotes the timestamp, Unix milliseconds.
#[must_use]
pub fn click(rng: &mut Rng, user: &str, event_ms: u64) -> Vec<u8> {
    let (event, device) = (EVENTS[rng.usize(..EVENTS.len())], DEVICES[rng.usize(..DEVICES.len())]);
    let click = json!({
        "user_id": user,
        "event_timestamp": event_ms.to_string(),
        "event_name": event,
        "event_type": "click",
        "device_type": device,
    });
    click.to_string().into_bytes()
}

/// What is wrong with a broken record.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// It ends in the middle.
    NotJson,
    /// It has no user.
    NoUser,
    /// It has no time.
    NoTime,
    /// Its time is in seconds.
    InSeconds,
    /// Its time is a day ahead.
    InTheFuture,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Self; 5] = [Self::NotJson, Self::NoUser, Self::NoTime, Self::InSeconds, Self::InTheFuture];
}

/// A record that would be a click at `now_ms`, Unix milliseconds, except for `fault`.
#[must_use]
pub fn broken(rng: &mut Rng, user: &str, fault: Fault, now_ms: u64) -> Vec<u8> {
    let record = match fault {
        Fault::NotJson => {
            let mut cut = click(rng, user, now_ms);
            cut.pop();
            return cut;
        }
        Fault::NoUser => json!({"event_timestamp": now_ms, "event_name": "search"}),
        Fault::NoTime => json!({"user_id": user, "event_timestamp": null, "event_name": "search"}),
        Fault::InSeconds => return click(rng, user, now_ms / 1_000),
        Fault::InTheFuture => return click(rng, user, now_ms + FUTURE_MS),
    };
    record.to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use shared::click::{Click, LatestBelievable};

    use super::*;

    #[test]
    fn a_click_of_the_shop_is_accepted_whatever_its_user_is_called() {
        for user in ["user1", "a \"quoted\" name", "名前", "tab\there"] {
            let data = click(&mut Rng::new(), user, 1_721_390_000_000);
            let decoded = Click::decode(&data, LatestBelievable::after_arrival(1_721_390_000_000, 0)).unwrap();
            assert_eq!((decoded.click.user_id.as_str(), decoded.adjusted_attributes), (user, 0));
            assert_eq!(decoded.click.time.ms(), 1_721_390_000_000);
        }
    }

    #[test]
    fn each_fault_has_its_reason() {
        let now_ms = 1_795_000_000_000;
        let reason = |fault| {
            let data = broken(&mut Rng::new(), "a", fault, now_ms);
            // With the largest skew that can be configured.
            Click::decode(&data, LatestBelievable::after_arrival(now_ms, 43_200_000)).unwrap_err().reason.to_string()
        };
        let reasons = [
            "not_json",
            "user_id_missing",
            "event_timestamp_null",
            "event_timestamp_in_seconds",
            "event_timestamp_in_the_future",
        ];
        assert_eq!(Fault::ALL.map(reason), reasons);
    }
}
