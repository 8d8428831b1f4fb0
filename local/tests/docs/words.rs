//! Phrases that this project does not use, and what to write instead: `docs/words.txt`, held against pages and code.
//!
//! Why not vale or another prose linter: they come as binaries, from neither crates.io nor PyPI, so the gate would have to
//! download one. A fixed list of phrases needs none, and each of its entries was found in this project before.

use crate::pages::{repository_file, repository_paths};

const LIST: &str = "docs/words.txt";

struct Entry {
    phrase: String,
    instead: String,
}

fn entries(list: &str) -> Vec<Entry> {
    let lines = list.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let entry = |line: &str| {
        let (phrase, instead) = line.split_once(" => ").unwrap_or_else(|| panic!("not PHRASE => INSTEAD: {line}"));
        Entry { phrase: phrase.trim().to_lowercase(), instead: instead.trim().to_owned() }
    };
    lines.map(entry).collect()
}

/// The words of a text with their lines, in lower case, as if it were written in one line: without comment markers, and
/// with punctuation where it is.
fn one_line(text: &str) -> (String, Vec<(usize, usize)>) {
    let (mut joined, mut line_starts) = (String::new(), Vec::new());
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim().trim_start_matches(['/', '!', '#', '*', '>']).trim_end_matches('\\');
        line_starts.push((joined.len(), number));
        for word in line.split_whitespace() {
            joined.push_str(&word.to_lowercase());
            joined.push(' ');
        }
    }
    (joined, line_starts)
}

/// The lines in which `text` has a phrase, with what to write instead.
fn found<'a>(text: &str, entries: &'a [Entry]) -> Vec<(usize, &'a Entry)> {
    let (joined, line_starts) = one_line(text);
    let mut found = Vec::new();
    for entry in entries {
        for (start, phrase) in joined.match_indices(&entry.phrase) {
            let continues = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
            let (before, after) = (&joined[..start], &joined[start + phrase.len()..]);
            if !continues(before.chars().next_back()) && !continues(after.chars().next()) {
                let line = line_starts.partition_point(|(line_start, _)| *line_start <= start);
                found.push((line_starts[line - 1].1, entry));
            }
        }
    }
    found
}

/// The places in files with one of these extensions that have a phrase of the list.
fn faults(extensions: &[&str]) -> Vec<String> {
    let entries = entries(&repository_file(LIST));
    let is_read = |path: &String| extensions.iter().any(|extension| path.ends_with(extension));
    let mut faults = Vec::new();
    for path in repository_paths().into_iter().filter(is_read).filter(|path| !path.starts_with("local/tests/docs/")) {
        for (line, entry) in found(&repository_file(&path), &entries) {
            faults.push(format!("{path}:{line}: not \"{}\" but: {}", entry.phrase, entry.instead));
        }
    }
    faults
}

#[test]
fn pages_use_no_phrase_of_the_list() {
    let faults = faults(&[".md"]);
    assert!(faults.is_empty(), "{} places, see {LIST}:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn code_uses_no_phrase_of_the_list() {
    let faults = faults(&[".rs", ".yaml", ".sh", ".py"]);
    assert!(faults.is_empty(), "{} places, see {LIST}:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn phrase_is_found_across_lines_whatever_its_case_and_only_as_whole_words() {
    let entries = entries("# a comment\n\ncomes again => is redelivered\nmend => fix\n");
    let text = "/// The batch Comes\n    /// again, amended.\nmend_it();\n// Mend!\n";
    let found: Vec<_> = found(text, &entries).into_iter().map(|(line, it)| (line, it.instead.as_str())).collect();
    assert_eq!(found, [(1, "is redelivered"), (4, "fix")]);
}
