//! The domain: what a click, a session and a boundary are, how they are read, and the rule that makes sessions of clicks.
//!
//! Pure and synchronous: no clock, no I/O, no AWS type. The modules stand in the order in which data flows through them.
//! Sections of the design named in comments are those of `docs/design.md`.

pub mod limits;

mod json_object;
mod json_string;
mod python_constants;

mod fields;
mod whole_number;

mod format_hint;
pub mod rejection;
pub mod shown;

pub mod sequence_number;

pub mod attributes;
pub mod event_time;
pub mod user_id;

pub mod click;
pub mod session_rule;

pub mod boundary;
