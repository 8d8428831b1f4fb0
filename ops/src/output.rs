//! Standard output of a command: text for people, or JSON for programs, one object a line.

use std::io::Write;

use serde_json::Value;

use crate::error::OpsError;

/// What a command writes to standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Text, whose layout may change.
    Text,
    /// One JSON object a line, and nothing else. Times are Unix milliseconds.
    Json,
}

/// Standard output, or what a test puts in its place.
#[derive(Debug)]
pub struct Output<W> {
    writer: W,
    format: Format,
}

impl<W: Write> Output<W> {
    /// Writes to `writer` in `format`.
    pub fn new(writer: W, format: Format) -> Self {
        Self { writer, format }
    }

    /// Whether it is JSON.
    pub fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// Writes `text`, without a line end of its own, if the format is text.
    ///
    /// # Errors
    /// If it cannot be written, as to a closed pipe.
    pub fn text(&mut self, text: &str) -> Result<(), OpsError> {
        match self.format {
            Format::Text => self.write(text.as_bytes()),
            Format::Json => Ok(()),
        }
    }

    /// Writes an object as a line, if the format is JSON.
    ///
    /// # Errors
    /// As [`Self::text`].
    pub fn object(&mut self, object: &Value) -> Result<(), OpsError> {
        self.encoded(object.to_string().as_bytes())
    }

    /// Writes an object that is encoded already as a line, if the format is JSON.
    ///
    /// # Errors
    /// As [`Self::text`].
    pub fn encoded(&mut self, object: &[u8]) -> Result<(), OpsError> {
        match self.format {
            Format::Text => Ok(()),
            Format::Json => self.write(&[object, b"\n"].concat()),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), OpsError> {
        self.writer.write_all(bytes).and_then(|()| self.writer.flush()).map_err(OpsError::Stdout)
    }
}
