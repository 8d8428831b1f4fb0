//! Decodes raw JSON strings.
//!
//! JSON's grammar allows an unpaired surrogate such as `\ud83d`; Unicode does not.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, Visitor};

/// The content of the JSON string `raw`; `None` if it contains an unpaired surrogate.
pub(crate) fn unescaped(raw: &str) -> Option<Cow<'_, str>> {
    if raw.bytes().any(|byte| byte == b'\\') {
        serde_json::from_str(raw).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default()))
    }
}

/// The content of the JSON string `raw`, with each unpaired surrogate replaced by U+FFFD.
pub(crate) fn unescaped_lossy(raw: &str) -> String {
    let mut bytes = serde_json::Deserializer::from_str(raw).deserialize_bytes(Wtf8).unwrap_or_default();
    // WTF-8 encodes surrogates as if they were characters, as ED A0 80 to ED BF BF. UTF-8 never uses these bytes.
    for at in 0..bytes.len() {
        if let Some(half @ [0xed, 0xa0..=0xbf, _]) = bytes.get_mut(at..at + 3) {
            half.copy_from_slice("\u{fffd}".as_bytes());
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Visits a string as bytes, which serde_json documents to be WTF-8.
struct Wtf8;

impl Visitor<'_> for Wtf8 {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        Ok(bytes.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_without_escapes_are_borrowed() {
        assert!(matches!(unescaped("\"é\""), Some(Cow::Borrowed("é"))));
        assert_eq!(unescaped("\"\""), Some(Cow::Borrowed("")));
    }

    #[test]
    fn unpaired_surrogates_are_replaced_and_pairs_are_not() {
        for (raw, text) in [
            (r#""a \ud83d""#, "a \u{fffd}"),
            (r#""\ud83d\ud83d\ude00""#, "\u{fffd}😀"),
            (r#""\ude00\ud83d""#, "\u{fffd}\u{fffd}"),
            (r#""\ud83d\u0041\uDFFF\n퟿""#, "\u{fffd}A\u{fffd}\n퟿"),
        ] {
            assert_eq!(unescaped(raw), None, "{raw}");
            assert_eq!(unescaped_lossy(raw), text, "{raw}");
        }
        let whole = r#""\ud83d\ude00\"\\\ud7ff""#;
        assert_eq!(unescaped(whole).as_deref(), Some("😀\"\\\u{d7ff}"));
        assert_eq!(unescaped_lossy(whole), "😀\"\\\u{d7ff}");
    }
}
