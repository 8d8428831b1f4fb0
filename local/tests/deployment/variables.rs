//! The template, the tables in docs/configuration.md and the code have the same variables and parameters.

use std::collections::{BTreeMap, BTreeSet};

use kinesis_function::config::{Settings, Variables};
use serde_json::Value;

use crate::template::{file, parameters, properties};

type Names = BTreeSet<String>;

/// The variables that each function's code asks for.
fn asked() -> [(&'static str, Names); 2] {
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
fn template_gives_each_function_exactly_the_variables_it_asks_for() {
    for (function, asked) in asked() {
        let properties = properties(function);
        let given: Names = properties["Environment"]["Variables"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(given, asked, "{function}");
    }
}

/// The cells of each row that begins with a code span, in the section of docs/configuration.md under `heading`.
fn rows(heading: &str) -> Vec<Vec<String>> {
    let page = file("docs/configuration.md");
    let (_, section) = page.split_once(&format!("## {heading}\n")).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().replace('`', "")).collect();
    section.lines().filter(|line| line.starts_with("| `")).map(cells).collect()
}

/// A row has the variables of `sessionizer-fn`, of `sink-fn` or of `both`.
#[test]
fn page_lists_exactly_the_variables_that_each_function_asks_for() {
    let rows = rows("Variables of the functions");
    for ((_, asked), column) in asked().into_iter().zip(["sessionizer-fn", "sink-fn"]) {
        let rows = rows.iter().filter(|row| [column, "both"].contains(&row[2].as_str()));
        let listed: Names = rows.flat_map(|row| row[1].split(", ")).map(str::to_owned).collect();
        assert_eq!(listed, asked, "{column}");
    }
}

#[test]
fn page_lists_exactly_the_templates_parameters_with_their_defaults_and_limits() {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let allowed = |parameter: &Value| match (&parameter["MinValue"], &parameter["AllowedValues"]) {
        (Value::Number(least), _) => Some(format!("{least} to {}", parameter["MaxValue"])),
        // Choices in words. The days of CloudWatch Logs are too many for a cell.
        (_, Value::Array(values)) if values.iter().all(Value::is_string) => {
            Some(values.iter().map(text).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(", "))
        }
        _ => None,
    };
    let sorted = |cell: &str| cell.split(", ").collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(", ");
    let default = |parameter: &Value| Some(text(&parameter["Default"])).filter(|it| !it.is_empty());
    let in_template: BTreeMap<_, _> = parameters()
        .into_iter()
        .map(|(name, parameter)| {
            let default = default(&parameter).unwrap_or_else(|| "empty".to_owned());
            (name, (default, allowed(&parameter)))
        })
        .collect();
    let on_page: BTreeMap<_, _> = rows("Parameters of the template")
        .into_iter()
        .map(|row| {
            let is_checked = in_template.get(&row[1]).is_none_or(|(_, allowed)| allowed.is_some());
            (row[1].clone(), (row[2].clone(), is_checked.then(|| sorted(&row[3]))))
        })
        .collect();
    assert_eq!(on_page, in_template);
}
