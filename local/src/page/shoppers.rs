//! The demo's users, who click until the page stops them: in real time, so that their clicks are drawn beside those put
//! by hand.
//!
//! They click only while a browser is connected: the embedded streams keep every record until `serve` ends.

use std::convert::Infallible;
use std::time::Duration;

use kinesis_function::backoff::Backoff;
use shared::user_id::UserId;
use tokio::time::{Instant, sleep_until};

use crate::page::clicks::Clicks;
use crate::page::{Feed, unix_ms};

const USERS: [&str; 6] = ["user1", "user2", "user3", "user4", "user5", "user6"];

/// The shortest pause between two clicks of a user, which bounds the rate to 60 clicks a second, whatever the gap.
const MIN_PAUSE: Duration = Duration::from_millis(100);

/// One pause in this many is a long one, which ends the session.
const LONG_PAUSE_EVERY: u32 = 8;

/// Clicks until dropped, while the shop is open and a browser is connected.
pub(crate) async fn click(clicks: &Clicks, feed: &Feed, gap_ms: u64) -> Infallible {
    let users = USERS.map(|user| UserId::new(user).ok());
    let users: Vec<&UserId> = users.iter().flatten().collect();
    let mut is_open = feed.is_shop_open.subscribe();
    let mut backoff = Backoff::new();
    loop {
        // The sender lives as long as the feed, so this never fails; if it did, the shop could not be opened.
        if is_open.wait_for(|open| *open).await.is_err() {
            return std::future::pending().await;
        }
        let opened = Instant::now();
        let mut next: Vec<(Instant, &UserId)> =
            users.iter().map(|user| (opened + first_pause(gap_ms), *user)).collect();
        while *is_open.borrow_and_update()
            && let Some((at, user)) = next.iter_mut().min_by_key(|(at, _)| *at)
        {
            tokio::select! {
                () = sleep_until(*at) => {}
                _ = is_open.changed() => continue,
            }
            if feed.viewers() == 0 {
                feed.open_shop(false);
                break;
            }
            match clicks.put(user, unix_ms()).await {
                Ok(()) => backoff.reset(),
                Err(error) => {
                    tracing::warn!(%error, "a click of the demo was not put");
                    backoff.pause().await;
                }
            }
            *at = Instant::now() + pause(gap_ms);
        }
    }
}

/// The users do not all begin at once.
fn first_pause(gap_ms: u64) -> Duration {
    Duration::from_millis(fastrand::u64(0..=gap_ms / 2))
}

/// Usually up to half the gap; sometimes longer than the gap, often long enough for the session to close by inactivity.
fn pause(gap_ms: u64) -> Duration {
    let is_long = fastrand::u32(..LONG_PAUSE_EVERY) == 0;
    let ms = if is_long { fastrand::u64(gap_ms..=4 * gap_ms) } else { fastrand::u64(0..=gap_ms / 2) };
    Duration::from_millis(ms).max(MIN_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_pause_is_shorter_than_the_rate_allows_or_longer_than_four_gaps() {
        for gap_ms in [1_000, 10_000, 86_400_000] {
            let pauses: Vec<_> = (0..1_000).map(|_| pause(gap_ms)).collect();
            assert!(pauses.iter().all(|pause| *pause >= MIN_PAUSE && *pause <= Duration::from_millis(4 * gap_ms)));
            let ends_session = |pause: &&Duration| **pause >= Duration::from_millis(gap_ms);
            let ends = pauses.iter().filter(ends_session).count();
            assert!((50..300).contains(&ends), "one pause in eight ends the session, not {ends} in 1,000");
        }
    }
}
