//! Quotes parts of a record in messages: as JSON, on one line, truncated.
//!
//! Such messages belong in the rejected-records table, never in logs.

use std::fmt::Write;

use crate::limits::MAX_VALUE_IN_MESSAGE_CHARS;

/// Most bytes shown on either side of an offset: enough to find the place in a record, and to fit on a line.
const EXCERPT_BYTES: usize = 24;

/// The string `text` as JSON, truncated to [`MAX_VALUE_IN_MESSAGE_CHARS`] characters.
#[must_use]
pub fn string(text: &str) -> String {
    cut(text, MAX_VALUE_IN_MESSAGE_CHARS, quoted)
}

/// An object's key as JSON, truncated to `max_chars` characters.
#[must_use]
pub fn key(name: &str, max_chars: usize) -> String {
    cut(name, max_chars, quoted)
}

/// Raw `json` from a record, truncated to [`MAX_VALUE_IN_MESSAGE_CHARS`] characters.
pub(crate) fn json(json: &str) -> String {
    cut(json, MAX_VALUE_IN_MESSAGE_CHARS, on_one_line)
}

/// The part of `text` around the byte at `offset`.
pub(crate) fn excerpt(text: &str, offset: usize) -> String {
    let begin = text.floor_char_boundary(offset.saturating_sub(EXCERPT_BYTES));
    let end = text.floor_char_boundary(offset.saturating_add(EXCERPT_BYTES));
    let mark = |is_cut: bool| if is_cut { "…" } else { "" };
    format!("{}{}{}", mark(begin > 0), on_one_line(&text[begin..end]), mark(end < text.len()))
}

fn cut(text: &str, max_chars: usize, form: impl Fn(&str) -> String) -> String {
    match text.char_indices().nth(max_chars) {
        None => form(text),
        Some((end, _)) => format!("{}… ({} bytes)", form(&text[..end]), text.len()),
    }
}

fn quoted(text: &str) -> String {
    let mut shown = String::with_capacity(text.len() + 2);
    shown.push('"');
    for char in text.chars() {
        if matches!(char, '"' | '\\') {
            shown.push('\\');
        }
        push(&mut shown, char);
    }
    shown.push('"');
    shown
}

fn on_one_line(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    json.chars().for_each(|char| push(&mut shown, if char.is_ascii_whitespace() { ' ' } else { char }));
    shown
}

/// Appends `char`, escaped if it would control a terminal or reorder text instead of being shown.
fn push(shown: &mut String, char: char) {
    let is_unsafe = char.is_control()
        || matches!(char, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    if is_unsafe {
        let _ = write!(shown, "\\u{:04x}", u32::from(char)); // writing into a String cannot fail
    } else {
        shown.push(char);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_shown_as_json_and_truncated() {
        assert_eq!(string("a\"b\\é\n\u{202e}"), r#""a\"b\\é\u000a\u202e""#);
        assert_eq!(string(&"é".repeat(65)), format!("\"{}\"… (130 bytes)", "é".repeat(64)));
        assert_eq!(key("abcd", 3), "\"abc\"… (4 bytes)");
    }

    #[test]
    fn json_is_shown_verbatim_on_one_line() {
        assert_eq!(json("4711.0"), "4711.0");
        assert_eq!(json("[\n\t\"\\ud83d\"]"), r#"[  "\ud83d"]"#);
    }

    #[test]
    fn excerpts_never_split_a_character() {
        assert_eq!(excerpt("short", 2), "short");
        assert_eq!(excerpt("short", 5), "short");
        let text = "é".repeat(100);
        assert_eq!(excerpt(&text, 101), format!("…{}…", "é".repeat(24)));
    }
}
