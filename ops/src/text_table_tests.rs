#![allow(clippy::unwrap_used)]

use super::*;

fn session(id: &str, event_name: &str) -> Boundary {
    let row = format!(
        r#"{{"user_id":"u","session_timestamp":1721390000000,"session_time":"2024-07-19 11:53:20","session_id":"{id}","event_type":null,"device_type":null,"event_name":"{event_name}","status":"closed","session_end":1721390004000,"event_count":2,"version":1}}"#
    );
    Boundary::decode(row.as_bytes()).unwrap()
}

fn rejection(reason: &str, message: &str) -> StoredRejection {
    StoredRejection {
        source: "click-stream/shardId-000000000000".to_owned(),
        sequence_number: "1".to_owned(),
        partition_key: "key".to_owned(),
        reason: reason.to_owned(),
        message: message.to_owned(),
        arrival_time: 0,
        data_length: 1_234,
        data: Vec::new(),
    }
}

#[test]
fn columns_are_as_wide_as_what_they_hold_and_numbers_are_right_aligned() {
    let expected = "  session        start (UTC)          status  length  clicks  first event
  u_0            2024-07-19 11:53:20  closed     4 s       2  search
  a_long_user_1  2024-07-19 11:53:20  closed     4 s       2  détail
";
    assert_eq!(sessions(&[session("u_0", "search"), session("a_long_user_1", "détail")], None), expected);
    assert_eq!(rejected(&[], None), "  reason  bytes  message\n");
}

#[test]
fn control_characters_are_escaped_in_every_cell() {
    let session = session(r"u\u0007_0", r"\u001b[2J\n");
    let expected = r"  session   start (UTC)          status  length  clicks  first event
  u\u{7}_0  2024-07-19 11:53:20  closed     4 s       2  \u{1b}[2J\n
";
    assert_eq!(sessions(&[session], None), expected);
    let expected = "  reason   bytes  message\n  not\\r_x   1234  a\\tb\\u{9b}c\n";
    assert_eq!(rejected(&[rejection("not\r_x", "a\tb\u{9b}c")], None), expected);
}

#[test]
fn rows_are_wrapped_to_the_width_of_a_terminal_and_never_without_one() {
    let user = "a-user-with-a-very-long-name-".repeat(4);
    let message = "the field event_timestamp is 1721390000, it must be in milliseconds ".repeat(5);
    let sessions_at = |width| sessions(&[session(&format!("{user}_0"), "search")], width);
    let rejected_at = |width| rejected(&[rejection("event_timestamp_in_the_future", &message)], width);
    for text in [sessions_at(Some(100)), rejected_at(Some(100))] {
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
        assert!(text.lines().count() > 2, "{text}");
    }
    for whole in ["2024-07-19 11:53:20", "closed", "4 s", "search"] {
        assert!(sessions_at(Some(100)).contains(whole), "{whole} is cut in\n{}", sessions_at(Some(100)));
    }
    assert!(rejected_at(Some(100)).contains("event_timestamp_in_the_future"), "{}", rejected_at(Some(100)));
    assert!([sessions_at(None), rejected_at(None)].iter().all(|text| text.lines().count() == 2));
}
