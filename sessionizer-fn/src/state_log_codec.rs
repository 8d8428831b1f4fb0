//! The bytes of a commit's entries, and of a user at rest.
//!
//! A format byte, then [postcard](https://postcard.jamesmunns.com) of the private types in `state_log_wire`, so that
//! renaming a domain type cannot change what is stored. Bytes of another format, damaged ones and values that this
//! project never writes are errors: a reader of them must not go on, and must not overwrite them.

use std::collections::HashSet;

use postcard::{take_from_bytes, to_extend};

use crate::state_log_entry::{LogKey, LogValue, UserEntry};
use crate::state_log_wire::{WireEntry, WireUser};

/// The first byte. Another layout gets another number.
const FORMAT: u8 = 1;

/// Bytes of a commit besides its entries, at most: the format byte and the number of entries.
pub const COMMIT_OVERHEAD_BYTES: usize = 6;

/// At rest, times are not relative to a commit.
const NO_COMMIT_MS: u64 = 0;

/// Why bytes cannot be read, or entries cannot be written. The text contains no user id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// There are no bytes.
    #[error("there are no bytes, expected format {FORMAT}")]
    Empty,
    /// The first byte is another one.
    #[error("the format is {0}, expected {FORMAT}")]
    UnknownFormat(u8),
    /// They are not what the format says.
    #[error("the bytes are damaged: {0}")]
    Damaged(postcard::Error),
    /// They are longer than what they hold.
    #[error("{0} bytes follow the last value")]
    TrailingBytes(usize),
    /// A value that this project never writes.
    #[error("entry {place}: {fault}")]
    Invalid {
        /// The entry, from 0.
        place: usize,
        /// What is wrong with it.
        fault: Fault,
    },
    /// They cannot be written.
    #[error("the entries cannot be encoded: {0}")]
    Unencodable(postcard::Error),
    /// The key and the value of an entry do not go together.
    #[error("entry {0} has a key of one kind and a value of another")]
    Mismatched(usize),
}

/// A field that cannot have its value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} is {value}, expected {expected}")]
pub struct Fault {
    /// The field.
    pub field: &'static str,
    /// What it is.
    pub value: String,
    /// What it must be.
    pub expected: &'static str,
}

/// The bytes of a commit's `entries`; `made_ms` is when it was made, in Unix milliseconds.
///
/// # Errors
/// If a key and its value are of different kinds.
pub fn encode_entries(entries: &[(LogKey, LogValue)], made_ms: u64) -> Result<Vec<u8>, CodecError> {
    let mut wire = Vec::with_capacity(entries.len());
    for (place, (key, value)) in entries.iter().enumerate() {
        wire.push(WireEntry::of(key, value, made_ms).ok_or(CodecError::Mismatched(place))?);
    }
    to_extend(&wire, vec![FORMAT]).map_err(CodecError::Unencodable)
}

/// The entries of a commit that was made at `made_ms`.
///
/// # Errors
/// If these are not the bytes of [`encode_entries`], as far as can be told.
pub fn decode_entries(bytes: &[u8], made_ms: u64) -> Result<Vec<(LogKey, LogValue)>, CodecError> {
    let wire: Vec<WireEntry<'_>> = decode(bytes)?;
    let entry = |(place, wire): (usize, WireEntry<'_>)| {
        wire.into_entry(made_ms).map_err(|fault| CodecError::Invalid { place, fault })
    };
    let entries: Vec<_> = wire.into_iter().enumerate().map(entry).collect::<Result<_, _>>()?;
    let mut keys = HashSet::with_capacity(entries.len());
    match entries.iter().position(|(key, _)| !keys.insert(key)) {
        Some(place) => {
            let fault = Fault { field: "key", value: "that of an earlier entry".to_owned(), expected: "a new one" };
            Err(CodecError::Invalid { place, fault })
        }
        None => Ok(entries),
    }
}

/// The bytes of a user at rest.
///
/// # Errors
/// None in practice.
pub fn encode_user(user: &UserEntry) -> Result<Vec<u8>, CodecError> {
    to_extend(&WireUser::of(user, NO_COMMIT_MS), vec![FORMAT]).map_err(CodecError::Unencodable)
}

/// A user at rest.
///
/// # Errors
/// If these are not the bytes of [`encode_user`], as far as can be told.
pub fn decode_user(bytes: &[u8]) -> Result<UserEntry, CodecError> {
    let wire: WireUser<'_> = decode(bytes)?;
    wire.into_user(NO_COMMIT_MS).map_err(|fault| CodecError::Invalid { place: 0, fault })
}

/// Damaged lengths cannot make this allocate much: serde reserves a megabyte at most before it has read elements.
fn decode<'a, T: serde::Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, CodecError> {
    let (format, bytes) = bytes.split_first().ok_or(CodecError::Empty)?;
    if *format != FORMAT {
        return Err(CodecError::UnknownFormat(*format));
    }
    let (wire, rest) = take_from_bytes(bytes).map_err(CodecError::Damaged)?;
    if rest.is_empty() { Ok(wire) } else { Err(CodecError::TrailingBytes(rest.len())) }
}

#[cfg(test)]
#[path = "state_log_codec_tests.rs"]
mod tests;
