//! Asks for confirmation before a change.

use std::io::{BufRead, Write};

use crate::error::OpsError;

/// The only answer that confirms: a whole word, so that a stray keystroke does not.
const YES: &str = "yes";

/// Maximum length of an answer, in bytes.
const MAX_ANSWER_BYTES: u64 = 1_024;

/// Writes `question` to `output` and waits for a line of `input`.
///
/// # Errors
/// [`OpsError::NotConfirmed`] for any answer other than [`YES`], including the end of `input`; [`OpsError::Terminal`]
/// if reading or writing fails.
pub fn confirm(question: &str, input: impl BufRead, mut output: impl Write) -> Result<(), OpsError> {
    write!(output, "{question} Type \"{YES}\" to continue: ")
        .and_then(|()| output.flush())
        .map_err(OpsError::Terminal)?;
    let mut answer = Vec::new();
    input.take(MAX_ANSWER_BYTES).read_until(b'\n', &mut answer).map_err(OpsError::Terminal)?;
    if answer.trim_ascii() == YES.as_bytes() { Ok(()) } else { Err(OpsError::NotConfirmed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(text: &str) -> String {
        let mut asked = Vec::new();
        let outcome = confirm("Really?", text.as_bytes(), &mut asked);
        assert_eq!(asked, b"Really? Type \"yes\" to continue: ");
        outcome.map_or_else(|error| error.to_string(), |()| "confirmed".to_owned())
    }

    #[test]
    fn only_the_whole_word_yes_confirms() {
        assert_eq!([answer("yes\n"), answer(" yes \r\n"), answer("yes")], ["confirmed"; 3]);
        for text in ["", "\n", "y\n", "YES\n", "yes please\n", "no\n", "no\nyes\n", "\u{fffd}\n"] {
            assert_eq!(answer(text), "not confirmed: nothing was changed", "{text:?}");
        }
    }
}
