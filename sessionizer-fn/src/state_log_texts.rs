//! The texts of a commit, which are kept apart from its numbers.
//!
//! User ids are nearly random, attributes few: apart from one another and from the numbers, each compresses better. A
//! commit has each combination of attributes once, and its sessions refer to it by its place.

use std::collections::HashMap;
use std::vec;

use serde::{Deserialize, Serialize};
use shared::attributes::Attributes;
use shared::limits::MAX_USER_ID_CHARS;
use shared::user_id::{InvalidUserId, UserId};

use crate::state_log_codec::Fault;

/// Attributes as they are stored.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct WireAttributes<'a> {
    event_name: Option<&'a str>,
    event_type: Option<&'a str>,
    device_type: Option<&'a str>,
}

/// The texts of a commit that is being encoded.
#[derive(Debug, Default)]
pub(crate) struct TextsOut<'a> {
    user_ids: Vec<&'a str>,
    attributes: Vec<WireAttributes<'a>>,
    places: HashMap<&'a Attributes, u32>,
}

/// The texts of a commit that is being decoded.
#[derive(Debug)]
pub(crate) struct TextsIn<'a> {
    user_ids: vec::IntoIter<&'a str>,
    attributes: Vec<Attributes>,
}

impl<'a> TextsOut<'a> {
    /// Adds a user's id. Ids are decoded in the same order.
    pub(crate) fn push_user_id(&mut self, user_id: &'a UserId) {
        self.user_ids.push(user_id.as_str());
    }

    /// Adds `attributes` unless they are there, and returns their place.
    pub(crate) fn place_of(&mut self, attributes: &'a Attributes) -> u32 {
        let next = u32::try_from(self.attributes.len()).unwrap_or(u32::MAX);
        *self.places.entry(attributes).or_insert_with(|| {
            self.attributes.push(WireAttributes::of(attributes));
            next
        })
    }

    /// The user ids and the attributes to store.
    pub(crate) fn into_stored(self) -> (Vec<&'a str>, Vec<WireAttributes<'a>>) {
        (self.user_ids, self.attributes)
    }
}

impl<'a> TextsIn<'a> {
    /// The texts as stored.
    pub(crate) fn of(user_ids: Vec<&'a str>, attributes: Vec<WireAttributes<'_>>) -> Self {
        let attributes = attributes.into_iter().map(WireAttributes::into_attributes).collect();
        Self { user_ids: user_ids.into_iter(), attributes }
    }

    /// The next user id.
    pub(crate) fn next_user_id(&mut self) -> Result<UserId, Fault> {
        const _: () = assert!(MAX_USER_ID_CHARS == 256, "the texts below say so");
        let text = self.user_ids.next().ok_or_else(|| Fault::of("number of user ids", 0, "one for each user"))?;
        // The value may be a person's name, so only its length is told.
        UserId::new(text).map_err(|error| match error {
            InvalidUserId::Empty => Fault::of("length of user_id", 0, "1 to 256 characters"),
            InvalidUserId::TooLong(text) => Fault::of("length of user_id", text.chars().count(), "1 to 256 characters"),
        })
    }

    /// How many user ids are left.
    pub(crate) fn user_ids_left(&self) -> usize {
        self.user_ids.len()
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
