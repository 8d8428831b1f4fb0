//! What a session keeps of its first click besides the time.
//!
//! Attributes are mostly short: `SmolStr` stores up to 23 bytes without an allocation.

use smol_str::SmolStr;

/// The three optional attributes of a click. Decoded ones have at most [`crate::limits::MAX_ATTRIBUTE_BYTES`] bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Attributes {
    /// The event's name, for example `search`.
    pub event_name: Option<SmolStr>,
    /// The kind of event, for example `click`.
    pub event_type: Option<SmolStr>,
    /// The kind of device, for example `desktop`.
    pub device_type: Option<SmolStr>,
}

impl Attributes {
    /// Total length of the three attributes, in bytes of UTF-8.
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        let Self { event_name, event_type, device_type } = self;
        [event_name, event_type, device_type].into_iter().flatten().map(SmolStr::len).sum()
    }
}
