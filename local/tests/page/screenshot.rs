//! Draws `docs/live-page.png`, the picture in the README. Not a test; run it after the page has changed:
//! `cargo test --workspace --test page -- --ignored`.

use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::browser::Browser;
use crate::served::Served;

const PICTURE: &str = "../docs/live-page.png";
/// The README is loaded over a network.
const MAX_BYTES: usize = 300 * 1024;

#[test]
#[ignore = "draws the picture in the README"]
fn the_picture_in_the_readme_is_drawn() {
    let served = Served::start(&["--shards", "2"]);
    let browser = Browser::start(1200, 1210, &["--force-device-scale-factor=1.25", "--hide-scrollbars"]);
    browser.open(&served.url);
    browser.until("document.querySelector('#connection[data-state=live]') !== null");
    browser.click("#shop");
    let pause = |seconds| std::thread::sleep(Duration::from_secs(seconds));
    let late = |seconds: &str| {
        browser.fill("#late-seconds", seconds);
        browser.click("#late");
    };
    pause(75);
    // Two sessions of anna that a late click makes one, and a third one that goes on.
    for seconds in ["48", "46", "34", "31"] {
        late(seconds);
        pause(2);
    }
    browser.until("document.querySelectorAll('[aria-label=\"user anna\"] .bar').length === 2");
    late("48");
    pause(3);
    browser.fill("#user", "ben");
    late("30");
    browser.click("#broken");
    for _ in 0..3 {
        browser.click("#click");
        pause(2);
    }
    browser.value("document.querySelector('#fault').value = 'in_seconds'");
    browser.click("#broken");
    browser.fill("#user", "anna");
    browser.click("#click");
    pause(4);
    browser.fill("#late-seconds", "15");
    browser.click("[aria-label=\"user anna\"] .bar");
    pause(2);
    browser.value("scrollTo(0, 0)");
    let picture = STANDARD.decode(browser.screenshot()).unwrap();
    assert!(picture.len() <= MAX_BYTES, "the picture has {} bytes", picture.len());
    std::fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join(PICTURE), picture).unwrap();
}
