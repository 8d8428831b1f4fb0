//! The bytes of a commit's entries, and of a user at rest.
//!
//! A format byte, then [postcard](https://postcard.jamesmunns.com) of the private types in `state_log_wire`, so that
//! renaming a domain type cannot change what is stored. A commit is compressed, its user ids and columns apart from the
//! rest; a user at rest is smaller than a write unit as it is. Bytes of another format, damaged ones and values that this
//! project never writes are errors: a reader of them must not go on, and must not overwrite them.
//!
//! A deployment that declares columns writes a format of its own, so that nothing of them is stored elsewhere. Both read
//! both.

use std::collections::HashSet;
use std::fmt;

use postcard::{take_from_bytes, to_allocvec, to_extend};
use serde::{Deserialize, Serialize};
use shared::columns::declaration::SessionColumns;
use zstd::bulk::Decompressor;

use crate::compression::{Compressed, compressor};
use crate::state_log_columns::{ColumnsIn, WireColumns};
use crate::state_log_entry::{LogKey, LogValue, UserEntry};
use crate::state_log_texts::{TextsIn, TextsOut, WireUserIds};
use crate::state_log_wire::{WireCommit, WireEntry, WireRestingUser, WireUser};

/// The first byte. Another layout gets another number.
const FORMAT: u8 = 2;

/// The first byte where columns are declared.
const FORMAT_WITH_COLUMNS: u8 = 3;

/// Bytes of an uncompressed commit besides its entries, at most: the numbers of user ids, of the bytes of UUIDs, of
/// attributes and of entries.
pub const COMMIT_OVERHEAD_BYTES: usize = 20;

/// At rest, times are not relative to a commit.
const NO_COMMIT_MS: u64 = 0;

/// Why bytes cannot be read, or entries cannot be written. The text contains no user id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// There are no bytes.
    #[error("there are no bytes, expected format {FORMAT} or {FORMAT_WITH_COLUMNS}")]
    Empty,
    /// The first byte is another one.
    #[error("the format is {0}, expected {FORMAT} or {FORMAT_WITH_COLUMNS}")]
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
    /// They hold columns of more sessions and boundaries than there are.
    #[error("{0} values of a column belong to no session or boundary")]
    LeftOverColumns(usize),
    /// They cannot be written.
    #[error("the entries cannot be encoded: {0}")]
    Unencodable(postcard::Error),
    /// A session or boundary has more columns than are declared.
    #[error("a session or boundary has more than the {0} declared columns")]
    UndeclaredColumns(usize),
    /// A stored column has an aggregate that this version does not know.
    #[error("unknown aggregate: {0}")]
    UnknownAggregate(String),
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

/// The same with columns.
#[derive(Serialize, Deserialize)]
struct WireFramesWithColumns<'a> {
    #[serde(borrow)]
    frames: WireFrames<'a>,
    #[serde(borrow)]
    columns: Compressed<'a>,
}

/// A user at rest with columns.
#[derive(Serialize, Deserialize)]
struct WireRestingUserWithColumns<'a> {
    #[serde(borrow)]
    user: WireRestingUser<'a>,
    #[serde(borrow)]
    columns: WireColumns<'a>,
}

/// A commit's entries before compression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts {
    /// The ids of its users, in the order of the entries.
    pub user_ids: Vec<u8>,
    /// Columns; `None` if none are declared.
    pub columns: Option<Vec<u8>>,
    /// Everything else.
    pub commit: Vec<u8>,
}

impl Parts {
    /// The parts of a commit with `entries`, whose sessions have the `declared` columns; `made_ms` is when it was made,
    /// in Unix milliseconds.
    ///
    /// # Errors
    /// If a key and its value are of different kinds, or a session has more columns.
    pub fn of(entries: &[(LogKey, LogValue)], made_ms: u64, declared: &SessionColumns) -> Result<Self, CodecError> {
        let mut texts = TextsOut::of(declared);
        let mut wire = Vec::with_capacity(entries.len());
        for (place, (key, value)) in entries.iter().enumerate() {
            wire.push(WireEntry::of(key, value, made_ms, &mut texts).ok_or(CodecError::Mismatched(place))?);
        }
        let user_ids = to_allocvec(&texts.user_ids()).map_err(CodecError::Unencodable)?;
        let (attributes, columns) = texts.into_attributes_and_columns();
        let commit = to_allocvec(&WireCommit { attributes, entries: wire }).map_err(CodecError::Unencodable)?;
        Ok(Self { user_ids, columns: columns.encode()?, commit })
    }

