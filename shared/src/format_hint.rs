//! Guesses the format of a record that is not JSON, for its rejection message.
//!
//! The guess is for the reader of the message: no decision depends on it. Nothing is decompressed.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Magic numbers of compressed formats. Sources: RFC 1952 (gzip), RFC 8878 (Zstandard), the LZ4 frame format, and the
/// bzip2 and xz formats.
const COMPRESSED: [(&[u8], &str); 5] = [
    (b"\x1f\x8b", "it looks like gzip; send records uncompressed"),
    (b"\x28\xb5\x2f\xfd", "it looks like zstd; send records uncompressed"),
    (b"\x04\x22\x4d\x18", "it looks like lz4; send records uncompressed"),
    (b"BZh", "it looks like bzip2; send records uncompressed"),
    (b"\xfd7zXZ\x00", "it looks like xz; send records uncompressed"),
];

const ZLIB: &str = "it looks like zlib; send records uncompressed";
const UTF_16: &str = "it looks like UTF-16; encode records as UTF-8";
const UTF_32: &str = "it looks like UTF-32; encode records as UTF-8";
const BASE64_OF_JSON: &str = "it looks like base64-encoded JSON; send plain JSON, the SDK encodes it for transport";
const BASE64_TWICE: &str =
    "it looks like doubly base64-encoded JSON; send plain JSON, the SDK encodes it for transport";
const BASE64_OF_COMPRESSED: &str = "it looks like base64-encoded compressed data; send plain JSON, uncompressed";
const CSV: &str = "it looks like CSV; send each click as a JSON object";

/// How many characters of a base64 text are decoded: enough to recognize the content.
const BASE64_CHARS: usize = 64;

/// Base64 with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// What `data` looks like and what to do about it; `None` if no known format matches.
pub(crate) fn format_hint(data: &[u8]) -> Option<&'static str> {
    compressed(data).or_else(|| utf_16_or_32(data)).or_else(|| base64(data)).or_else(|| is_csv(data).then_some(CSV))
}

fn compressed(data: &[u8]) -> Option<&'static str> {
    let known = COMPRESSED.into_iter().find(|(magic, _)| data.starts_with(magic));
    known.map(|(_, hint)| hint).or_else(|| is_zlib(data).then_some(ZLIB))
}

/// Whether `data` begins with the zlib header for the usual 32 KiB window (RFC 1950) and is not text.
fn is_zlib(data: &[u8]) -> bool {
    let [0x78, flags, ..] = data else { return false };
    let is_header = (0x78_00 + u32::from(*flags)).is_multiple_of(31);
    is_header && !std::str::from_utf8(data).is_ok_and(|text| !text.contains(is_binary))
}

/// Whether `char` is a control character that does not occur in text.
fn is_binary(char: char) -> bool {
    char.is_control() && !char.is_ascii_whitespace()
}

/// Recognizes these encodings by their byte order mark, or by the zero bytes around ASCII characters.
fn utf_16_or_32(data: &[u8]) -> Option<&'static str> {
    match data {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Some(UTF_32),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some(UTF_16),
        [a, b, c, d, ..] => match [a, b, c, d].map(|byte| *byte == 0) {
            [false, true, true, true] | [true, true, true, false] => Some(UTF_32),
            [false, true, false, true] | [true, false, true, false] => Some(UTF_16),
            _ => None,
        },
        _ => None,
    }
}

fn base64(data: &[u8]) -> Option<&'static str> {
    let inner = base64_begin(data)?;
    if is_json_begin(&inner) {
        return Some(BASE64_OF_JSON);
    }
    if compressed(&inner).is_some() {
        return Some(BASE64_OF_COMPRESSED);
    }
    base64_begin(&inner).is_some_and(|inner| is_json_begin(&inner)).then_some(BASE64_TWICE)
}

/// The decoded beginning of `data`, if all of `data` is base64 in the standard or the URL-safe alphabet.
fn base64_begin(data: &[u8]) -> Option<Vec<u8>> {
    let data = data.trim_ascii();
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/-_=\r\n".contains(byte);
    if !data.iter().all(is_base64) {
        return None;
    }
    let chars = data.iter().filter(|byte| !byte.is_ascii_whitespace()).take(BASE64_CHARS);
    let standard: Vec<u8> = chars
        .map(|byte| match byte {
            b'-' => b'+',
            b'_' => b'/',
            byte => *byte,
        })
        .collect();
    BASE64.decode(standard).ok()
}

/// Whether `data` begins like a JSON object or an array of objects.
fn is_json_begin(data: &[u8]) -> bool {
    let data = data.strip_prefix("\u{feff}".as_bytes()).unwrap_or(data).trim_ascii_start();
    let next = |data: &[u8]| data.trim_ascii_start().first().copied();
    match data.split_first() {
        Some((b'{', rest)) => matches!(next(rest), Some(b'"' | b'}')),
        Some((b'[', rest)) => matches!(next(rest), Some(b'{' | b']')),
        _ => false,
    }
}

/// Whether `data` is text whose first line has at least three fields, or two that fit a click, and is not part of JSON.
fn is_csv(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let line = text.trim_start().lines().next().unwrap_or_default();
    let is_time = |field: &str| !field.is_empty() && field.trim().bytes().all(|byte| byte.is_ascii_digit());
    // Two fields could be prose, unless the second is a time or the time's column name.
    let has_fields = |separator: char| match line.split(separator).collect::<Vec<_>>()[..] {
        [_, second] => is_time(second) || second.trim() == "event_timestamp",
        [_, _, _, ..] => true,
        _ => false,
    };
    let is_json = line.starts_with('[') || line.contains(['{', '}']);
    !is_json && !line.contains(is_binary) && [',', ';', '\t'].into_iter().any(has_fields)
}
