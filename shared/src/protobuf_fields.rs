//! Walks the fields of a protobuf message without copying or building anything.
//!
//! Knows the wire format only. What a field means is decided elsewhere.

use prost::encoding::{WireType, decode_key, decode_varint};

/// One field of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Field<'a> {
    /// Its number.
    pub(crate) number: u32,
    /// Its value.
    pub(crate) value: Value<'a>,
}

/// A field's value, by its wire type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    /// An integer, a boolean or an enumeration.
    Varint(u64),
    /// A string, bytes or a message.
    Bytes(&'a [u8]),
    /// A number of 4 or 8 bytes.
    Fixed,
}

/// The fields of a message, in order. Ends after the first error, which says what is wrong and at which byte of the
/// message.
#[derive(Clone, Debug)]
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
    length: usize,
}

impl<'a> Fields<'a> {
    /// The fields of `message`.
    pub(crate) fn of(message: &'a [u8]) -> Self {
        Self { rest: message, length: message.len() }
    }

    fn read(&mut self) -> Result<Field<'a>, String> {
        let (number, wire_type) = decode_key(&mut self.rest).map_err(|error| error.to_string())?;
        let value = match wire_type {
            WireType::Varint => self.varint().map(Value::Varint),
            WireType::LengthDelimited => self.varint().and_then(|length| self.take(length)).map(Value::Bytes),
            WireType::SixtyFourBit => self.take(8).map(|_| Value::Fixed),
            WireType::ThirtyTwoBit => self.take(4).map(|_| Value::Fixed),
            WireType::StartGroup | WireType::EndGroup => Err("is a group".to_owned()),
        };
        let value = value.map_err(|fault| format!("field {number} {fault}"))?;
        Ok(Field { number, value })
    }

    fn varint(&mut self) -> Result<u64, String> {
        decode_varint(&mut self.rest).map_err(|error| format!("is not a number: {error}"))
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], String> {
        let split = usize::try_from(length).ok().and_then(|length| self.rest.split_at_checked(length));
        let Some((taken, rest)) = split else {
            return Err(format!("has {length} bytes, of which only {} are left", self.rest.len()));
        };
        self.rest = rest;
        Ok(taken)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let begin = self.length - self.rest.len();
        let field = self.read().map_err(|fault| format!("at byte {begin} of {}: {fault}", self.length));
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(message: &[u8]) -> Vec<Result<(u32, Value<'_>), String>> {
        Fields::of(message).map(|field| field.map(|field| (field.number, field.value))).collect()
    }

    #[test]
    fn every_wire_type_but_groups_is_read_or_skipped() {
        let message = b"\x08\x96\x01\x12\x02hi\x19\x01\x02\x03\x04\x05\x06\x07\x08\x25\x01\x02\x03\x04\x2a\x00";
        let expected = [
            (1, Value::Varint(150)),
            (2, Value::Bytes(b"hi")),
            (3, Value::Fixed),
            (4, Value::Fixed),
            (5, Value::Bytes(b"")),
        ];
        assert_eq!(fields(message), expected.map(Ok));
        assert_eq!(fields(b""), []);
    }

    #[test]
    fn faults_end_the_walk_and_say_where_they_are() {
        for (message, fault) in [
            (
                b"\x08".as_slice(),
                "at byte 0 of 1: field 1 is not a number: failed to decode Protobuf message: invalid varint",
            ),
            (b"\x08\x01\x12\x05hi", "at byte 2 of 6: field 2 has 5 bytes, of which only 2 are left"),
            (b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "18446744073709551615 bytes, of which only 0 are left"),
            (b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "invalid varint"),
            (b"\x09\x01", "has 8 bytes, of which only 1 are left"),
            (b"\x0d\x01", "has 4 bytes, of which only 1 are left"),
            (b"\x0b\x08\x01\x0c", "field 1 is a group"),
            (b"\x0c", "field 1 is a group"),
            (b"\x0e", "invalid wire type value: 6"),
            (b"\x0f", "invalid wire type value: 7"),
            (b"\x00\x01", "invalid tag value: 0"),
        ] {
            let found = fields(message);
            let Some(Err(last)) = found.last() else { panic!("{message:?}: {found:?}") };
            assert!(last.contains(fault), "{message:?}: {last}");
            assert_eq!(found.iter().filter(|field| field.is_err()).count(), 1, "{message:?}");
        }
    }
}
