//! The demo's shop: what its users do, and a click as its producer writes it.

const EVENTS: [&str; 5] = ["navigate", "search", "detail", "category", "checkout"];
const DEVICES: [&str; 3] = ["desktop", "mobile", "tablet"];

/// A click with a random event on a random device. The shop's producer quotes the timestamp, Unix milliseconds.
#[must_use]
pub fn click(user: &str, event_ms: u64) -> Vec<u8> {
    let (event, device) = (EVENTS[fastrand::usize(..EVENTS.len())], DEVICES[fastrand::usize(..DEVICES.len())]);
    let click = serde_json::json!({
        "user_id": user,
        "event_timestamp": event_ms.to_string(),
        "event_name": event,
        "event_type": "click",
        "device_type": device,
    });
    click.to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use shared::click::{Click, LatestBelievable};

    #[test]
    fn a_click_of_the_shop_is_accepted_whatever_its_user_is_called() {
        for user in ["user1", "a \"quoted\" name", "名前", "tab\there"] {
            let data = super::click(user, 1_721_390_000_000);
            let decoded = Click::decode(&data, LatestBelievable::after_arrival(1_721_390_000_000, 0)).unwrap();
            assert_eq!((decoded.click.user_id.as_str(), decoded.adjusted_attributes), (user, 0));
            assert_eq!(decoded.click.time.ms(), 1_721_390_000_000);
        }
    }
}
