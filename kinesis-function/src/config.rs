//! Reads a function's configuration from its environment variables, once, and reports all faults together.
//!
//! Each function's `config` module defines its variables. Values come from an iterator of pairs, so nothing here reads
//! the process environment.

use std::collections::HashMap;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use shared::columns::declaration::SessionColumns;

/// A function's settings, read once from its environment variables.
pub trait Settings: Sized {
    /// Reads each setting from `variables`, which collects faults.
    fn read(variables: &mut Variables) -> Self;

    /// Reads the settings from `variables`, usually `std::env::vars()`.
    ///
    /// # Errors
    /// Names every missing or invalid variable.
    fn from_variables(variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let mut variables = Variables::new(variables);
        let settings = Self::read(&mut variables);
        variables.finish(settings)
    }
}

/// Variables being read. Faults are collected, so that all of them can be reported at once.
#[derive(Debug)]
pub struct Variables {
    values: HashMap<String, String>,
    faults: Vec<String>,
    asked: Vec<&'static str>,
}

/// Every fault in a function's configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid configuration: {}", .faults.join("; "))]
pub struct ConfigError {
    faults: Vec<String>,
}

impl ConfigError {
    /// Combines two parts of a configuration.
    ///
    /// # Errors
    /// The faults of both parts.
    pub fn both<A, B>(a: Result<A, Self>, b: Result<B, Self>) -> Result<(A, B), Self> {
        match (a, b) {
            (Ok(a), Ok(b)) => Ok((a, b)),
            (Err(a), Err(b)) => Err(Self { faults: [a.faults, b.faults].concat() }),
            (Err(error), Ok(_)) | (Ok(_), Err(error)) => Err(error),
        }
    }

    /// One message per fault, naming the variable, its value and its limit.
    #[must_use]
    pub fn faults(&self) -> &[String] {
        &self.faults
    }
}

