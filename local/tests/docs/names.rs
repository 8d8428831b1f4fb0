//! Files and tests named in code spans exist.

use std::collections::BTreeSet;

use crate::pages::{pages, repository_file, repository_paths};

/// Extensions of the files that pages name. `env` and `zip` are not among them: these are made by commands.
const EXTENSIONS: [&str; 7] = [".rs", ".md", ".py", ".sh", ".toml", ".txt", ".json"];
/// A snake_case name of this many words is a test's or a reason code's, and has to be in the code.
const WORDS_OF_A_TEST_NAME: usize = 5;

fn is_path(span: &str, folders: &BTreeSet<&str>) -> bool {
    let plain = span.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
    let below_a_folder = span.split_once('/').is_some_and(|(folder, _)| folders.contains(folder));
    plain && (below_a_folder || EXTENSIONS.iter().any(|extension| span.ends_with(extension)))
}

fn is_test_name(span: &str) -> bool {
    let words: Vec<_> = span.split('_').collect();
    let is_word = |word: &&str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    words.len() >= WORDS_OF_A_TEST_NAME && words.iter().all(is_word)
}

#[test]
fn every_file_and_test_named_on_a_page_exists() {
    let paths = repository_paths();
    let folders: BTreeSet<_> = paths.iter().filter_map(|path| Some(path.split_once('/')?.0)).collect();
    let exists = |span: &str| {
        let span = span.trim_end_matches('/');
        let (end, within) = (format!("/{span}"), format!("/{span}/"));
        paths.iter().map(|path| format!("/{path}")).any(|path| path.ends_with(&end) || path.contains(&within))
    };
    let sources: Vec<_> = paths.iter().filter(|path| path.ends_with(".rs")).map(|path| repository_file(path)).collect();
    let in_code = |name: &str| {
        let (function, text) = (format!("fn {name}("), format!("\"{name}\""));
        sources.iter().any(|source| source.contains(&function) || source.contains(&text))
    };
    let mut missing = Vec::new();
    let (mut files, mut tests) = (0, 0);
    for page in pages() {
        for span in page.code_spans {
            let is_missing = if is_path(&span, &folders) {
                files += 1;
                !exists(&span)
            } else if is_test_name(&span) {
                tests += 1;
                !in_code(&span)
            } else {
                false
            };
            if is_missing {
                missing.push(format!("{}: `{span}`", page.path));
            }
        }
    }
    assert!(missing.is_empty(), "named, but not there: {missing:#?}");
    assert!(files >= 30 && tests >= 5, "only {files} files and {tests} tests were recognized");
}

/// The tables that lead from an alarm to its cause name widgets of the dashboard in italics, in the column "look at".
#[test]
fn every_widget_named_in_the_alarm_tables_is_on_the_dashboard() {
    let template = repository_file("template.yaml");
    let operations = repository_file("docs/operations.md");
    let (_, section) = operations.split_once("## From the alarm to the cause\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let look_at = section.lines().filter_map(|line| line.starts_with("| `").then(|| line.split('|').nth(3)).flatten());
    let widgets: Vec<_> = look_at.flat_map(|cell| cell.split('*').skip(1).step_by(2)).collect();
    let missing: Vec<_> =
        widgets.iter().filter(|title| !template.contains(&format!("\"title\": \"{title}\""))).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(widgets.len() >= 4, "only {widgets:?} were found");
}

/// Comments, messages and configuration send the reader to pages, too.
#[test]
fn every_page_named_in_code_exists() {
    let paths = repository_paths();
    let is_code = |path: &&String| [".rs", ".py", ".sh", ".yaml", ".toml"].iter().any(|end| path.ends_with(end));
    let mut missing = Vec::new();
    let mut named = 0;
    for path in paths.iter().filter(is_code).filter(|path| !path.starts_with("local/tests/docs/")) {
        let text = repository_file(path);
        for (start, _) in text.match_indices("docs/") {
            let is_name = |c: char| c.is_ascii_alphanumeric() || "/-_".contains(c);
            let name: String = text[start..].chars().take_while(|c| is_name(*c)).collect();
            if text[start + name.len()..].starts_with(".md") {
                named += 1;
                let page = format!("{name}.md");
                if !paths.contains(&page) {
                    missing.push(format!("{path}: {page}"));
                }
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(named >= 5, "only {named} pages were found");
}
