//! The domain: clicks, sessions and boundaries, how they are decoded, and the rule that turns clicks into sessions.
//!
//! Pure and synchronous: no clock, no I/O, no AWS types. Modules are listed in the order in which data flows through
//! them. "Design, section N" in a comment refers to `docs/design.md`.

pub mod limits;

pub mod field_path;
mod path_tree;

mod json_object;
mod json_string;
mod python_constants;

mod fields;
mod whole_number;

mod format_hint;
pub mod rejection;
pub mod shown;

mod protobuf_fields;

pub mod aggregated_record;
pub mod sequence_number;

pub mod attributes;
pub mod event_time;
pub mod user_id;

pub mod columns;

pub mod click;
pub mod click_format;
pub mod event_filter;
pub mod merging;
pub mod record_parts;
mod record_text;
pub mod record_values;
pub mod session;
pub mod session_cut;
pub mod session_window;
mod timestamp_faults;
pub mod timestamp_format;

pub mod boundary;
