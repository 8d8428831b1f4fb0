//! Reads a function's configuration from its environment variables, once, and reports all faults together.
//!
//! Which variables a function has is the function's own business (its `config` module). Values come from an iterator
//! of pairs, so nothing here reads the process's environment.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::ops::RangeInclusive;

/// A function's settings, read once from its environment variables.
pub trait Settings: Sized {
    /// Takes each setting from `variables`, which notes what is wrong.
    fn read(variables: &mut Variables) -> Self;

    /// Reads the settings from `variables`, usually `std::env::vars()`.
    ///
    /// # Errors
    /// All variables that are missing or wrong, by name.
    fn from_variables(variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        from_variables(variables, Self::read)
    }
}

/// The configuration that `read` takes from `variables`, usually `std::env::vars()`.
///
/// # Errors
/// All variables that are missing or wrong, by name.
pub fn from_variables<C>(
    variables: impl IntoIterator<Item = (String, String)>,
    read: impl FnOnce(&mut Variables) -> C,
) -> Result<C, ConfigError> {
    let mut variables = Variables::new(variables);
    let config = read(&mut variables);
    variables.finish(config)
}

/// Variables being read: every fault is noted, so that all of them can be reported at once.
#[derive(Debug)]
pub struct Variables {
    values: HashMap<String, String>,
    faults: Vec<String>,
    asked: Vec<&'static str>,
}

/// All that is wrong with a function's configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the configuration cannot be used:{}", listed(.faults))]
pub struct ConfigError {
    faults: Vec<String>,
}

fn listed(faults: &[String]) -> String {
    faults.iter().fold(String::new(), |mut list, fault| {
        let _ = write!(list, " {fault};"); // writing to a String cannot fail
        list
    })
}

impl ConfigError {
    /// Both of two parts of a configuration, or all that is wrong with either.
    ///
    /// # Errors
    /// The faults of both parts together.
    pub fn both<A, B>(a: Result<A, Self>, b: Result<B, Self>) -> Result<(A, B), Self> {
        match (a, b) {
            (Ok(a), Ok(b)) => Ok((a, b)),
            (Err(a), Err(b)) => Err(Self { faults: [a.faults, b.faults].concat() }),
            (Err(error), Ok(_)) | (Ok(_), Err(error)) => Err(error),
        }
    }

    /// One sentence for each fault, each naming the variable, its value and its limit.
    #[must_use]
    pub fn faults(&self) -> &[String] {
        &self.faults
    }
}

impl Variables {
    /// Starts to read `variables`, usually `std::env::vars()`. An empty value counts as missing.
    pub fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let values = variables.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        Self { values, faults: Vec::new(), asked: Vec::new() }
    }

    /// The names that were asked for so far: what the function's template and documentation must list.
    #[must_use]
    pub fn asked(&self) -> &[&'static str] {
        &self.asked
    }

    fn take(&mut self, name: &'static str) -> Option<String> {
        self.asked.push(name);
        self.values.remove(name)
    }

    /// The value of `name`, if it is there.
    pub fn optional(&mut self, name: &'static str) -> Option<String> {
        self.take(name)
    }

    /// Notes that something is wrong; `fault` names the variable, its value and its limit.
    pub fn fault(&mut self, fault: String) {
        self.faults.push(fault);
    }

    /// The value of `name`, which must be there.
    pub fn required(&mut self, name: &'static str) -> String {
        self.take(name).unwrap_or_else(|| {
            self.faults.push(format!("{name} is missing"));
            String::new()
        })
    }

    /// The value of `name` as a whole number within `range`, or `default` when it is missing.
    pub fn integer(&mut self, name: &'static str, default: u64, range: RangeInclusive<u64>) -> u64 {
        let Some(value) = self.take(name) else { return default };
        match value.parse() {
            Ok(number) if range.contains(&number) => number,
            _ => {
                let (min, max) = (range.start(), range.end());
                self.faults.push(format!("{name} is {value:?}, it must be a whole number from {min} to {max}"));
                default
            }
        }
    }

    /// The choice called by the value of `name`, or the first of `choices` when it is missing.
    pub fn choice<T: Copy>(&mut self, name: &'static str, choices: [(&str, T); 2]) -> T {
        let [(first_word, first), (second_word, second)] = choices;
        match self.take(name) {
            None => first,
            Some(word) if word == first_word => first,
            Some(word) if word == second_word => second,
            Some(word) => {
                self.faults.push(format!("{name} is {word:?}, it must be {first_word} or {second_word}"));
                first
            }
        }
    }

    /// `config`, unless there was a fault in anything it was built from.
    ///
    /// # Errors
    /// All faults that were noted.
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
    fn values_at_the_ends_of_the_range_are_taken() {
        let mut variables = variables(&[("MIN", "1"), ("MAX", "9"), ("WORD", "b")]);
        assert_eq!(variables.integer("MIN", 5, 1..=9), 1);
        assert_eq!(variables.integer("MAX", 5, 1..=9), 9);
        assert_eq!(variables.choice("WORD", [("a", 1), ("b", 2)]), 2);
        assert!(variables.finish(()).is_ok());
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
                "BIG is \"10\", it must be a whole number from 1 to 9",
                "TEXT is \"ten\", it must be a whole number from 1 to 9",
                "NEGATIVE is \"-1\", it must be a whole number from 1 to 9",
                "WORD is \"c\", it must be a or b",
                "NAME is missing",
            ]
        );
        assert!(error.to_string().contains("BIG is") && error.to_string().contains("NAME is missing"), "{error}");
    }
}
