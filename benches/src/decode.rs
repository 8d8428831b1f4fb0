//! The cost of decoding a click, by the format and size of its record.
//!
//! One thread, CPU time, no I/O.

use std::hint::black_box;
use std::time::Duration;

use shared::click::LatestBelievable;
use shared::click_format::{ClickFields, ClickFormat, Decoded};
use shared::event_filter::{EventFilter, EventNames};
use shared::field_path::FieldPath;
use shared::timestamp_format::TimestampFormat;

use crate::cpu::process_cpu;
use crate::error::BenchError;
use crate::event::click_json;
use crate::typical_columns::Columns;
use crate::workload::SimulatedClick;

const ARRIVAL_MS: u64 = 1_721_390_500_000;

/// Different records, so that branches cannot be predicted from the last one.
const RECORDS: usize = 64;

/// How often all of them are decoded in a round.
const REPETITIONS: usize = 1_000;

/// An event in Segment's format with the usual context, of about 1.2 KB. `USER` stands for the user id.
const SEGMENT_EVENT: &str = concat!(
    r#"{"anonymousId":"507f191e-810c-4772-9de8-60ea00e3a5b1","context":{"app":{"name":"Shop","version":"5.3.1","#,
    r#""build":"1042"},"campaign":{"name":"summer","source":"newsletter","medium":"email","content":"header"},"#,
    r#""device":{"id":"B5372DB0-C21E-11E4-8DFC-AA07A5B093DB","manufacturer":"Apple","model":"iPhone15,2","#,
    r#""name":"maguro","type":"ios"},"ip":"203.0.113.7","library":{"name":"analytics.js","version":"2.11.1"},"#,
    r#""locale":"en-GB","network":{"bluetooth":false,"carrier":"Example Mobile","cellular":true,"wifi":false},"#,
    r#""os":{"name":"iOS","version":"17.5.1"},"page":{"path":"/shop/shoes/","referrer":"https://search.example/","#,
    r#""search":"?q=running+shoes","title":"Running shoes","url":"https://shop.example/shop/shoes/?q=running+shoes"},"#,
    r#""screen":{"density":3,"height":852,"width":393},"timezone":"Europe/London","userAgent":"Mozilla/5.0 (iPhone; "#,
    r#"CPU iPhone OS 17_5_1 like Mac OS X) AppleWebKit/605.1.15"},"event":"Product Viewed","integrations":{},"#,
    r#""messageId":"022bb90c-bbac-11e4-8dfc-aa07a5b093db","originalTimestamp":"2024-07-19T11:53:19.870Z","#,
    r#""properties":{"product_id":"p-4711","price":89.9},"receivedAt":"2024-07-19T11:53:20.301Z","#,
    r#""sentAt":"2024-07-19T11:53:20.000Z","timestamp":"2024-07-19T11:53:20.123Z","type":"track","userId":"USER","#,
    r#""version":2}"#,
);

/// Records to decode.
#[derive(Debug)]
pub struct Case {
    /// What they are.
    pub name: &'static str,
    format: ClickFormat,
    records: Vec<Vec<u8>>,
    clicks_per_record: usize,
}

impl Case {
    /// Every case: records of the contract's format with one click and with ten, and events in Segment's format.
    ///
    /// # Errors
    /// None in practice: the paths are valid.
    pub fn all() -> Result<[Self; 3], BenchError> {
        let click = |number: usize| {
            format!(
                r#"{{"user_id":"user{number}","event_timestamp":"17213900{number:05}","event_name":"search","event_type":"click","device_type":"desktop"}}"#
            )
        };
        let records = |of: &dyn Fn(usize) -> String| (0..RECORDS).map(|number| of(number).into_bytes()).collect();
        let lines = |number: usize| (0..10).map(|more| click(number + more)).collect::<Vec<_>>().join("\n");
        Ok([
            Self { name: "one click", format: ClickFormat::default(), records: records(&click), clicks_per_record: 1 },
            Self { name: "ten lines", format: ClickFormat::default(), records: records(&lines), clicks_per_record: 10 },
            Self {
                name: "Segment event",
                format: segment_format()?,
                records: records(&|number| SEGMENT_EVENT.replace("USER", &format!("user{number}"))),
                clicks_per_record: 1,
            },
        ])
    }

    /// One click of the default format with the fields of the typical columns, which are not declared, and are.
    ///
    /// # Errors
    /// None in practice: the declaration is valid.
    pub fn with_columns() -> Result<[Self; 2], BenchError> {
        let case = |name, columns: Columns| {
            let click = |user| click_json(SimulatedClick { user, ms: ARRIVAL_MS - 7 * user as u64 }, columns);
            let format = ClickFormat::default().with_columns(columns.declared()?);
            Ok::<_, BenchError>(Self { name, format, records: (0..RECORDS).map(click).collect(), clicks_per_record: 1 })
        };
        Ok([case("page and value", Columns::Undeclared)?, case("four columns of these", Columns::Declared)?])
    }

    /// Mean length of a record, in bytes.
    #[must_use]
    pub fn bytes_per_record(&self) -> usize {
        self.records.iter().map(Vec::len).sum::<usize>() / self.records.len()
    }

    /// CPU time per click of one round.
    ///
    /// # Errors
    /// If a value is not a click.
    pub fn cpu_per_click(&self) -> Result<Duration, BenchError> {
        let latest = LatestBelievable::after_arrival(ARRIVAL_MS, 0);
        let decoded = REPETITIONS * RECORDS * self.clicks_per_record;
        let mut clicks = 0;
        let before = process_cpu();
        for _ in 0..REPETITIONS {
            for record in &self.records {
                let values = self.format.values(black_box(record), latest);
                clicks += values.filter(|value| matches!(black_box(&value.decoded), Ok(Decoded::Click(_)))).count();
            }
        }
        let took = process_cpu() - before;
        if clicks != decoded {
            return Err(BenchError::failed(format!("{clicks} of {decoded} values are clicks")));
        }
        Ok(took / u32::try_from(decoded).unwrap_or(u32::MAX))
    }
}

/// Segment's fields, without what keeps no session alive.
fn segment_format() -> Result<ClickFormat, BenchError> {
    let path = |text: &str| FieldPath::parse(text).map_err(BenchError::failed);
    let fields = ClickFields {
        user_id: FieldPath::parse_list("/userId,/anonymousId").map_err(BenchError::failed)?,
        event_timestamp: path("/timestamp")?,
        event_name: path("/event")?,
        event_type: path("/type")?,
        device_type: path("/context/device/type")?,
    };
    let filter = EventFilter::AllBut(EventNames::parse_list("Heartbeat").map_err(BenchError::failed)?);
    ClickFormat::new(fields, TimestampFormat::Iso8601, filter).map_err(BenchError::failed)
}
