//! What a session keeps of its first click besides the time.
//!
//! Texts of up to 23 bytes, as these mostly are, take no allocation.

use smol_str::SmolStr;

/// The three optional texts of a click. Each at most [`crate::limits::MAX_ATTRIBUTE_BYTES`] bytes when decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// What was clicked for, for example `search`.
    pub event_name: Option<SmolStr>,
    /// What kind of event it was, for example `click`.
    pub event_type: Option<SmolStr>,
    /// What it was clicked on, for example `desktop`.
    pub device_type: Option<SmolStr>,
}

impl Attributes {
    /// Bytes of UTF-8 the three texts take together.
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        [&self.event_name, &self.event_type, &self.device_type].into_iter().flatten().map(SmolStr::len).sum()
    }
}
