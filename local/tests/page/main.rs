//! The live page of `serve` as a user sees it: the built program, in a headless browser.
//!
//! Needs Chromium and ChromeDriver, and fails without them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub)]

mod browser;
mod screenshot;
mod served;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::browser::{Browser, keys};
use crate::served::Served;

/// Long enough for a slow machine to put two clicks into the same session.
const GAP_SECONDS: &str = "20";
/// The gap and the template's grace.
const CLOSES_AFTER: Duration = Duration::from_secs(30);

const BARS: &str = "[...document.querySelectorAll('[aria-label=\"user anna\"] .bar:not(:disabled)')]";

/// The page of a new pipeline, in a new browser.
fn opened() -> (Served, Browser) {
    opened_with(&["--gap-seconds", GAP_SECONDS])
}

/// The same, with these options.
fn opened_with(options: &[&str]) -> (Served, Browser) {
    let served = Served::start(&[&["--shards", "1"], options].concat());
    let browser = Browser::start(1200, 900, &[]);
    browser.open(&served.url);
    browser.until("document.querySelector('#connection[data-state=live]') !== null");
    (served, browser)
}

/// Waits until the counter shows this number.
fn until_counted(browser: &Browser, counter: &str, count: u32) {
    browser.until(&format!("document.querySelector('#count-{counter}').textContent === '{count}'"));
}

fn click_late(browser: &Browser, seconds: f64) {
    browser.fill("#late-seconds", &format!("{seconds:.1}"));
    browser.click("#late");
}

/// Nothing came from anywhere but the page's server, and nothing failed.
fn nothing_was_fetched_from_elsewhere(served: &Served, browser: &Browser) {
    let entries = "performance.getEntries().filter((entry) => ['navigation', 'resource'].includes(entry.entryType))";
    let fetched = browser.value(&format!("{entries}.map((entry) => entry.name)"));
    let fetched: Vec<_> = fetched.as_array().unwrap().iter().map(|url| url.as_str().unwrap()).collect();
    assert!(fetched.len() >= 10, "{fetched:?}");
    assert!(fetched.iter().all(|url| url.starts_with(&served.url)), "{fetched:?}");
    assert_eq!(browser.errors(), Vec::<String>::new());
}

#[test]
fn a_click_becomes_a_bar_a_late_one_merges_two_and_it_closes_when_nobody_clicks() {
    let (served, browser) = opened();
    browser.fill("#user", "anna");
    click_late(&browser, 25.0);
    browser.until(&format!("{BARS}.length === 1"));
    browser.click("#click");
    browser.until(&format!("{BARS}.length === 2"));
    until_counted(&browser, "closed", 1);

    let width = format!("{BARS}[1].getBoundingClientRect().width");
    let narrow = browser.value(&width);
    browser.click("#click");
    browser.until(&format!("{BARS}[1].dataset.clicks === '2' && {width} > {narrow}"));
    let gap_width =
        format!("Math.max(...{BARS}.map((bar) => bar.previousElementSibling.getBoundingClientRect().width))");
    assert!(browser.until(&gap_width).as_f64().unwrap() > 0.0, "the gap is running out");

    // A click in the middle between both.
    let middle = format!("(Number({BARS}[0].dataset.end) + Number({BARS}[1].dataset.start)) / 2");
    let ago = browser.value(&format!("(Date.now() - {middle}) / 1000")).as_f64().unwrap();
    click_late(&browser, ago);
    let last_click = Instant::now();
    browser.until(&format!("{BARS}.length === 1 && {BARS}[0].dataset.clicks === '4'"));
    until_counted(&browser, "merged", 1);
    until_counted(&browser, "late", 1);
    until_counted(&browser, "clicks", 4);
    let inside = format!(
        "(() => {{ const dot = document.querySelector('.mark.late').getBoundingClientRect();
                   const bar = {BARS}[0].getBoundingClientRect();
                   return bar.left < dot.left && dot.right < bar.right; }})()"
    );
    browser.until(&inside);

    assert_eq!(browser.value(&format!("{BARS}[0].dataset.status")), "open");
    browser.until(&format!("{BARS}[0].dataset.status === 'closed'"));
    assert!(last_click.elapsed() >= CLOSES_AFTER - Duration::from_secs(1), "it closed before the gap and the grace");
    browser.until(&format!("{gap_width} === 0"));
    until_counted(&browser, "open", 0);
    browser.until("document.querySelector('#announcements').textContent.includes('anna_0 closed')");
    nothing_was_fetched_from_elsewhere(&served, &browser);
}

