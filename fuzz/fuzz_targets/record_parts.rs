//! Takes arbitrary bytes apart: as a record, and as the message of a record that the Kinesis Producer Library has
//! aggregated, with the checksum that makes it one.

#![no_main]

use libfuzzer_sys::fuzz_target;
use md5::{Digest, Md5};
use shared::click::LatestBelievable;
use shared::click_format::ClickFormat;
use shared::record_parts::for_each_part;
use shared::rejection::Reason;

const ARRIVAL_MS: u64 = 1_721_390_400_000;
const MAGIC: [u8; 4] = [0xF3, 0x89, 0x9A, 0xC2];

fn check(record: &[u8]) {
    let mut places = 0;
    let latest = LatestBelievable::after_arrival(ARRIVAL_MS, 900_000);
    for_each_part(record, &ClickFormat::default(), latest, |part, content| {
        assert_eq!(part.place, places, "places are consecutive");
        places += 1;
        let range = record.as_ptr_range();
        let of_part = part.data.as_ptr_range();
        assert!(part.data.is_empty() || range.start <= of_part.start && of_part.end <= range.end);
        if let Err(rejection) = content {
            assert!(!rejection.message.is_empty() && !rejection.message.contains(char::is_control));
            assert!(Reason::all().any(|reason| reason == rejection.reason), "{} is not listed", rejection.reason);
        }
    });
    assert!(places >= 1 && places as usize <= record.len().max(1));
}

fuzz_target!(|data: &[u8]| {
    check(data);
    check(&[&MAGIC[..], data, &Md5::digest(data)].concat());
});
