//! Parses a declaration of columns.
//!
//! ```text
//! declaration = [ column ] { separator [ column ] }
//! separator   = "," | newline               a newline separates wherever it stands, a comma only between columns
//! column      = name "=" aggregate
//! aggregate   = ( "first" | "last" ) "(" path ")"
//!             | "count" "(" [ condition ] ")"
//!             | "any" "(" condition ")"
//!             | ( "sum" | "min" | "max" ) "(" path ")" [ "where" condition ]
//! condition   = path "=" value | path "in" "[" value { "," value } "]"
//! value       = string | number | "true" | "false"
//! string      = a JSON string | "'" { any character but ' } "'"
//! path        = a JSON Pointer without white space, commas, parentheses, brackets, = and quotes | string
//! ```
//!
//! White space between these does not matter. Each column is parsed on its own, so that one fault hides no other.

use crate::columns::aggregate::{Aggregate, Condition, Function, Value, ends_path};
use crate::columns::faults::ColumnFault;
use crate::field_path::FieldPath;
use crate::limits::{MAX_ATTRIBUTE_BYTES, MAX_CONDITION_VALUES, MAX_VALUE_IN_MESSAGE_CHARS};
use crate::shown;
use crate::whole_number::canonical_number;

/// The texts of the columns in `declaration`.
pub(crate) fn split(declaration: &str) -> Vec<&str> {
    declaration.lines().flat_map(Columns).map(str::trim).filter(|column| !column.is_empty()).collect()
}

/// The aggregate that `text`, what follows a column's first `=`, spells.
pub(crate) fn parse_aggregate(text: &str) -> Result<Aggregate, ColumnFault> {
    Parser { rest: text.trim() }.aggregate()
}

/// The parts of a line between commas that are neither in brackets nor in a string.
struct Columns<'t>(&'t str);

impl<'t> Iterator for Columns<'t> {
    type Item = &'t str;

    fn next(&mut self) -> Option<&'t str> {
        if self.0.is_empty() {
            return None;
        }
        let (mut depth, mut at) = (0_usize, 0);
        while let Some(char) = self.0[at..].chars().next() {
            match char {
                ',' if depth == 0 => break,
                '(' | '[' => depth += 1,
                ')' | ']' => depth = depth.saturating_sub(1),
                '"' | '\'' => at += string_length(&self.0[at..]).unwrap_or(self.0.len() - at) - 1,
                _ => {}
            }
            at += char.len_utf8();
        }
        let (column, rest) = self.0.split_at(at.min(self.0.len()));
        self.0 = rest.strip_prefix(',').unwrap_or(rest);
        Some(column)
    }
}

