//! README.md and docs held to the project: links, anchors, names, commands, size and words.
//!
//! Not checked: what an external link leads to, which takes a network, and what a command prints.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub)]

mod commands;
mod links;
mod names;
mod pages;
mod words;

use crate::pages::{README, repository_file};

/// A page that fits two or three screens is read to its end.
const README_MAX_LINES: usize = 200;
/// The width of a terminal or of a split editor, in characters.
const README_MAX_COLUMNS: usize = 100;

#[test]
fn readme_fits_its_lines_and_columns_as_plain_text() {
    let text = repository_file(README);
    let lines = text.lines().count();
    assert!(lines <= README_MAX_LINES, "README.md has {lines} lines, at most {README_MAX_LINES} are allowed");
    let wide: Vec<_> = (1..).zip(text.lines()).filter(|(_, line)| line.chars().count() > README_MAX_COLUMNS).collect();
    assert!(wide.is_empty(), "README.md has lines of more than {README_MAX_COLUMNS} columns: {wide:#?}");
}
