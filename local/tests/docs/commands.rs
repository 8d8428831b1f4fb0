//! Commands in README and docs are understood: parsed by the programs' own command lines, but not run.

use clap::Parser;
use clap::error::ErrorKind;

use crate::pages::{pages, root};

// The programs' own definitions. They are private to the binaries, whose other modules are not needed here.
#[allow(dead_code, reason = "only parsing is tested")]
#[path = "../../src/cli.rs"]
mod local_cli;
#[allow(dead_code, reason = "only parsing is tested")]
#[path = "../../../ops/src/cli.rs"]
mod ops_cli;

/// The commands of a shell block, one a line: continued lines joined, comments and loops left to the reader.
fn commands(block: &str) -> Vec<Vec<String>> {
    let joined = block.replace("\\\n", " ");
    let simple = joined.lines().flat_map(|line| line.split("&&")).flat_map(|command| command.split(" | "));
    // A quotation over several lines is left to the reader, too.
    let words = |command: &str| shlex::split(command).unwrap_or_else(|| words_of(command));
    simple.map(words).filter(|words: &Vec<_>| !words.is_empty()).collect()
}

fn words_of(command: &str) -> Vec<String> {
    command.split_whitespace().take_while(|word| *word != "#").map(str::to_owned).collect()
}

/// The program of this project that a command starts, and its arguments with the program's name in front.
fn invocation(command: &[String]) -> Option<(&'static str, Vec<String>)> {
    let words: Vec<_> = command.iter().map(String::as_str).collect();
    let arguments = |after: usize| {
        let arguments = words[after..].iter().skip_while(|word| **word == "--");
        ["program"].iter().chain(arguments).map(ToString::to_string).collect()
    };
    match words.as_slice() {
        ["sessionctl", ..] => Some(("ops", arguments(1))),
        ["cargo", "run", "-p", "local", ..] => Some(("local", arguments(4))),
        ["cargo", "run", "-p", "ops", ..] => Some(("ops", arguments(4))),
        _ => None,
    }
}

/// What is wrong with the arguments, if anything.
fn fault(program: &str, arguments: &[String]) -> Option<String> {
    let error = match program {
        "local" => local_cli::Cli::try_parse_from(arguments).err(),
        _ => ops_cli::Cli::try_parse_from(arguments).err(),
    };
    error.filter(|error| error.kind() != ErrorKind::DisplayHelp).map(|error| error.to_string())
}

/// A file of this repository that a command names.
fn is_file_of_the_repository(word: &str) -> bool {
    ["testdata/", "events/", "deploy/", "benches/"].iter().any(|folder| word.starts_with(folder))
}

#[test]
fn every_command_on_a_page_has_options_and_files_that_exist() {
    let mut faults = Vec::new();
    let mut parsed = 0;
    for page in pages() {
        for command in page.shell_blocks.iter().flat_map(|block| commands(block)) {
            let shown = format!("{}: {}", page.path, command.join(" "));
            if let Some((program, arguments)) = invocation(&command) {
                parsed += 1;
                faults.extend(fault(program, &arguments).map(|fault| format!("{shown}: {fault}")));
            }
            let package = command.iter().position(|word| word == "-p").and_then(|at| command.get(at + 1));
            let is_missing = |package: &&String| !root().join(package).join("Cargo.toml").exists();
            if let Some(package) = package.filter(|_| command[0] == "cargo").filter(is_missing) {
                faults.push(format!("{shown}: no package {package}"));
            }
            let missing = command.iter().filter(|word| is_file_of_the_repository(word) && !root().join(word).exists());
            faults.extend(missing.map(|word| format!("{shown}: no file {word}")));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(parsed >= 10, "only {parsed} commands were recognized");
}

#[test]
fn commands_with_faults_are_found() {
    let is_wrong = |line: &str| {
        let command = commands(line).remove(0);
        let (program, arguments) = invocation(&command).unwrap();
        fault(program, &arguments).is_some()
    };
    assert!(!is_wrong("cargo run -p local"));
    assert!(!is_wrong("cargo run -p local -- run --help"));
    assert!(!is_wrong("sessionctl redrive --dry-run"));
    assert!(is_wrong("cargo run -p local -- walk"));
    assert!(is_wrong("cargo run -p local -- chaos --faults lightning"));
    assert!(is_wrong("cargo run -p local -- run --input clicks --gap-seconds 0"));
    assert!(is_wrong("cargo run -p ops -- tables --everything"));
}