/// The length of the string with which `text` begins, with its quotes, which take one byte each; `None` if it does not
/// end.
fn string_length(text: &str) -> Option<usize> {
    let mut chars = text.char_indices();
    let (_, quote) = chars.next()?;
    while let Some((at, char)) = chars.next() {
        match char {
            '\\' if quote == '"' => drop(chars.next()),
            char if char == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// What is left to parse of a column. Each method takes what it is named for from the front.
struct Parser<'t> {
    rest: &'t str,
}

impl<'t> Parser<'t> {
    fn aggregate(mut self) -> Result<Aggregate, ColumnFault> {
        let word = self.word();
        let Some(function) = Function::ALL.into_iter().find(|function| function.word() == word) else {
            return Err(match word {
                "" => self.expected("an aggregate such as first(/page)"),
                word => ColumnFault::UnknownAggregate(shown::string(word)),
            });
        };
        self.char('(', "(")?;
        let (mut path, mut condition) = (None, None);
        match function {
            Function::First | Function::Last | Function::Sum | Function::Min | Function::Max => {
                path = Some(self.path()?);
            }
            Function::Count if self.rest.starts_with(')') => {}
            Function::Count | Function::Any => condition = Some(self.condition()?),
        }
        self.char(')', ")")?;
        let before_where = self.rest;
        if self.word() == "where" {
            match function {
                Function::Sum | Function::Min | Function::Max => condition = Some(self.condition()?),
                Function::First | Function::Last => return Err(ColumnFault::NoWhere(function.word())),
                Function::Count | Function::Any => return Err(ColumnFault::WhereOutside(function.word())),
            }
        } else {
            self.rest = before_where;
        }
        if self.rest.is_empty() {
            Ok(Aggregate { function, path, condition })
        } else {
            Err(self.expected("the end of the column, a comma or a new line"))
        }
    }

    fn condition(&mut self) -> Result<Condition, ColumnFault> {
        let path = self.path()?;
        if self.takes('=') {
            return Ok(Condition::new(path, vec![self.value()?]));
        }
        let before_in = self.rest;
        if self.word() != "in" {
            self.rest = before_in;
            return Err(self.expected("= or in behind the path"));
        }
        self.char('[', "[ behind in")?;
        let mut values = vec![self.value()?];
        while self.takes(',') {
            values.push(self.value()?);
        }
        self.char(']', "a comma or ] behind the value")?;
        if values.len() > MAX_CONDITION_VALUES {
            return Err(ColumnFault::TooManyValues(values.len()));
        }
        Ok(Condition::new(path, values))
    }

    fn path(&mut self) -> Result<FieldPath, ColumnFault> {
        let path = match self.string()? {
            Some(path) => path,
            None => {
                let text = self.rest;
                let end = text.find(ends_path).unwrap_or(text.len());
                self.advance(end);
                text[..end].to_owned()
            }
        };
        match path.chars().next() {
            None => Err(self.expected("a path such as /page")),
            Some('/') => Ok(FieldPath::parse(&path)?),
            Some(_) => Err(ColumnFault::PathWithoutSlash(shown::string(&path))),
        }
    }

    fn value(&mut self) -> Result<Value, ColumnFault> {
        if let Some(text) = self.string()? {
            return match text.len() {
                length if length > MAX_ATTRIBUTE_BYTES => Err(ColumnFault::StringTooLong(shown::string(&text), length)),
                _ => Ok(Value::Text(text)),
            };
        }
        let text = self.rest;
        let word = &text[..text.find(ends_path).unwrap_or(text.len())];
        self.advance(word.len());
        match word {
            "" => Err(self.expected("a value")),
            "true" => Ok(Value::Flag(true)),
            "false" => Ok(Value::Flag(false)),
            word => canonical_number(word)
                .filter(|_| word.len() <= MAX_ATTRIBUTE_BYTES)
                .map(Value::Number)
                .ok_or_else(|| ColumnFault::NotAValue(shown::string(word))),
        }
    }

    /// A string, if there is one.
    fn string(&mut self) -> Result<Option<String>, ColumnFault> {
        let text = self.rest;
        if !text.starts_with(['"', '\'']) {
            return Ok(None);
        }
        let Some(length) = string_length(text) else {
            return Err(ColumnFault::UnterminatedString(shown::key(text, MAX_VALUE_IN_MESSAGE_CHARS)));
        };
        let quoted = &text[..length];
        self.advance(length);
        if quoted.starts_with('\'') {
            return Ok(Some(quoted[1..length - 1].to_owned()));
        }
        let text = serde_json::from_str(quoted).map_err(|_| ColumnFault::InvalidString(shown::string(quoted)))?;
        Ok(Some(text))
    }

    /// Letters, digits and underscores, perhaps none.
    fn word(&mut self) -> &'t str {
        let text = self.rest;
        let is_end = |char: char| !(char.is_alphanumeric() || char == '_');
        let end = text.find(is_end).unwrap_or(text.len());
        self.advance(end);
        &text[..end]
    }

    fn char(&mut self, char: char, expected: &'static str) -> Result<(), ColumnFault> {
        if self.takes(char) { Ok(()) } else { Err(self.expected(expected)) }
    }

    /// Takes `char` if it is there.
    fn takes(&mut self, char: char) -> bool {
        let is_there = self.rest.starts_with(char);
        if is_there {
            self.advance(char.len_utf8());
        }
        is_there
    }

    /// Passes over `length` bytes and the white space behind them.
    fn advance(&mut self, length: usize) {
        self.rest = self.rest[length..].trim_start();
    }

    fn expected(&self, expected: &'static str) -> ColumnFault {
        let found = if self.rest.is_empty() { "nothing".to_owned() } else { shown::string(self.rest) };
        ColumnFault::Expected { expected, found }
    }
}
