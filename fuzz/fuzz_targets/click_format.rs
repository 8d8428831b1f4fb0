//! Decodes arbitrary bytes as a record of clicks in a format that the first lines describe: paths to the user id, to the
//! time and to the event's name, the format of the time, and names of events.

#![no_main]

use libfuzzer_sys::fuzz_target;
use shared::click::LatestBelievable;
use shared::click_format::{ClickFields, ClickFormat, Decoded};
use shared::event_filter::{EventFilter, EventNames};
use shared::field_path::FieldPath;
use shared::limits::MIN_CLICK_TIME_MS;
use shared::rejection::Reason;
use shared::timestamp_format::TimestampFormat;

const ARRIVAL_MS: u64 = 1_721_390_400_000;
const MAX_CLOCK_SKEW_MS: u64 = 900_000;

/// The format in the first five lines; the default for lines that are not valid.
fn format(lines: [&str; 5]) -> ClickFormat {
    let [user_id, timestamp, event_name, timestamp_format, names] = lines;
    let mut fields = ClickFields::default();
    if let Ok(paths) = FieldPath::parse_list(user_id) {
        fields.user_id = paths;
    }
    let path = |text: &str| {
        let path = FieldPath::parse(text).ok()?;
        assert_eq!(path.as_str(), text);
        Some(path)
    };
    fields.event_timestamp = path(timestamp).unwrap_or(fields.event_timestamp);
    fields.event_name = path(event_name).unwrap_or(fields.event_name);
    let timestamp_format = TimestampFormat::ALL.into_iter().find(|format| format.word() == timestamp_format);
    let filter = EventNames::parse_list(names).map_or(EventFilter::All, EventFilter::AllBut);
    ClickFormat::new(fields, timestamp_format.unwrap_or_default(), filter).expect("a list has 1 to 8 paths")
}

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(6, |byte| *byte == b'\n');
    let lines = [(); 5].map(|()| parts.next().and_then(|line| std::str::from_utf8(line).ok()).unwrap_or_default());
    let format = format(lines);
    let record = parts.next().unwrap_or_default();
    let latest = LatestBelievable::after_arrival(ARRIVAL_MS, MAX_CLOCK_SKEW_MS);

    let mut rest = record.to_vec();
    let (mut count, mut end) = (0, 0);
    for value in format.values(record, latest) {
        count += 1;
        assert!(end <= value.bytes.start && value.bytes.end <= record.len(), "{:?} after {end}", value.bytes);
        assert!(!value.bytes.is_empty() || record.is_empty());
        end = value.bytes.end;
        rest[value.bytes.clone()].fill(b' ');
        match &value.decoded {
            Ok(decoded) => {
                if let Decoded::Click(decoded) = decoded {
                    let time = decoded.click.time.ms();
                    assert!((MIN_CLICK_TIME_MS..=ARRIVAL_MS + MAX_CLOCK_SKEW_MS).contains(&time));
                    assert!(!decoded.click.user_id.is_placeholder());
                }
                // A value that covers the record may be in an array.
                if value.bytes.len() < record.len() {
                    assert_eq!(Ok(decoded), format.decode_one(&record[value.bytes], latest).as_ref());
                }
            }
            Err(rejection) => {
                assert!(!rejection.message.is_empty() && !rejection.message.contains(char::is_control));
                assert!(Reason::all().any(|reason| reason == rejection.reason), "{} is not listed", rejection.reason);
            }
        }
    }
    assert!(count >= 1 && count <= record.len().max(1));
    assert!(rest.iter().all(|byte| b" ,\n\r\t[]\xef\xbb\xbf".contains(byte)), "not in any value");
});