#[test]
fn the_gap_runs_out_at_a_midnight_that_cuts_sessions() {
    const DAY_MS: u128 = 86_400_000;
    // A clock on which it was midnight at the last full minute; if that is just over, at the one before.
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let cut_ms = (now_ms - 5_000) / 60_000 * 60_000;
    let ahead = (DAY_MS - cut_ms % DAY_MS) / 60_000;
    let ahead = i64::try_from(ahead).unwrap() - if ahead > 840 { 1_440 } else { 0 };
    let offset = format!("SessionCutOffsetMinutes={ahead}");
    let cut = ["--parameter", "SessionCut=daily", "--parameter", &offset];
    let (_served, browser) = opened_with(&[&["--gap-seconds", "180"], &cut[..]].concat());
    let remark = browser.value("document.querySelector('#settings').textContent");
    let midnight = browser.value(&format!("new Date({cut_ms}).toISOString().slice(11, 19)"));
    let expected = format!(" None goes on after {} UTC.", midnight.as_str().unwrap());
    assert!(remark.as_str().unwrap().ends_with(&expected), "{remark}");

    browser.fill("#user", "anna");
    let ago = browser.value(&format!("(Date.now() - {cut_ms}) / 1000 + 30")).as_f64().unwrap();
    click_late(&browser, ago); // about 30 s before midnight
    browser.until(&format!("{BARS}.length === 1 && {BARS}[0].dataset.status === 'open'"));
    let gap = format!("{BARS}[0].previousElementSibling");
    browser.until(&format!("{gap}.classList.contains('over')"));
    let scale = "document.querySelector('.axis').clientWidth / Number(document.querySelector('#window').value)";
    let difference =
        format!("Math.abs(parseFloat({gap}.style.width) - ({cut_ms} - Number({BARS}[0].dataset.end)) * {scale})");
    let difference = browser.value(&difference).as_f64().unwrap();
    assert!(difference < 0.01, "the gap ends {difference} pixels from midnight");

    // A click after midnight is another session, although it is within the gap.
    browser.click("#click");
    browser.until(&format!("{BARS}.length === 2"));
    until_counted(&browser, "closed", 1);
    let clicks = browser.value(&format!("{BARS}.map((bar) => bar.dataset.clicks)"));
    assert_eq!(clicks, json!(["1", "1"]));
}

#[test]
fn a_broken_record_shows_its_reason() {
    let (served, browser) = opened();
    browser.fill("#user", "anna");
    browser.click("#click");
    browser.until(&format!("{BARS}.length === 1"));
    browser.click("#broken");
    until_counted(&browser, "rejected", 1);
    let remarks = "document.querySelector('#remarks').textContent";
    browser.until(&format!("{remarks}.includes('not_json 1')"));
    browser.until("document.querySelector('#published li[data-kind=rejected]').textContent.includes('not_json: ')");
    browser.until("document.querySelector('[aria-label=\"user anna\"] .mark.rejected') !== null");
    browser.value("document.querySelector('#fault').value = 'in_seconds'");
    browser.click("#broken");
    browser.until(&format!("{remarks}.includes('event_timestamp_in_seconds 1')"));

    // A name is text, whatever it looks like.
    browser.fill("#user", "<img src=x onerror=alert(1)>");
    browser.click("#click");
    browser.until("[...document.querySelectorAll('.name')].some((name) => name.textContent.startsWith('<img '))");
    nothing_was_fetched_from_elsewhere(&served, &browser);
    let refused = "new Promise((resolve) => {
        document.addEventListener('securitypolicyviolation', (event) => resolve(event.violatedDirective));
        fetch('http://elsewhere.example/').catch(() => undefined);
    })";
    assert_eq!(browser.value(refused), "connect-src");
}

