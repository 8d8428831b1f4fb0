//! The template, the README's table and the code have the same variables.

use std::collections::BTreeSet;

use kinesis_function::config::Variables;

use crate::template::{file, properties};

type Names = BTreeSet<String>;

/// The variables that each function's code reads.
fn read() -> [(&'static str, Names); 2] {
    let names = |read: fn(&mut Variables)| {
        let mut variables = Variables::new([]);
        read(&mut variables);
        variables.asked().iter().map(ToString::to_string).collect()
    };
    [
        ("SessionizerFunction", names(|variables| drop(sessionizer_fn::config::Config::read(variables)))),
        ("SinkFunction", names(|variables| drop(sink_fn::config::Config::read(variables)))),
    ]
}

#[test]
fn template_sets_exactly_the_variables_that_each_function_reads() {
    for (function, read) in read() {
        let properties = properties(function);
        let given: Names = properties["Environment"]["Variables"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(given, read, "{function}");
    }
}

/// The table under "Configuration" has a row for variables of `sessionizer-fn`, of `sink-fn` or of `both`.
#[test]
fn readmes_table_lists_exactly_the_variables_that_each_function_reads() {
    let readme = file("README.md");
    let (_, section) = readme.split_once("## Configuration\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let rows: Vec<Vec<&str>> =
        section.lines().filter(|line| line.starts_with("| `")).map(|line| line.split('|').collect()).collect();
    for ((_, read), column) in read().into_iter().zip(["sessionizer-fn", "sink-fn"]) {
        let rows = rows.iter().filter(|row| [column, "both"].contains(&row[2].trim()));
        let listed: Names =
            rows.flat_map(|row| row[1].split(',')).map(|name| name.trim().trim_matches('`').to_owned()).collect();
        assert_eq!(listed, read, "{column}");
    }
}
