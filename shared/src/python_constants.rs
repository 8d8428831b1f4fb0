//! The numbers that Python's `json.dumps` writes although JSON lacks them: `NaN`, `Infinity`, `-Infinity`.
//!
//! Only records that fail to parse are searched for them, so ordinary records pay nothing.

/// Each constant with a JSON number of the same length, so that byte offsets do not change.
const CONSTANTS: [(&str, &str); 3] = [("NaN", "0.0"), ("Infinity", "0.000000"), ("-Infinity", "-0.000000")];

/// Replaces each of Python's constants outside strings by a number of the same length; `None` if `text` has none.
pub(crate) fn without_python_constants(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut rewritten: Option<Vec<u8>> = None;
    let (mut at, mut in_string) = (0, false);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' if in_string => at += 1, // an escaped quote does not end the string
            b'"' => in_string = !in_string,
            b'N' | b'I' | b'-' if !in_string => {
                if let Some((constant, number)) = constant_at(bytes, at) {
                    let end = at + constant.len();
                    rewritten.get_or_insert_with(|| bytes.to_vec())[at..end].copy_from_slice(number.as_bytes());
                    at = end;
                    continue;
                }
            }
            _ => {}
        }
        at += 1;
    }
    rewritten.and_then(|bytes| String::from_utf8(bytes).ok())
}

/// The constant that is a complete token at `at`. Replacing part of a token, as in `1NaN`, would turn invalid JSON into
/// valid JSON.
fn constant_at(bytes: &[u8], at: usize) -> Option<(&'static str, &'static str)> {
    let begins_a_value = |byte: &u8| matches!(byte, b':' | b',' | b'[') || byte.is_ascii_whitespace();
    let ends_a_value = |byte: &u8| matches!(byte, b',' | b']' | b'}') || byte.is_ascii_whitespace();
    let (before, rest) = bytes.split_at_checked(at)?;
    if !before.last().is_none_or(begins_a_value) {
        return None;
    }
    CONSTANTS.into_iter().find(|(constant, _)| {
        rest.strip_prefix(constant.as_bytes()).is_some_and(|after| after.first().is_none_or(ends_a_value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(text: &str) -> Option<String> {
        without_python_constants(text)
    }

    #[test]
    fn constants_become_numbers_of_the_same_length() {
        for (text, expected) in [
            (r#"{"a":NaN}"#, r#"{"a":0.0}"#),
            (r#"{"a": -Infinity ,"b":[Infinity,NaN]}"#, r#"{"a": -0.000000 ,"b":[0.000000,0.0]}"#),
            ("NaN", "0.0"),
            (r#"{"é\"":NaN,"NaN":"\\"}"#, r#"{"é\"":0.0,"NaN":"\\"}"#),
        ] {
            assert_eq!(rewritten(text).as_deref(), Some(expected));
        }
    }

    #[test]
    fn strings_and_parts_of_other_tokens_are_left_alone() {
        for text in [
            r#"{"a":"NaN"}"#,
            r#"{"a":"\", NaN ,"}"#,
            r#"{"a":1NaN}"#,
            r#"{"a":NaN1}"#,
            r#"{"a":-NaN}"#,
            r#"{"a":--Infinity}"#,
            r#"{"a":nan}"#,
            r#"{"a":Infinityx}"#,
            r#"{"a":"NaN"#,
            "",
            "\\",
        ] {
            assert_eq!(rewritten(text), None, "{text}");
        }
    }
}
