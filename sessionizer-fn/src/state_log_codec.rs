//! The bytes of a commit's entries, and of a user at rest.
//!
//! A format byte, then [postcard](https://postcard.jamesmunns.com) of the private types in `state_log_wire`, so that
//! renaming a domain type cannot change what is stored. A commit is compressed, its user ids apart from the rest; a user
//! at rest is smaller than a write unit as it is. Bytes of another format, damaged ones and values that this project
//! never writes are errors: a reader of them must not go on, and must not overwrite them.

use std::collections::HashSet;
use std::fmt;

use postcard::{take_from_bytes, to_allocvec, to_extend};
use serde::{Deserialize, Serialize};
use zstd::bulk::Decompressor;

use crate::compression::{Compressed, compressor};
use crate::state_log_entry::{LogKey, LogValue, UserEntry};
use crate::state_log_texts::{TextsIn, TextsOut, WireUserIds};
use crate::state_log_wire::{WireCommit, WireEntry, WireRestingUser, WireUser};

/// The first byte. Another layout gets another number.
const FORMAT: u8 = 2;

/// Bytes of an uncompressed commit besides its entries, at most: the numbers of user ids, of the bytes of UUIDs, of
/// attributes and of entries.
pub const COMMIT_OVERHEAD_BYTES: usize = 20;

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
    /// They cannot be compressed.
    #[error("the entries cannot be compressed: {0}")]
    Incompressible(String),
    /// They cannot be decompressed.
    #[error("the bytes cannot be decompressed: {0}")]
    Undecompressable(String),
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
    /// They hold more user ids than users.
    #[error("{0} user ids belong to no user")]
    LeftOver(usize),
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

impl Fault {
    pub(crate) fn of(field: &'static str, value: impl fmt::Display, expected: &'static str) -> Self {
        Self { field, value: value.to_string(), expected }
    }
}

/// What is stored of a commit, after the format byte.
#[derive(Serialize, Deserialize)]
struct WireFrames<'a> {
    #[serde(borrow)]
    user_ids: Compressed<'a>,
    #[serde(borrow)]
    commit: Compressed<'a>,
}

/// A commit's entries before compression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts {
    /// The ids of its users, in the order of the entries.
    pub user_ids: Vec<u8>,
    /// Everything else.
    pub commit: Vec<u8>,
}

impl Parts {
    /// The parts of a commit with `entries`; `made_ms` is when it was made, in Unix milliseconds.
    ///
    /// # Errors
    /// If a key and its value are of different kinds.
    pub fn of(entries: &[(LogKey, LogValue)], made_ms: u64) -> Result<Self, CodecError> {
        let mut texts = TextsOut::default();
        let mut wire = Vec::with_capacity(entries.len());
        for (place, (key, value)) in entries.iter().enumerate() {
            wire.push(WireEntry::of(key, value, made_ms, &mut texts).ok_or(CodecError::Mismatched(place))?);
        }
        let user_ids = to_allocvec(&texts.user_ids()).map_err(CodecError::Unencodable)?;
        let commit = WireCommit { attributes: texts.into_attributes(), entries: wire };
        Ok(Self { user_ids, commit: to_allocvec(&commit).map_err(CodecError::Unencodable)? })
    }

    /// The entries of a commit that was made at `made_ms`.
    ///
    /// # Errors
    /// If these are not what [`Self::of`] gives, as far as can be told.
    pub fn into_entries(self, made_ms: u64) -> Result<Vec<(LogKey, LogValue)>, CodecError> {
        let user_ids: WireUserIds<'_> = whole(&self.user_ids)?;
        let commit: WireCommit<'_> = whole(&self.commit)?;
        let mut texts = TextsIn::of(user_ids, commit.attributes);
        let mut entries = Vec::with_capacity(commit.entries.len());
        for (place, wire) in commit.entries.into_iter().enumerate() {
            let entry = wire.into_entry(made_ms, &mut texts);
            entries.push(entry.map_err(|fault| CodecError::Invalid { place, fault })?);
        }
        match texts.user_ids_left() {
            0 => Ok(entries),
            left => Err(CodecError::LeftOver(left)),
        }
    }
}

