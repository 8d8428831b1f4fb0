//! A user's state as a DynamoDB item, and back.
//!
//! The only place that knows the item's form. An item of another schema version, or one that breaks an invariant of
//! the state, is an error: it is never guessed at and never overwritten.
//!
//! All that no condition looks at is one attribute, a text of `state_text`: an attribute for each part would take three
//! times the CPU in the SDK, for every click where users click rarely.

use aws_sdk_dynamodb::types::AttributeValue;
use kinesis_function::statements::Item;
use shared::boundary::Version;
use shared::limits::MAX_SAFE_INTEGER;

use crate::state::UserState;
use crate::state_text;

/// The schema version this code writes, and the only one it reads.
pub const SCHEMA_VERSION: u64 = 1;

/// The attributes of a state item besides its key, in the order in which [`encode`] gives their values.
pub const ATTRIBUTES: [&str; 3] = ["version", "schema_version", "state"];

/// The name of the key attribute.
pub const KEY: &str = "user_id";

/// The name of the attribute that conditions compare.
pub const VERSION: &str = ATTRIBUTES[0];

/// A state item that this code must not touch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateItemError {
    /// It was written by another version of the sessionizer.
    #[error("schema_version is {0}, but this sessionizer supports only {SCHEMA_VERSION}")]
    UnknownSchema(u64),
    /// An attribute is missing, of another type, or not what a state may hold.
    #[error("attribute {name}: {fault}")]
    Attribute {
        /// The attribute.
        name: &'static str,
        /// What is wrong with it.
        fault: String,
    },
}

/// The values of [`ATTRIBUTES`] for `state`, in their order.
#[must_use]
pub fn encode(state: &UserState) -> [AttributeValue; ATTRIBUTES.len()] {
    let number = |value: u64| AttributeValue::N(value.to_string());
    [number(state.version.number()), number(SCHEMA_VERSION), AttributeValue::S(state_text::write(state))]
}

/// The state that `item` holds.
///
/// # Errors
/// If the item was not written by this version of the sessionizer.
pub fn decode(item: &Item) -> Result<UserState, StateItemError> {
    let [version, schema_version, state] = ATTRIBUTES;
    let schema = number(item, schema_version)?;
    if schema != SCHEMA_VERSION {
        return Err(StateItemError::UnknownSchema(schema));
    }
    let version = Version::new(number(item, version)?);
    let text = attribute(item, state)?.as_s().map_err(|_| fault(state, "it is not a string"))?;
    let (sessions, cursors) = state_text::read(text).map_err(|error| fault(state, error.to_string()))?;
    Ok(UserState { version, sessions, cursors })
}

fn number(item: &Item, name: &'static str) -> Result<u64, StateItemError> {
    let value = attribute(item, name)?.as_n().ok().and_then(|text| text.parse().ok());
    let value = value.filter(|number| *number <= MAX_SAFE_INTEGER);
    value.ok_or_else(|| fault(name, format!("it is not a whole number from 0 to {MAX_SAFE_INTEGER}")))
}

fn attribute<'i>(item: &'i Item, name: &'static str) -> Result<&'i AttributeValue, StateItemError> {
    item.get(name).ok_or_else(|| fault(name, "it is missing"))
}

fn fault(name: &'static str, fault: impl Into<String>) -> StateItemError {
    StateItemError::Attribute { name, fault: fault.into() }
}

#[cfg(test)]
#[path = "state_item_tests.rs"]
pub(crate) mod tests;
