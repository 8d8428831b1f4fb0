//! What stands between the values of a record, and where lines and arrays begin.

use std::ops::Range;

use crate::json_object::{leading_value, skip_white_space};

/// What ends broken JSON: the next object at the start of a line.
const NEXT_LINE: &[u8] = b"\n{";

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// `range` of `data` without white space and commas at its ends.
pub(crate) fn without_separators(data: &[u8], range: Range<usize>) -> Range<usize> {
    let part = data.get(range.clone()).unwrap_or_default();
    let begin = separators(part, false);
    let is_separator = |byte: &u8| *byte == b',' || byte.is_ascii_whitespace();
    let behind = part[begin..].iter().rev().take_while(|byte| is_separator(byte)).count();
    range.start + begin..range.end - behind
}

/// Whether `data` begins with an object or array.
pub(crate) fn begins_like_json(data: &[u8]) -> bool {
    matches!(data.get(separators(data, false)), Some(b'{' | b'['))
}

/// Whether `json`, which begins with a bracket, is an array whose first object comes first or behind a scalar.
pub(crate) fn is_array_of_objects(json: &str) -> bool {
    let first = json.get(skip_white_space(json, 1)..).unwrap_or_default();
    match first.as_bytes().first() {
        Some(b'{') => true,
        Some(b'[' | b']') | None => false,
        Some(_) => leading_value(first).is_ok_and(|scalar| {
            let behind = first[scalar.len()..].trim_ascii_start();
            behind.strip_prefix(',').is_some_and(|behind| behind.trim_ascii_start().starts_with('{'))
        }),
    }
}

/// The length of the line with which `data` begins. A line begins with an object.
pub(crate) fn line_length(data: &[u8]) -> usize {
    let ends = |pair: &[u8]| pair == NEXT_LINE;
    let next = data.get(1..).and_then(|rest| rest.windows(NEXT_LINE.len()).position(ends));
    next.map_or(data.len(), |at| at + 1)
}

/// How many bytes of `data` stand between values: white space, commas, byte order marks and, if wanted, closing brackets.
pub(crate) fn separators(data: &[u8], brackets: bool) -> usize {
    let mut at = 0;
    loop {
        match data.get(at..).unwrap_or_default() {
            [b' ' | b'\n' | b'\r' | b'\t' | b',', ..] => at += 1,
            [b']', ..] if brackets => at += 1,
            rest if rest.starts_with(BYTE_ORDER_MARK) => at += BYTE_ORDER_MARK.len(),
            _ => return at,
        }
    }
}
