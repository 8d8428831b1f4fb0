//! The part of a user's state that no condition looks at, as one text: words and numbers with a space between them.
//!
//! ```text
//! ordinal 4 current 50000 51000 3 6:search 5:click 7:desktop previous 5 6 2 6:search - - cursor 8:shop/s-1 4959 8 open 8 4 50000 6:search - -
//! ```
//!
//! * `current` and `previous` (which may be missing): start, end, event count, and the three attributes.
//! * `cursor`, once for each: its key, sequence number, version, and then its outbox.
//! * In an outbox `open` and `retracted`: version, ordinal, start, attributes; `closed` has end and event count after
//!   start.
//!
//! A text from outside, an attribute or a key, has its length in bytes before it, or is `-` if absent:
//! nothing in it needs to be escaped, so none can make an item larger than its limits add up to. Reading takes what
//! writing gives, and nothing else.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use shared::attributes::Attributes;
use shared::boundary::Version;
use shared::event_time::EventTime;
use shared::limits::MAX_SAFE_INTEGER;
use shared::sequence_number::SequenceNumber;
use shared::session_rule::{Session, Status, TouchedSession, UserSessions};

use crate::batch::CursorKey;
use crate::state::{Cursor, OutboxEntry, UserState};

/// About what an ordinary state takes, in bytes.
const ORDINARY_BYTES: usize = 640;

/// A text that is not a state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{fault} before byte {end}")]
pub struct StateTextError {
    fault: String,
    end: usize,
}

/// The text for `state`, without its version.
#[must_use]
pub fn write(state: &UserState) -> String {
    let mut text = String::with_capacity(ORDINARY_BYTES);
    let _ = write_state(state, &mut text); // writing to a String cannot fail
    text
}

/// The sessions and cursors in `text`.
///
/// # Errors
/// If `text` is not the output of [`write`].
pub fn read(text: &str) -> Result<(UserSessions, BTreeMap<CursorKey, Cursor>), StateTextError> {
    Reader { text, at: 0 }.state()
}

fn write_state(state: &UserState, text: &mut String) -> fmt::Result {
    write!(text, "ordinal {}", state.sessions.ordinal)?;
    write_session("current", &state.sessions.current, text)?;
    if let Some(previous) = &state.sessions.previous {
        write_session("previous", previous, text)?;
    }
    for (key, cursor) in &state.cursors {
        text.push_str(" cursor");
        write_text(Some(key.as_str()), text)?;
        write!(text, " {} {}", cursor.sequence_number, cursor.version.number())?;
        cursor.outbox.iter().try_for_each(|entry| write_entry(entry, text))?;
    }
    Ok(())
}

fn write_session(word: &str, session: &Session, text: &mut String) -> fmt::Result {
    write!(text, " {word} {} {} {}", session.start.ms(), session.end.ms(), session.event_count)?;
    write_attributes(&session.attributes, text)
}

fn write_entry(entry: &OutboxEntry, text: &mut String) -> fmt::Result {
    let TouchedSession { ordinal, start, status, attributes } = &entry.session;
    write!(text, " {} {} {ordinal} {}", status.word(), entry.version.number(), start.ms())?;
    if let Status::Closed { end, event_count } = status {
        write!(text, " {} {event_count}", end.ms())?;
    }
    write_attributes(attributes, text)
}

fn write_attributes(attributes: &Attributes, text: &mut String) -> fmt::Result {
    let Attributes { event_name, event_type, device_type } = attributes;
    write_text(event_name.as_deref(), text)?;
    write_text(event_type.as_deref(), text)?;
    write_text(device_type.as_deref(), text)
}

fn write_text(value: Option<&str>, text: &mut String) -> fmt::Result {
    match value {
        Some(value) => write!(text, " {}:{value}", value.len()),
        None => text.write_str(" -"),
    }
}

