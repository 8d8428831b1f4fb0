//! Formats a boundary as a line of output.

use ops::text_table::escaped;
use shared::boundary::Boundary;
use shared::session::Status;

/// Formats a record of session-stream as a line.
#[must_use]
pub fn boundary_line(data: &[u8]) -> String {
    let boundary = match Boundary::decode(data) {
        Ok(boundary) => boundary,
        Err(rejection) => return format!("not a boundary: {}", rejection.message),
    };
    let session_id = boundary.session_id();
    let (session_id, session_time) = (escaped(&session_id), escaped(&boundary.session_time));
    let event = escaped(boundary.attributes.event_name.as_deref().unwrap_or("a click"));
    let device = escaped(boundary.attributes.device_type.as_deref().unwrap_or("unknown device"));
    match boundary.status {
        Some(Status::Closed { end, event_count }) => {
            let seconds = end.ms_since(boundary.session_timestamp) / 1_000;
            let clicks = if event_count == 1 { "click" } else { "clicks" };
            format!("  {session_id:<9} closed   {event_count} {clicks} in {seconds} s")
        }
        Some(Status::Retracted) => format!("  {session_id:<9} retracted: late clicks made two sessions one"),
        _ => format!("  {session_id:<9} open     {session_time}  {event} on {device}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped_and_other_text_is_unchanged() {
        let boundary = r#"{"user_id":"u","session_timestamp":0,"session_time":"1970-01-01 00:00:00","session_id":"u_0","event_type":null,"device_type":"téléphone","event_name":"\u001b[2J\n","status":"open","version":1}"#;
        let line = boundary_line(boundary.as_bytes());
        assert_eq!(line, r"  u_0       open     1970-01-01 00:00:00  \u{1b}[2J\n on téléphone");
    }
}