    /// The entries of a commit that was made at `made_ms`, with `declared` columns.
    ///
    /// # Errors
    /// If these are not what [`Self::of`] gives, as far as can be told.
    pub fn into_entries(self, made_ms: u64, declared: &SessionColumns) -> Result<Vec<(LogKey, LogValue)>, CodecError> {
        let user_ids: WireUserIds<'_> = whole(&self.user_ids)?;
        let commit: WireCommit<'_> = whole(&self.commit)?;
        let columns: Option<WireColumns<'_>> = self.columns.as_deref().map(whole).transpose()?;
        let mut texts = TextsIn::of(user_ids, commit.attributes, ColumnsIn::of(columns, declared));
        let mut entries = Vec::with_capacity(commit.entries.len());
        for (place, wire) in commit.entries.into_iter().enumerate() {
            let entry = wire.into_entry(made_ms, &mut texts);
            entries.push(entry.map_err(|fault| CodecError::Invalid { place, fault })?);
        }
        texts.columns.check_nothing_left()?;
        match texts.user_ids_left() {
            0 => Ok(entries),
            left => Err(CodecError::LeftOver(left)),
        }
    }
}

/// The bytes of a commit's `entries`, whose sessions have the `declared` columns; `made_ms` is when it was made, in Unix
/// milliseconds.
///
/// # Errors
/// If a key and its value are of different kinds, or a session has more columns.
pub fn encode_entries(
    entries: &[(LogKey, LogValue)],
    made_ms: u64,
    declared: &SessionColumns,
) -> Result<Vec<u8>, CodecError> {
    let parts = Parts::of(entries, made_ms, declared)?;
    let mut compressor = compressor().map_err(CodecError::Incompressible)?;
    let mut frame =
        |bytes: &[u8]| compressor.compress(bytes).map_err(|error| CodecError::Incompressible(error.to_string()));
    let (user_ids, commit) = (frame(&parts.user_ids)?, frame(&parts.commit)?);
    let frames = WireFrames {
        user_ids: Compressed::of(parts.user_ids.len(), &user_ids),
        commit: Compressed::of(parts.commit.len(), &commit),
    };
    match &parts.columns {
        None => to_extend(&frames, vec![FORMAT]),
        Some(columns) => {
            let frame = frame(columns)?;
            let columns = Compressed::of(columns.len(), &frame);
            to_extend(&WireFramesWithColumns { frames, columns }, vec![FORMAT_WITH_COLUMNS])
        }
    }
    .map_err(CodecError::Unencodable)
}

/// The entries of a commit that was made at `made_ms`, with `declared` columns.
///
/// # Errors
/// If these are not the bytes of [`encode_entries`], as far as can be told.
pub fn decode_entries(
    bytes: &[u8],
    made_ms: u64,
    declared: &SessionColumns,
) -> Result<Vec<(LogKey, LogValue)>, CodecError> {
    let entries = decompressed(bytes)?.into_entries(made_ms, declared)?;
    let mut keys = HashSet::with_capacity(entries.len());
    match entries.iter().position(|(key, _)| !keys.insert(key)) {
        Some(place) => {
            let fault = Fault::of("key", "that of an earlier entry", "a new one");
            Err(CodecError::Invalid { place, fault })
        }
        None => Ok(entries),
    }
}

fn decompressed(bytes: &[u8]) -> Result<Parts, CodecError> {
    let (frames, columns) = match format_of(bytes)? {
        Format::Plain(bytes) => (whole(bytes)?, None),
        Format::WithColumns(bytes) => {
            let WireFramesWithColumns { frames, columns } = whole(bytes)?;
            (frames, Some(columns))
        }
    };
    let WireFrames { user_ids, commit } = frames;
    let mut decompressor = Decompressor::new().map_err(|error| CodecError::Undecompressable(error.to_string()))?;
    let mut part = |frame: &Compressed<'_>| frame.decompress(&mut decompressor).map_err(CodecError::Undecompressable);
    Ok(Parts {
        user_ids: part(&user_ids)?,
        columns: columns.map(|columns| part(&columns)).transpose()?,
        commit: part(&commit)?,
    })
}

