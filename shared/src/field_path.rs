//! Where a field is within a click: a JSON Pointer (RFC 6901) or the bare name of a top-level key.

use std::fmt;

use crate::limits::{MAX_PATH_BYTES, MAX_PATH_DEPTH, MAX_USER_ID_PATHS};

/// The path to a field.
///
/// `/context/device/type` is a JSON Pointer: the key `type` of the object `device` of the object `context`. In a
/// pointer, `~1` stands for `/` and `~0` for `~`, and a number selects an array's element, from 0. Anything that does
/// not begin with `/` is a top-level key, taken literally.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldPath {
    written: String,
    tokens: Vec<String>,
}

/// Why a text is not a path, or a list of paths cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// There is no path.
    #[error("a path is empty, expected a key or a JSON Pointer")]
    Empty,
    /// The path is longer than [`MAX_PATH_BYTES`].
    #[error("a path has {0} bytes, more than the limit of {MAX_PATH_BYTES}")]
    TooLong(usize),
    /// The pointer has more than [`MAX_PATH_DEPTH`] parts.
    #[error("path {0} has {1} parts, more than the limit of {MAX_PATH_DEPTH}")]
    TooDeep(String, usize),
    /// In a pointer, `~` is an escape only together with `0` or `1`.
    #[error("path {0} contains ~ without 0 or 1 behind it, expected ~0 for ~ and ~1 for /")]
    BadEscape(String),
    /// The path contains a control character.
    #[error("path {0:?} contains a control character")]
    Control(String),
    /// The list has more than [`MAX_USER_ID_PATHS`] paths.
    #[error("{0} paths, more than the limit of {MAX_USER_ID_PATHS}")]
    TooMany(usize),
    /// The list names a path twice.
    #[error("path {0} is listed twice")]
    Twice(String),
}

impl FieldPath {
    /// The path that `text` spells.
    ///
    /// # Errors
    /// If it is empty, too long, too deep, has a control character or, being a pointer, an invalid escape.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        if text.is_empty() {
            return Err(PathError::Empty);
        }
        if text.len() > MAX_PATH_BYTES {
            return Err(PathError::TooLong(text.len()));
        }
        if text.contains(char::is_control) {
            return Err(PathError::Control(text.to_owned()));
        }
        let tokens = match text.strip_prefix('/') {
            None => vec![text.to_owned()],
            Some(tokens) => {
                let tokens: Option<Vec<_>> = tokens.split('/').map(unescaped).collect();
                tokens.ok_or_else(|| PathError::BadEscape(text.to_owned()))?
            }
        };
        if tokens.len() > MAX_PATH_DEPTH {
            return Err(PathError::TooDeep(text.to_owned(), tokens.len()));
        }
        Ok(Self { written: text.to_owned(), tokens })
    }

    /// The paths in `list`, separated by commas, which none of them can contain. White space around a path is ignored.
    ///
    /// # Errors
    /// As for [`Self::parse`]; if there are more than [`MAX_USER_ID_PATHS`] paths, or one of them twice.
    pub fn parse_list(list: &str) -> Result<Vec<Self>, PathError> {
        let count = list.split(',').count();
        if count > MAX_USER_ID_PATHS {
            return Err(PathError::TooMany(count));
        }
        let mut paths: Vec<Self> = Vec::with_capacity(count);
        for text in list.split(',') {
            let path = Self::parse(text.trim())?;
            if paths.iter().any(|other| other.tokens == path.tokens) {
                return Err(PathError::Twice(path.written));
            }
            paths.push(path);
        }
        Ok(paths)
    }

    /// The path to the top-level key `name`, which is one of the contract's.
    pub(crate) fn of_contract(name: &'static str) -> Self {
        Self { written: name.to_owned(), tokens: vec![name.to_owned()] }
    }

    /// The path as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// The keys and indexes from the top, without escapes.
    pub(crate) fn tokens(&self) -> &[String] {
        &self.tokens
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

/// A pointer's part without its escapes; `None` if one is invalid.
fn unescaped(token: &str) -> Option<String> {
    let mut parts = token.split('~');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (char, rest) = match part.as_bytes().first()? {
            b'0' => ('~', &part[1..]),
            b'1' => ('/', &part[1..]),
            _ => return None,
        };
        text.push(char);
        text.push_str(rest);
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_and_bare_names_lead_through_their_keys() {
        for (text, tokens) in [
            ("user_id", &["user_id"][..]),
            ("a/b", &["a/b"]),
            ("a~2", &["a~2"]),
            (" a", &[" a"]),
            ("/userId", &["userId"]),
            ("/", &[""]),
            ("//", &["", ""]),
            ("/a/", &["a", ""]),
            ("/context/device/type", &["context", "device", "type"]),
            ("/a~1b/m~0n/~01/~10", &["a/b", "m~n", "~1", "/0"]),
            ("/items/0/-", &["items", "0", "-"]),
            ("/é/ 中", &["é", " 中"]),
        ] {
            let path = FieldPath::parse(text).unwrap();
            assert_eq!(
                (path.as_str(), path.tokens()),
                (text, &tokens.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>()[..])
            );
        }
    }

    #[test]
    fn limits_of_length_and_depth_are_inclusive() {
        assert!(FieldPath::parse(&"x".repeat(256)).is_ok());
        assert_eq!(FieldPath::parse(&"x".repeat(257)), Err(PathError::TooLong(257)));
        assert!(FieldPath::parse(&"/x".repeat(16)).is_ok());
        let deep = "/x".repeat(17);
        assert_eq!(FieldPath::parse(&deep), Err(PathError::TooDeep(deep.clone(), 17)));
    }

    #[test]
    fn errors_name_the_path_and_what_is_expected() {
        for (list, message) in [
            ("", "a path is empty, expected a key or a JSON Pointer"),
            ("a,,b", "a path is empty, expected a key or a JSON Pointer"),
            ("/a~2", "path /a~2 contains ~ without 0 or 1 behind it, expected ~0 for ~ and ~1 for /"),
            ("b,/a~", "path /a~ contains ~ without 0 or 1 behind it, expected ~0 for ~ and ~1 for /"),
            ("/a\u{7}", "path \"/a\\u{7}\" contains a control character"),
            ("a,b,c,d,e,f,g,h,i", "9 paths, more than the limit of 8"),
            ("a, /b ,/a", "path /a is listed twice"),
        ] {
            assert_eq!(
                FieldPath::parse_list(list).map_err(|error| error.to_string()),
                Err(message.to_owned()),
                "{list}"
            );
        }
    }

    #[test]
    fn lists_are_separated_by_commas_and_trimmed() {
        let paths = FieldPath::parse_list("/userId, /anonymousId").unwrap();
        assert_eq!(paths.iter().map(FieldPath::as_str).collect::<Vec<_>>(), ["/userId", "/anonymousId"]);
    }
}
