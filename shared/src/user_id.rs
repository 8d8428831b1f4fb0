//! Who clicked: the key of a user's state and the partition key of their boundaries.

use std::fmt;

use crate::limits::MAX_USER_ID_CHARS;

/// A user's id: 1 to [`MAX_USER_ID_CHARS`] Unicode characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(String);

/// Why a text is no user id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidUserId {
    /// It has no characters.
    Empty,
    /// This text has more than [`MAX_USER_ID_CHARS`] characters.
    TooLong(String),
}

impl UserId {
    /// Takes `text` as a user id.
    ///
    /// # Errors
    /// When it is empty or longer than [`MAX_USER_ID_CHARS`] characters.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidUserId> {
        let text = text.into();
        // Bytes bound characters from above, so only long texts are counted.
        if text.is_empty() {
            return Err(InvalidUserId::Empty);
        }
        if text.len() > MAX_USER_ID_CHARS && text.chars().nth(MAX_USER_ID_CHARS).is_some() {
            return Err(InvalidUserId::TooLong(text));
        }
        Ok(Self(text))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