/// The columns of the sessions in the bytes of a commit: what a deployment declared when it was made. Names are not
/// stored.
///
/// # Errors
/// If these are not the bytes of [`encode_entries`], as far as can be told.
pub fn columns_of_entries(bytes: &[u8]) -> Result<SessionColumns, CodecError> {
    let columns = decompressed(bytes)?.columns;
    columns.map_or_else(|| Ok(SessionColumns::default()), |columns| declared_in(&whole(&columns)?))
}

/// The columns of the sessions in the bytes of a user at rest, like [`columns_of_entries`].
///
/// # Errors
/// If these are not the bytes of [`encode_user`], as far as can be told.
pub fn columns_of_user(bytes: &[u8]) -> Result<SessionColumns, CodecError> {
    match format_of(bytes)? {
        Format::Plain(_) => Ok(SessionColumns::default()),
        Format::WithColumns(bytes) => declared_in(&whole::<WireRestingUserWithColumns<'_>>(bytes)?.columns),
    }
}

fn declared_in(columns: &WireColumns<'_>) -> Result<SessionColumns, CodecError> {
    SessionColumns::of_canonical_texts(columns.aggregates())
        .map_err(|fault| CodecError::UnknownAggregate(fault.to_string()))
}

/// The bytes of a user at rest, whose sessions have the `declared` columns.
///
/// # Errors
/// If a session has more columns.
pub fn encode_user(user: &UserEntry, declared: &SessionColumns) -> Result<Vec<u8>, CodecError> {
    let mut texts = TextsOut::of(declared);
    let user = WireUser::of(user, NO_COMMIT_MS, &mut texts);
    let (attributes, columns) = texts.into_attributes_and_columns();
    let user = WireRestingUser { attributes, user };
    match columns.encode()? {
        None => to_extend(&user, vec![FORMAT]),
        Some(columns) => to_extend(&user, vec![FORMAT_WITH_COLUMNS]).map(|mut bytes| {
            bytes.extend(columns);
            bytes
        }),
    }
    .map_err(CodecError::Unencodable)
}

/// A user at rest, with `declared` columns.
///
/// # Errors
/// If these are not the bytes of [`encode_user`], as far as can be told.
pub fn decode_user(bytes: &[u8], declared: &SessionColumns) -> Result<UserEntry, CodecError> {
    let (WireRestingUser { attributes, user }, columns) = match format_of(bytes)? {
        Format::Plain(bytes) => (whole(bytes)?, None),
        Format::WithColumns(bytes) => {
            let WireRestingUserWithColumns { user, columns } = whole(bytes)?;
            (user, Some(columns))
        }
    };
    let mut texts = TextsIn::of(WireUserIds::default(), attributes, ColumnsIn::of(columns, declared));
    let user = user.into_user(NO_COMMIT_MS, &mut texts).map_err(|fault| CodecError::Invalid { place: 0, fault })?;
    texts.columns.check_nothing_left()?;
    if user.is_forgotten() {
        // Only a log forgets: an item of a forgotten user is deleted.
        return Err(CodecError::Invalid { place: 0, fault: Fault::of("number of sessions", 0, "1 or more at rest") });
    }
    Ok(user)
}

/// What follows the format byte.
enum Format<'a> {
    Plain(&'a [u8]),
    WithColumns(&'a [u8]),
}

fn format_of(bytes: &[u8]) -> Result<Format<'_>, CodecError> {
    match bytes.split_first() {
        None => Err(CodecError::Empty),
        Some((&FORMAT, bytes)) => Ok(Format::Plain(bytes)),
        Some((&FORMAT_WITH_COLUMNS, bytes)) => Ok(Format::WithColumns(bytes)),
        Some((other, _)) => Err(CodecError::UnknownFormat(*other)),
    }
}

/// Damaged lengths cannot make this allocate much: serde reserves a megabyte at most before it has read elements.
fn whole<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, CodecError> {
    let (wire, rest) = take_from_bytes(bytes).map_err(CodecError::Damaged)?;
    if rest.is_empty() { Ok(wire) } else { Err(CodecError::TrailingBytes(rest.len())) }
}

#[cfg(test)]
#[path = "state_log_codec_tests.rs"]
mod tests;