/// The bytes of a commit's `entries`; `made_ms` is when it was made, in Unix milliseconds.
///
/// # Errors
/// If a key and its value are of different kinds.
pub fn encode_entries(entries: &[(LogKey, LogValue)], made_ms: u64) -> Result<Vec<u8>, CodecError> {
    let Parts { user_ids, commit } = Parts::of(entries, made_ms)?;
    let mut compressor = compressor().map_err(CodecError::Incompressible)?;
    let mut frame =
        |bytes: &[u8]| compressor.compress(bytes).map_err(|error| CodecError::Incompressible(error.to_string()));
    let (user_ids_frame, commit_frame) = (frame(&user_ids)?, frame(&commit)?);
    let frames = WireFrames {
        user_ids: Compressed::of(user_ids.len(), &user_ids_frame),
        commit: Compressed::of(commit.len(), &commit_frame),
    };
    to_extend(&frames, vec![FORMAT]).map_err(CodecError::Unencodable)
}

/// The entries of a commit that was made at `made_ms`.
///
/// # Errors
/// If these are not the bytes of [`encode_entries`], as far as can be told.
pub fn decode_entries(bytes: &[u8], made_ms: u64) -> Result<Vec<(LogKey, LogValue)>, CodecError> {
    let frames: WireFrames<'_> = decode(bytes)?;
    let mut decompressor = Decompressor::new().map_err(|error| CodecError::Undecompressable(error.to_string()))?;
    let mut part = |frame: &Compressed<'_>| frame.decompress(&mut decompressor).map_err(CodecError::Undecompressable);
    let parts = Parts { user_ids: part(&frames.user_ids)?, commit: part(&frames.commit)? };
    let entries = parts.into_entries(made_ms)?;
    let mut keys = HashSet::with_capacity(entries.len());
    match entries.iter().position(|(key, _)| !keys.insert(key)) {
        Some(place) => {
            let fault = Fault::of("key", "that of an earlier entry", "a new one");
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
    let mut texts = TextsOut::default();
    let user = WireUser::of(user, NO_COMMIT_MS, &mut texts);
    let attributes = texts.into_attributes();
    to_extend(&WireRestingUser { attributes, user }, vec![FORMAT]).map_err(CodecError::Unencodable)
}

/// A user at rest.
///
/// # Errors
/// If these are not the bytes of [`encode_user`], as far as can be told.
pub fn decode_user(bytes: &[u8]) -> Result<UserEntry, CodecError> {
    let WireRestingUser { attributes, user } = decode(bytes)?;
    let texts = TextsIn::of(WireUserIds::default(), attributes);
    let user = user.into_user(NO_COMMIT_MS, &texts).map_err(|fault| CodecError::Invalid { place: 0, fault })?;
    if user.is_forgotten() {
        // Only a log forgets: an item of a forgotten user is deleted.
        return Err(CodecError::Invalid { place: 0, fault: Fault::of("number of sessions", 0, "1 or more at rest") });
    }
    Ok(user)
}

fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, CodecError> {
    let (format, bytes) = bytes.split_first().ok_or(CodecError::Empty)?;
    if *format != FORMAT {
        return Err(CodecError::UnknownFormat(*format));
    }
    whole(bytes)
}

/// Damaged lengths cannot make this allocate much: serde reserves a megabyte at most before it has read elements.
fn whole<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, CodecError> {
    let (wire, rest) = take_from_bytes(bytes).map_err(CodecError::Damaged)?;
    if rest.is_empty() { Ok(wire) } else { Err(CodecError::TrailingBytes(rest.len())) }
}

#[cfg(test)]
#[path = "state_log_codec_tests.rs"]
mod tests;
