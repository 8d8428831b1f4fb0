//! docs/sources.md: its parameters are those of the recipes, and its commands give the sessions that it lists. The same
//! holds for the examples of columns, there and in docs/columns.md.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Parser, ValueEnum};
use local::run::{Run, run};
use local::sources::Source;
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::timeout;

// The program's own definition. It is private to the binary, whose other modules are not needed here.
#[allow(dead_code, reason = "only parsing is tested")]
#[path = "../src/cli.rs"]
mod cli;

const PAGE: &str = "docs/sources.md";

/// A run takes about a second. Records that are never done would make it wait forever.
const TIMEOUT: Duration = Duration::from_secs(60);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A section of the page that has a command.
#[derive(Debug, Default)]
struct Section {
    heading: String,
    /// What its TOML block sets.
    parameters: BTreeMap<String, String>,
    /// Each command, and the rows of the table below it.
    commands: Vec<(String, Vec<String>)>,
}

fn sections() -> Vec<Section> {
    let page = fs::read_to_string(root().join(PAGE)).unwrap();
    let (mut sections, mut in_columns) = (vec![Section::default()], false);
    for line in page.lines() {
        let section = sections.last_mut().unwrap();
        if let Some(heading) = line.strip_prefix("## ") {
            sections.push(Section { heading: heading.to_owned(), ..Section::default() });
            in_columns = false;
        } else if line == "### Columns" {
            in_columns = true; // another test's
        } else if line.starts_with("cargo run -p local -- run ") && !in_columns {
            section.commands.push((line.to_owned(), Vec::new()));
        } else if let (true, Some((_, rows))) = (line.starts_with("| `") && !in_columns, section.commands.last_mut()) {
            rows.push(line.to_owned());
        } else if let Some((name, value)) = parameter(line) {
            assert_eq!(section.parameters.insert(name, value), None, "{PAGE}: {line}");
        }
    }
    sections.retain(|section| !section.commands.is_empty());
    sections
}

/// The parameter of a line in a TOML list of `Name=value`. A value with a space needs quotes of its own.
fn parameter(line: &str) -> Option<(String, String)> {
    let text = line.strip_prefix("  ")?.strip_suffix(',')?;
    let quote = text.chars().next().filter(|quote| ['"', '\''].contains(quote))?;
    let (name, value) = text.strip_prefix(quote)?.strip_suffix(quote)?.split_once('=')?;
    let unquoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    assert_eq!(unquoted.is_some(), value.contains(' '), "{PAGE}: sam cuts a value at its first space: {line}");
    Some((name.to_owned(), unquoted.unwrap_or(value).to_owned()))
}

fn run_args(command: &str) -> cli::RunArgs {
    let words = shlex::split(command.strip_prefix("cargo run -p ").unwrap()).unwrap();
    let words = words.iter().filter(|word| *word != "--");
    match cli::Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{command}: {error}")).command {
        Some(cli::Command::Run(args)) => args,
        other => panic!("{command}: {other:?}"),
    }
}

