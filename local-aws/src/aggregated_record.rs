//! Aggregates records as the Kinesis Producer Library does. Source: its aggregation format.

use md5::{Digest, Md5};
use prost::encoding::{WireType, bytes, encode_key, encode_varint, string, uint64};

const MAGIC: [u8; 4] = [0xF3, 0x89, 0x9A, 0xC2];

/// The data of one record that holds these records, each a partition key and its bytes, in their order. Like the
/// library, it stores each partition key once. It aggregates even a single record, which the library does not.
#[must_use]
pub fn aggregated_record<'a>(records: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Vec<u8> {
    let (mut keys, mut messages) = (Vec::new(), Vec::new());
    for (key, data) in records {
        let index = keys.iter().position(|known| *known == key).unwrap_or_else(|| {
            keys.push(key);
            keys.len() - 1
        });
        let mut record = Vec::new();
        uint64::encode(1, &(index as u64), &mut record);
        bytes::encode(3, &data.to_vec(), &mut record);
        encode_key(3, WireType::LengthDelimited, &mut messages);
        encode_varint(record.len() as u64, &mut messages);
        messages.extend(record);
    }
    let mut message = Vec::new();
    for key in keys {
        string::encode(1, &key.to_owned(), &mut message);
    }
    message.extend(messages);
    [MAGIC.as_slice(), &message, Md5::digest(&message).as_slice()].concat()
}

#[cfg(test)]
mod tests {
    use shared::aggregated_record::{AggregatedRecord, UserRecord};

    use super::*;

    #[test]
    fn records_are_read_as_they_were_written() {
        let long = vec![b'x'; 300];
        let records: [(&str, &[u8]); 4] = [("b", b"1"), ("a", b""), ("b", &long), ("", b"\xff")];
        let data = aggregated_record(records);
        let read: Vec<_> = AggregatedRecord::read(&data).unwrap().records().collect();
        assert_eq!(read, records.map(|(partition_key, data)| UserRecord { partition_key, data }));
        assert_eq!(data.windows(3).filter(|bytes| *bytes == b"\x0a\x01b").count(), 1, "each key is stored once");
    }
}
