//! Which events count as activity, by their names.

use std::collections::BTreeSet;

use crate::limits::{MAX_ATTRIBUTE_BYTES, MAX_FILTERED_NAMES};

/// Which events count. The others change nothing and keep no session alive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum EventFilter {
    /// All.
    #[default]
    All,
    /// Those with one of these names. An event without a name does not count.
    Only(EventNames),
    /// Those with another name, and those without one.
    AllBut(EventNames),
}

/// Names of events: at least one, at most [`MAX_FILTERED_NAMES`], each of at most [`MAX_ATTRIBUTE_BYTES`] bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventNames(BTreeSet<String>);

/// Why a list of event names cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventNamesError {
    /// A name is empty.
    #[error("a name is empty")]
    Empty,
    /// A name is longer than [`MAX_ATTRIBUTE_BYTES`].
    #[error("a name has {0} bytes, more than the limit of {MAX_ATTRIBUTE_BYTES}")]
    TooLong(usize),
    /// The list has more than [`MAX_FILTERED_NAMES`] names.
    #[error("{0} names, more than the limit of {MAX_FILTERED_NAMES}")]
    TooMany(usize),
}

impl EventNames {
    /// The names in `list`, separated by commas, which none of them can contain. White space around a name is ignored;
    /// upper and lower case differ.
    ///
    /// # Errors
    /// If a name is empty or too long, or there are too many.
    pub fn parse_list(list: &str) -> Result<Self, EventNamesError> {
        let count = list.split(',').count();
        if count > MAX_FILTERED_NAMES {
            return Err(EventNamesError::TooMany(count));
        }
        let names = list.split(',').map(|name| match name.trim() {
            "" => Err(EventNamesError::Empty),
            name if name.len() > MAX_ATTRIBUTE_BYTES => Err(EventNamesError::TooLong(name.len())),
            name => Ok(name.to_owned()),
        });
        Ok(Self(names.collect::<Result<_, _>>()?))
    }
}

impl EventFilter {
    /// Whether an event with this name counts.
    #[must_use]
    pub fn counts(&self, name: Option<&str>) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => name.is_some_and(|name| names.0.contains(name)),
            Self::AllBut(names) => !name.is_some_and(|name| names.0.contains(name)),
        }
    }
}
