//! The user's id: the key of their state and the partition key of their boundaries.

use std::fmt;

use smol_str::SmolStr;

use crate::limits::{MAX_RECORD_KEY_BYTES, MAX_USER_ID_CHARS};

/// Strings that producers send when they have no user. Accepting one would merge unrelated people into one user.
const PLACEHOLDERS: [&str; 5] = ["undefined", "null", "NaN", "None", "[object Object]"];

/// A user's id: 1 to [`MAX_USER_ID_CHARS`] Unicode characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(SmolStr);

/// Why a text is not a user id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidUserId {
    /// It has no characters.
    Empty,
    /// This text has more than [`MAX_USER_ID_CHARS`] characters.
    TooLong(String),
}

impl UserId {
    /// Validates `text` as a user id.
    ///
    /// # Errors
    /// If it is empty or longer than [`MAX_USER_ID_CHARS`] characters.
    pub fn new(text: impl Into<SmolStr>) -> Result<Self, InvalidUserId> {
        let text = text.into();
        if text.is_empty() {
            return Err(InvalidUserId::Empty);
        }
        // A string has at most as many characters as bytes, so only long ones are counted.
        if text.len() > MAX_USER_ID_CHARS && text.chars().nth(MAX_USER_ID_CHARS).is_some() {
            return Err(InvalidUserId::TooLong(text.into()));
        }
        Ok(Self(text))
    }

    /// Whether the id stands for no user: blank, or the string some language prints for a missing value.
    #[must_use]
    pub fn is_placeholder(&self) -> bool {
        // U+001C to U+001F are white space to Python's `str.isspace`, though not to Rust.
        let is_blank = |char: char| char.is_whitespace() || matches!(char, '\u{1c}'..='\u{1f}');
        self.0.chars().all(is_blank) || PLACEHOLDERS.contains(&self.as_str())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The partition key of the user's records: the id, cut to [`MAX_RECORD_KEY_BYTES`].
    ///
    /// Kinesis documents 256 characters, but servers count characters, UTF-16 units or bytes. A refused key would block
    /// its shard forever; users whose keys collide merely share a shard.
    #[must_use]
    pub fn partition_key(&self) -> &str {
        let end = self.0.floor_char_boundary(MAX_RECORD_KEY_BYTES);
        &self.0[..end]
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partition_key_is_the_id_cut_to_256_bytes() {
        let key = |text: &str| UserId::new(text).unwrap().partition_key().to_owned();
        assert_eq!(key("user1"), "user1");
        assert_eq!(key(&"x".repeat(256)), "x".repeat(256));
        assert_eq!(key(&"中".repeat(256)), "中".repeat(85), "255 bytes: no character is cut in two");
        assert_eq!(key(&"🦀".repeat(256)), "🦀".repeat(64));
    }
}