/// A text and how far it has been read.
struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Reader<'t> {
    fn state(mut self) -> Result<(UserSessions, BTreeMap<CursorKey, Cursor>), StateTextError> {
        self.expect("ordinal")?;
        let ordinal = self.number()?;
        self.expect("current")?;
        let current = self.session()?;
        let previous = if self.take("previous") { Some(self.session()?) } else { None };
        if previous.is_some() && ordinal == 0 {
            return Err(self.fault("a previous session, though the ordinal is 0"));
        }
        let mut cursors = BTreeMap::new();
        while self.take("cursor") {
            let key = CursorKey::new(self.text()?.ok_or_else(|| self.fault("a cursor without a key"))?);
            if cursors.insert(key, self.cursor()?).is_some() {
                return Err(self.fault("a second cursor with one key"));
            }
        }
        if self.at < self.text.len() {
            return Err(self.fault("something else than a cursor"));
        }
        Ok((UserSessions { ordinal, current, previous }, cursors))
    }

    fn session(&mut self) -> Result<Session, StateTextError> {
        let (start, end) = (self.time()?, self.time()?);
        if end < start {
            return Err(self.fault("an end before its start"));
        }
        Ok(Session { start, end, event_count: self.number()?, attributes: self.attributes()? })
    }

    fn cursor(&mut self) -> Result<Cursor, StateTextError> {
        let sequence_number = SequenceNumber::parse(self.word()).map_err(|error| self.fault(error.to_string()))?;
        let version = Version::new(self.number()?);
        let mut outbox = Vec::new();
        while let Some(entry) = self.entry()? {
            outbox.push(entry);
        }
        Ok(Cursor { sequence_number, version, outbox })
    }

    fn entry(&mut self) -> Result<Option<OutboxEntry>, StateTextError> {
        let (is_closed, open_or_retracted) = if self.take("open") {
            (false, Status::Open)
        } else if self.take("retracted") {
            (false, Status::Retracted)
        } else if self.take("closed") {
            (true, Status::Open)
        } else {
            return Ok(None);
        };
        let (version, ordinal, start) = (Version::new(self.number()?), self.number()?, self.time()?);
        let status = if is_closed {
            Status::Closed { end: self.time()?, event_count: self.number()? }
        } else {
            open_or_retracted
        };
        let session = TouchedSession { ordinal, start, attributes: self.attributes()?, status };
        Ok(Some(OutboxEntry { version, session }))
    }

    fn attributes(&mut self) -> Result<Attributes, StateTextError> {
        let (event_name, event_type) = (self.text()?, self.text()?);
        let device_type = self.text()?;
        let owned = |text: Option<&str>| text.map(Into::into);
        Ok(Attributes { event_name: owned(event_name), event_type: owned(event_type), device_type: owned(device_type) })
    }

    fn number(&mut self) -> Result<u64, StateTextError> {
        let word = self.word();
        // One spelling only: no sign, no leading zero.
        let is_plain = word.bytes().all(|byte| byte.is_ascii_digit()) && (word.len() == 1 || !word.starts_with('0'));
        let number = word.parse().ok().filter(|number| is_plain && *number <= MAX_SAFE_INTEGER);
        number.ok_or_else(|| self.fault(format!("{word:?} instead of a whole number from 0 to {MAX_SAFE_INTEGER}")))
    }

    fn time(&mut self) -> Result<EventTime, StateTextError> {
        let number = self.number()?;
        EventTime::from_ms(number).ok_or_else(|| self.fault("a time after the year 9999"))
    }

    /// A text with its length, or none.
    fn text(&mut self) -> Result<Option<&'t str>, StateTextError> {
        if self.take("-") {
            return Ok(None);
        }
        let rest = self.rest();
        let sized = rest.split_once(':').and_then(|(length, rest)| {
            let is_plain = !length.starts_with('0') || length == "0";
            let length: usize = length.parse().ok().filter(|_| is_plain && !length.starts_with('+'))?;
            rest.get(..length)
        });
        let text = sized.ok_or_else(|| self.fault("no text with its length"))?;
        let length = rest.find(':').unwrap_or(0) + 1 + text.len();
        self.at += length;
        self.end_of_word().then_some(Some(text)).ok_or_else(|| self.fault("a text longer than its length"))
    }

    fn expect(&mut self, word: &str) -> Result<(), StateTextError> {
        if self.take(word) { Ok(()) } else { Err(self.fault(format!("no {word:?}"))) }
    }

    /// Whether the next word is `word`; then it is read.
    fn take(&mut self, word: &str) -> bool {
        let before = self.at;
        if self.word() == word {
            return true;
        }
        self.at = before;
        false
    }

    fn word(&mut self) -> &'t str {
        let rest = self.rest();
        let word = rest.split_once(' ').map_or(rest, |(word, _)| word);
        self.at += word.len();
        self.end_of_word();
        word
    }

    /// Reads the space after a word; whether there was one, or the end of the text.
    fn end_of_word(&mut self) -> bool {
        let is_space = self.rest().starts_with(' ');
        self.at += usize::from(is_space);
        is_space || self.rest().is_empty()
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn fault(&self, fault: impl Into<String>) -> StateTextError {
        StateTextError { fault: fault.into(), end: self.at }
    }
}
