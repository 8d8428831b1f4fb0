//! The texts of a commit, which are kept apart from its numbers.
//!
//! User ids are nearly random, attributes few: apart from one another and from the numbers, each compresses better. A
//! UUID of 36 characters has 16 random bytes, and is stored as these, since compression would leave 19. A commit has each
//! combination of attributes once, and its sessions refer to it by its place.

use std::collections::HashMap;
use std::{mem, slice, vec};

use serde::{Deserialize, Serialize};
use shared::attributes::Attributes;
use shared::columns::declaration::SessionColumns;
use shared::limits::MAX_USER_ID_CHARS;
use shared::user_id::{InvalidUserId, UserId};
use uuid::Uuid;
use uuid::fmt::Hyphenated;

use crate::state_log_codec::Fault;
use crate::state_log_columns::{ColumnsIn, ColumnsOut};

/// Bytes of a UUID.
const UUID_BYTES: usize = 16;

/// User ids as they are stored.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct WireUserIds<'a> {
    /// In the order of their users; empty in place of a UUID.
    #[serde(borrow)]
    texts: Vec<&'a str>,
    /// The bytes of the UUIDs, one after the other.
    uuids: &'a [u8],
}

/// Attributes as they are stored.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct WireAttributes<'a> {
    event_name: Option<&'a str>,
    event_type: Option<&'a str>,
    device_type: Option<&'a str>,
}

/// The texts and columns of a commit that is being encoded.
#[derive(Debug, Default)]
pub(crate) struct TextsOut<'a> {
    pub(crate) columns: ColumnsOut<'a>,
    user_ids: Vec<&'a str>,
    uuids: Vec<u8>,
    attributes: Vec<WireAttributes<'a>>,
    places: HashMap<&'a Attributes, u32>,
}

/// The texts and columns of a commit that is being decoded.
#[derive(Debug)]
pub(crate) struct TextsIn<'a> {
    pub(crate) columns: ColumnsIn<'a>,
    user_ids: vec::IntoIter<&'a str>,
    uuids: slice::Chunks<'a, u8>,
    attributes: Vec<Attributes>,
}

impl<'a> TextsOut<'a> {
    /// No texts yet, and no values yet of the `declared` columns.
    pub(crate) fn of(declared: &'a SessionColumns) -> Self {
        Self { columns: ColumnsOut::of(declared), ..Self::default() }
    }

    /// Adds a user's id. Ids are decoded in the same order.
    pub(crate) fn push_user_id(&mut self, user_id: &'a UserId) {
        let uuid = uuid_of(user_id.as_str());
        self.user_ids.push(if uuid.is_some() { "" } else { user_id.as_str() });
        self.uuids.extend(uuid.into_iter().flat_map(Uuid::into_bytes));
    }

    /// Adds `attributes` unless they are there, and returns their place.
    pub(crate) fn place_of(&mut self, attributes: &'a Attributes) -> u32 {
        let next = u32::try_from(self.attributes.len()).unwrap_or(u32::MAX);
        *self.places.entry(attributes).or_insert_with(|| {
            self.attributes.push(WireAttributes::of(attributes));
            next
        })
    }

    /// The user ids to store.
    pub(crate) fn user_ids(&mut self) -> WireUserIds<'_> {
        WireUserIds { texts: mem::take(&mut self.user_ids), uuids: &self.uuids }
    }

    /// The attributes to store, and the columns.
    pub(crate) fn into_attributes_and_columns(self) -> (Vec<WireAttributes<'a>>, ColumnsOut<'a>) {
        (self.attributes, self.columns)
    }
}

impl<'a> TextsIn<'a> {
    /// The texts and columns as stored.
    pub(crate) fn of(user_ids: WireUserIds<'a>, attributes: Vec<WireAttributes<'_>>, columns: ColumnsIn<'a>) -> Self {
        let attributes = attributes.into_iter().map(WireAttributes::into_attributes).collect();
        Self { columns, user_ids: user_ids.texts.into_iter(), uuids: user_ids.uuids.chunks(UUID_BYTES), attributes }
    }

    /// The next user id.
    pub(crate) fn next_user_id(&mut self) -> Result<UserId, Fault> {
        const _: () = assert!(MAX_USER_ID_CHARS == 256, "the texts below say so");
        let text = self.user_ids.next().ok_or_else(|| Fault::of("number of user ids", 0, "one for each user"))?;
        let mut buffer = [0; Hyphenated::LENGTH];
        let text = if text.is_empty() { self.next_uuid()?.hyphenated().encode_lower(&mut buffer) } else { text };
        // The value may be a person's name, so only its length is told.
        UserId::new(text).map_err(|error| match error {
            InvalidUserId::Empty => Fault::of("length of user_id", 0, "1 to 256 characters"),
            InvalidUserId::TooLong(text) => Fault::of("length of user_id", text.chars().count(), "1 to 256 characters"),
        })
    }

    fn next_uuid(&mut self) -> Result<Uuid, Fault> {
        let bytes = self.uuids.next().unwrap_or_default();
        Uuid::from_slice(bytes).map_err(|_| Fault::of("length of a UUID", bytes.len(), "16 bytes"))
    }

    /// How many user ids are left.
    pub(crate) fn user_ids_left(&self) -> usize {
        self.user_ids.len().max(self.uuids.len())
    }

    /// The attributes at `place`.
    pub(crate) fn attributes_at(&self, place: u32) -> Result<Attributes, Fault> {
        let found = usize::try_from(place).ok().and_then(|place| self.attributes.get(place));
        found.cloned().ok_or_else(|| Fault::of("place of attributes", place, "one that the commit has"))
    }
}

impl<'a> WireAttributes<'a> {
    fn of(attributes: &'a Attributes) -> Self {
        let Attributes { event_name, event_type, device_type } = attributes;
        Self {
            event_name: event_name.as_deref(),
            event_type: event_type.as_deref(),
            device_type: device_type.as_deref(),
        }
    }

    fn into_attributes(self) -> Attributes {
        let Self { event_name, event_type, device_type } = self;
        Attributes {
            event_name: event_name.map(Into::into),
            event_type: event_type.map(Into::into),
            device_type: device_type.map(Into::into),
        }
    }
}

/// The UUID whose hyphenated form in lower-case letters `text` is.
fn uuid_of(text: &str) -> Option<Uuid> {
    if text.len() != Hyphenated::LENGTH {
        return None;
    }
    let uuid = Uuid::try_parse(text).ok()?;
    let mut buffer = [0; Hyphenated::LENGTH];
    (uuid.hyphenated().encode_lower(&mut buffer) == text).then_some(uuid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_hyphenated_lower_case_form_is_a_uuid() {
        assert!(uuid_of("0189dc1e-5a3b-7c4d-8e5f-0123456789ab").is_some());
        for other in [
            "0189DC1E-5A3B-7C4D-8E5F-0123456789AB",
            "0189dc1e5a3b7c4d8e5f0123456789ab",
            "{189dc1e-5a3b-7c4d-8e5f-0123456789ab}",
            "0189dc1e-5a3b-7c4d-8e5f-0123456789ag",
            "0189dc1e-5a3b-7c4d-8e5f0-123456789ab",
            "user",
        ] {
            assert_eq!(uuid_of(other), None, "{other}");
        }
    }
}