impl Variables {
    /// Wraps `variables`, usually `std::env::vars()`. An empty value counts as missing.
    pub fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let values = variables.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        Self { values, faults: Vec::new(), asked: Vec::new() }
    }

    /// The names requested so far, which the template and the documentation must list. Lambda's own are left out.
    #[must_use]
    pub fn asked(&self) -> &[&'static str] {
        &self.asked
    }

    fn take(&mut self, name: &'static str) -> Option<String> {
        self.asked.push(name);
        self.values.remove(name)
    }

    /// The value of `name`, if set.
    pub fn optional(&mut self, name: &'static str) -> Option<String> {
        self.take(name)
    }

    /// Records a fault, which should name the variable, its value and its limit.
    pub fn fault(&mut self, fault: String) {
        self.faults.push(fault);
    }

    /// The value of `name`; a fault if it is missing.
    pub fn required(&mut self, name: &'static str) -> String {
        self.take(name).unwrap_or_else(|| {
            self.faults.push(format!("{name} is missing"));
            String::new()
        })
    }

    /// The value of `name` as a whole number within `range`, or `default` if it is missing.
    pub fn integer(&mut self, name: &'static str, default: u64, range: RangeInclusive<u64>) -> u64 {
        let value = self.take(name);
        self.number(name, value, default, range)
    }

    /// Like [`Self::integer`], for a number that may be negative.
    pub fn signed_integer(&mut self, name: &'static str, default: i64, range: RangeInclusive<i64>) -> i64 {
        let value = self.take(name);
        self.number(name, value, default, range)
    }

    /// The function's memory in bytes, from the variable that Lambda sets (in MB); 512 MB where nothing sets it.
    pub fn lambda_memory_bytes(&mut self) -> u64 {
        const NAME: &str = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE";
        let value = self.values.remove(NAME);
        self.number(NAME, value, 512, 128..=10_240) << 20 // the range is Lambda's quota
    }

    /// `STREAM_RETENTION_HOURS`: the longer retention of the two streams, 24 to 8,760 h; default 24. Both functions keep
    /// what they need to recognize redelivered records as long as that.
    pub fn stream_retention_hours(&mut self) -> u64 {
        self.integer("STREAM_RETENTION_HOURS", 24, 24..=8_760)
    }

    /// `SESSION_COLUMNS`: up to 16 columns of sessions, `name = aggregate`, separated by commas or new lines; none by
    /// default. Every fault of the declaration is reported. `docs/columns.md` has the grammar.
    pub fn session_columns(&mut self) -> SessionColumns {
        const NAME: &str = "SESSION_COLUMNS";
        let declaration = self.take(NAME).unwrap_or_default();
        SessionColumns::parse(&declaration).unwrap_or_else(|faults| {
            self.faults.extend(faults.iter().map(|fault| format!("{NAME}: {fault}")));
            SessionColumns::default()
        })
    }

    fn number<T>(&mut self, name: &str, value: Option<String>, default: T, range: RangeInclusive<T>) -> T
    where
        T: FromStr + PartialOrd + Display,
    {
        let Some(value) = value else { return default };
        match value.parse() {
            Ok(number) if range.contains(&number) => number,
            _ => {
                let (min, max) = (range.start(), range.end());
                self.faults.push(format!("{name} is {value:?}, expected a whole number from {min} to {max}"));
                default
            }
        }
    }

    /// The choice that the value of `name` selects, or the first of `choices` if it is missing.
    pub fn choice<T: Copy, const N: usize>(&mut self, name: &'static str, choices: [(&str, T); N]) -> T {
        const { assert!(N > 1, "one choice is none") };
        let word = self.take(name);
        let chosen = choices.iter().find(|(known, _)| word.as_deref() == Some(*known));
        if let (Some(word), None) = (&word, chosen) {
            let words = choices.map(|(known, _)| known);
            let (last, others) =
                words.split_last().map_or(("", String::new()), |(last, others)| (last, others.join(", ")));
            self.faults.push(format!("{name} is {word:?}, expected {others} or {last}"));
        }
        chosen.unwrap_or(&choices[0]).1
    }

    /// Returns `config` if no variable had a fault.
    ///
    /// # Errors
    /// Every recorded fault.
    pub fn finish<T>(self, config: T) -> Result<T, ConfigError> {
        if self.faults.is_empty() { Ok(config) } else { Err(ConfigError { faults: self.faults }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        Variables::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn missing_and_empty_values_take_the_default() {
        let mut variables = variables(&[("EMPTY", "")]);
        assert_eq!(variables.integer("EMPTY", 7, 1..=9), 7);
        assert_eq!(variables.integer("ABSENT", 8, 1..=9), 8);
        assert_eq!(variables.choice("WORD", [("a", 1), ("b", 2)]), 1);
        assert_eq!(variables.finish("built"), Ok("built"));
    }

    #[test]
    fn values_at_the_ends_of_the_range_are_accepted() {
        let mut variables = variables(&[("MIN", "1"), ("MAX", "9"), ("WORD", "b")]);
        assert_eq!(variables.integer("MIN", 5, 1..=9), 1);
        assert_eq!(variables.integer("MAX", 5, 1..=9), 9);
        assert_eq!(variables.choice("WORD", [("a", 1), ("b", 2)]), 2);
        assert!(variables.finish(()).is_ok());
    }

    #[test]
    fn memory_is_read_in_megabytes_and_is_none_of_the_templates_variables() {
        let memory = |value| {
            let mut variables = variables(&[("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", value)]);
            let bytes = variables.lambda_memory_bytes();
            assert!(variables.asked().is_empty());
            variables.finish(bytes).map_err(|error| error.to_string())
        };
        assert_eq!(memory("1769"), Ok(1_769 * 1_024 * 1_024));
        assert_eq!(memory(""), Ok(512 * 1_024 * 1_024));
        let fault = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE is \"64\", expected a whole number from 128 to 10240";
        assert_eq!(memory("64"), Err(format!("invalid configuration: {fault}")));
    }

    #[test]
    fn all_faults_are_reported_together_with_name_value_and_limit() {
        let mut variables =
            variables(&[("BIG", "10"), ("TEXT", "ten"), ("NEGATIVE", "-1"), ("WORD", "c"), ("NAME", "")]);
        for name in ["BIG", "TEXT", "NEGATIVE"] {
            variables.integer(name, 5, 1..=9);
        }
        variables.choice("WORD", [("a", 1), ("b", 2)]);
        variables.required("NAME");
        let error = variables.finish(()).unwrap_err();
        assert_eq!(
            error.faults(),
            [
                "BIG is \"10\", expected a whole number from 1 to 9",
                "TEXT is \"ten\", expected a whole number from 1 to 9",
                "NEGATIVE is \"-1\", expected a whole number from 1 to 9",
                "WORD is \"c\", expected a or b",
                "NAME is missing",
            ]
        );
        assert_eq!(error.to_string(), format!("invalid configuration: {}", error.faults().join("; ")));
    }
}
