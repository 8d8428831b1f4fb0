//! Packs the records of a stream: several into one, aggregated or as values of one text; and takes records apart.

use fastrand::Rng;
use local_aws::aggregated_record;
use shared::click::{Click, LatestBelievable};
use shared::click_format::{ClickFormat, Decoded};
use shared::record_parts::for_each_part;

/// Most records that are packed into one.
const MOST_IN_A_RECORD: usize = 6;

/// A record to put: its partition key and its bytes.
pub type Keyed = (String, Vec<u8>);

/// What a record holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// The clicks, each with its place within the record.
    pub clicks: Vec<(u32, Click)>,
    /// The bytes of the parts that are rejected.
    pub rejected: Vec<Vec<u8>>,
}

impl Parts {
    /// The parts of the record `data`, whose clicks are in this `format`.
    #[must_use]
    pub fn of(data: &[u8], format: &ClickFormat, latest: LatestBelievable) -> Self {
        let mut parts = Self::default();
        for_each_part(data, format, latest, |part, content| match content {
            Ok(Decoded::Click(decoded)) => parts.clicks.push((part.place, decoded.click)),
            Ok(Decoded::Filtered) => {}
            Err(_) => parts.rejected.push(part.data.to_vec()),
        });
        parts
    }
}

/// Packs about half of `records`, which keep their order. Each pack has the partition key of its first record.
#[must_use]
pub fn packed(rng: &mut Rng, records: Vec<Keyed>) -> Vec<Keyed> {
    let mut rest = records.into_iter().peekable();
    let mut packed = Vec::new();
    while rest.peek().is_some() {
        let count = if rng.bool() { 1 } else { rng.usize(1..=MOST_IN_A_RECORD) };
        let records: Vec<_> = rest.by_ref().take(count).collect();
        packed.push(pack(rng, records));
    }
    packed
}

fn pack(rng: &mut Rng, records: Vec<Keyed>) -> Keyed {
    let key = records.first().map(|(key, _)| key.clone()).unwrap_or_default();
    let values: Vec<_> = records.iter().map(|(_, data)| data.as_slice()).collect();
    let is_json = || values.iter().all(|data| serde_json::from_slice::<serde_json::Value>(data).is_ok());
    let data = match rng.u8(..4) {
        0 | 1 => aggregated_record(records.iter().map(|(key, data)| (key.as_str(), data.as_slice()))),
        2 if is_json() => [b"[".as_slice(), &values.join(&b','), b"]"].concat(),
        _ => values.join(&b'\n'),
    };
    (key, data)
}