fn of(source: Source) -> BTreeMap<String, String> {
    source.parameters().iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// The sections of the sources, each with what its first command sets.
#[test]
fn page_lists_the_parameters_of_each_source() {
    let mut documented = Vec::new();
    for Section { heading, parameters, commands } in sections() {
        let (command, _) = &commands[0];
        let name = command.split_once("--source ").unwrap().1.split(' ').next().unwrap();
        let source = Source::from_str(name, false).unwrap();
        assert_eq!(parameters, of(source), "{heading}");
        assert_eq!(run_args(command).pipeline.into_options().parameters, of(source), "{command}");
        documented.push(source);
    }
    assert_eq!(documented, Source::value_variants(), "the sections, in the order of --help");
}

/// A session as a row of the page.
fn row(session: &str) -> String {
    let session: Value = serde_json::from_str(session).unwrap();
    let text = |name: &str| session[name].as_str().unwrap_or("–").to_owned();
    let seconds = session["duration_ms"].as_u64().unwrap() / 1_000;
    let (id, start, count) = (text("session_id"), text("session_time"), &session["event_count"]);
    let first = ["event_name", "event_type", "device_type"].map(text).join(", ");
    format!("| `{id}` | {start} | {seconds} s | {count} | {first} |")
}

/// The sessions that a command writes, as JSON.
async fn sessions(command: &str) -> Vec<String> {
    let folder = TempDir::new().unwrap();
    let sessions = folder.path().join("sessions.ndjson");
    let args = run_args(command);
    assert_eq!(args.sessions, Some(PathBuf::from("-")), "{command}");
    let run = run(Run {
        input: root().join(args.input),
        sessions: Some(sessions.clone()),
        close: args.close,
        options: args.pipeline.into_options(),
        ..Run::default()
    });
    let summary = timeout(TIMEOUT, run).await.unwrap_or_else(|_| panic!("{command}: not done after {TIMEOUT:?}"));
    let summary = summary.unwrap_or_else(|error| panic!("{command}: {error}"));
    assert!(summary.is_everything_accounted_for() && summary.rejected.is_empty(), "{command}: {summary}");
    fs::read_to_string(sessions).unwrap().lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_sample_gives_the_sessions_on_the_page() {
    let mut samples = BTreeSet::new();
    for (command, expected) in sections().into_iter().flat_map(|section| section.commands) {
        let actual: Vec<_> = sessions(&command).await.iter().map(|session| row(session)).collect();
        assert!(actual == expected, "{command}\n{}", actual.join("\n"));
        samples.insert(run_args(&command).input);
    }
    let folder = fs::read_dir(root().join("events/sources")).unwrap();
    let files: BTreeSet<_> = folder.map(|file| Path::new("events/sources").join(file.unwrap().file_name())).collect();
    assert_eq!(samples, files);
}

/// An example of columns: a command over several lines, and the rows of the table below it, the first of which has the
/// columns' names.
fn examples_of_columns(page: &str) -> Vec<(String, Vec<Vec<String>>)> {
    let page = fs::read_to_string(root().join(page)).unwrap().replace("\\\n", "");
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let (mut examples, mut is_example) = (Vec::<(String, Vec<Vec<String>>)>::new(), false);
    for line in page.lines() {
        if line.starts_with("cargo run -p local -- run ") {
            is_example = line.contains(" --columns ");
            examples.extend(is_example.then(|| (line.to_owned(), Vec::new())));
        } else if let (true, Some((_, rows))) = (is_example && line.starts_with("| "), examples.last_mut()) {
            rows.push(cells(line));
        } else if line.starts_with("## ") {
            is_example = false;
        }
    }
    examples
}

/// A session's columns `names` as a row of the page.
fn columns_row(session: &str, names: &[String]) -> Vec<String> {
    let session: Value = serde_json::from_str(session).unwrap();
    let text = |name: &String| match &session[name.as_str()] {
        Value::Null => "–".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    std::iter::once(format!("`{}`", session["session_id"].as_str().unwrap())).chain(names.iter().map(text)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_example_of_columns_gives_the_values_on_the_page() {
    for (page, count) in [("docs/columns.md", 1), (PAGE, 1)] {
        let examples = examples_of_columns(page);
        assert_eq!(examples.len(), count, "{page}");
        for (command, table) in examples {
            let (names, expected) = table.split_first().unwrap();
            let actual: Vec<_> =
                sessions(&command).await.iter().map(|session| columns_row(session, &names[1..])).collect();
            assert_eq!(actual, expected, "{command}");
        }
    }
}

#[test]
fn explicit_options_override_those_of_the_source() {
    let options = |more: &str| {
        let command = format!("cargo run -p local -- run --input - --source ga4 {more}");
        run_args(&command).pipeline.into_options().parameters
    };
    let with = |name: &str, value: &str| {
        let mut parameters = of(Source::Ga4);
        parameters.insert(name.to_owned(), value.to_owned());
        parameters
    };
    assert_eq!(options(""), of(Source::Ga4));
    assert_eq!(options("--gap-seconds 60"), with("SessionGapSeconds", "60"));
    assert_eq!(options("--columns \"n = count()\""), with("SessionColumns", "n = count()"));
    assert_eq!(options("--parameter EventNames=a,b=c"), with("EventNames", "a,b=c"));
    assert_eq!(options("--parameter EventNamesIgnored="), with("EventNamesIgnored", ""));
}

#[test]
fn unknown_source_is_an_error_that_lists_the_names() {
    let parse = |source: &str| cli::Cli::try_parse_from(["local", "run", "--input", "-", "--source", source]);
    let message = parse("mixpanel").unwrap_err().to_string();
    for source in Source::value_variants() {
        let name = source.to_possible_value().unwrap();
        assert!(message.contains(name.get_name()) && parse(name.get_name()).is_ok(), "{message}");
    }
}

#[test]
fn parameter_without_a_value_is_an_error() {
    let parsed = cli::Cli::try_parse_from(["local", "run", "--input", "-", "--parameter", "EventNames"]);
    assert!(parsed.unwrap_err().to_string().contains("expected NAME=VALUE"));
}