#[test]
fn the_keyboard_reaches_everything_and_a_bar_shows_its_boundaries() {
    let (_served, browser) =
        opened_with(&["--gap-seconds", GAP_SECONDS, "--columns", "entry = first(/event_type), visits = count()"]);
    browser.fill("#user", "anna");
    click_late(&browser, 50.0);
    browser.until(&format!("{BARS}.length === 1"));
    browser.click("#click");
    browser.until(&format!("{BARS}.length === 2"));
    until_counted(&browser, "closed", 1);

    let active = || browser.value("document.activeElement.id || document.activeElement.dataset.id || ''");
    let mut reached = Vec::new();
    browser.value("document.querySelector('#user').focus()");
    while active() != "anna_1" {
        assert!(reached.len() < 20, "Tab does not reach a bar: {reached:?}");
        browser.press(keys::TAB);
        reached.push(active());
    }
    let expected = ["click", "late", "late-seconds", "broken", "fault", "shop", "window", "anna_1"];
    assert_eq!(reached, expected.map(Value::from));
    browser.press(keys::LEFT);
    assert_eq!(active(), "anna_0");
    browser.press(keys::ENTER);
    assert_eq!(active(), "details-heading");
    assert_eq!(browser.value("document.activeElement.textContent"), "Boundaries of anna_0");
    let texts = |selector: &str| {
        browser.value(&format!("[...document.querySelectorAll('{selector}')].map((cell) => cell.textContent)"))
    };
    let keys_shown = texts("#details-table tbody th");
    let published = [
        "user_id",
        "session_timestamp",
        "session_time",
        "session_id",
        "event_type",
        "device_type",
        "event_name",
        "status",
        "version",
        "session_end",
        "duration_ms",
        "event_count",
        "entry",
        "visits",
    ];
    let sorted = |names: Vec<&str>| {
        let mut names = names;
        names.sort_unstable();
        names.join(" ")
    };
    let keys_shown: Vec<_> = keys_shown.as_array().unwrap().iter().map(|key| key.as_str().unwrap()).collect();
    assert_eq!(sorted(keys_shown), sorted(published.to_vec()));
    assert_eq!(texts("#details-table [data-key=status]"), json!(["open", "closed"]));
    assert_eq!(texts("#details-table .changed[data-key=event_count]"), json!(["1"]));
    assert_eq!(texts("#details-table [data-key=entry]"), json!(["click", "click"]));
    assert_eq!(texts("#details-table [data-key=visits]"), json!(["–", "1"]));
    browser.press(keys::ESCAPE);
    assert_eq!(active(), "anna_0");
    browser.press(keys::RIGHT);
    assert_eq!(active(), "anna_1");

    // The same in words.
    browser.click("summary");
    browser.until("document.querySelectorAll('#table-body tr').length === 2");
    let row = browser.value("document.querySelectorAll('#table-body tr')[1].textContent");
    assert!(row.as_str().unwrap().starts_with("annaanna_0closed"), "{row}");
    let labels = browser.labels("button:not([hidden]), input, select, summary, [role=group]");
    assert!(labels.len() >= 12 && labels.iter().all(|label| !label.is_empty()), "{labels:?}");
}

#[test]
fn demo_users_start_and_stop_and_a_page_that_is_opened_later_shows_the_same() {
    let (served, browser) = opened();
    browser.click("#shop");
    browser.until("document.querySelectorAll('.lane').length >= 4");
    browser.until("Number(document.querySelector('#count-clicks').textContent) >= 8");
    browser.click("#shop");
    browser.until("document.querySelector('#shop').textContent === 'Start demo users'");
    let ids = "[...document.querySelectorAll('.bar:not(:disabled)')]
        .map((bar) => bar.dataset.id + bar.dataset.clicks).sort()";
    let still = |expression: &str| {
        // Clicks put before the button was pressed may still be on their way.
        let mut last = browser.value(expression);
        let began = Instant::now();
        loop {
            std::thread::sleep(Duration::from_secs(3));
            let now = browser.value(expression);
            if now == last {
                return now;
            }
            assert!(began.elapsed() < browser::PATIENCE, "the demo users go on: {now}");
            last = now;
        }
    };
    let drawn = still(ids);
    browser.open(&served.url);
    browser.until(&format!("JSON.stringify({ids}) === JSON.stringify({drawn})"));
    nothing_was_fetched_from_elsewhere(&served, &browser);
}
