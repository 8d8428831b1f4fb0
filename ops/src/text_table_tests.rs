use sessionizer_fn::state_log_entry::UserEntry;
use shared::attributes::Attributes;
use shared::columns::values::ColumnValues;
use shared::session::Session;
use shared::session_window::SessionWindow;

use super::*;

fn session(user: &str, event_name: &str) -> Boundary {
    let row = format!(
        r#"{{"user_id":"{user}","session_timestamp":1721390000000,"session_time":"2024-07-19 11:53:20","session_id":"{user}_0","event_type":null,"device_type":null,"event_name":"{event_name}","status":"closed","session_end":1721390004000,"event_count":2,"version":1}}"#
    );
    Boundary::decode(row.as_bytes()).unwrap()
}

fn rejection(reason: &str, message: &str) -> StoredRejection {
    StoredRejection {
        source: "click-stream/shardId-000000000000".to_owned(),
        place: None,
        parts: 1,
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
fn columns_fit_their_content_and_numbers_are_right_aligned() {
    let expected = "  session        start (UTC)          status  length  clicks  first event
  u_0            2024-07-19 11:53:20  closed     4 s       2  search
  a_long_user_0  2024-07-19 11:53:20  closed     4 s       2  détail
";
    assert_eq!(sessions(&[session("u", "search"), session("a_long_user", "détail")], None), expected);
    assert_eq!(rejected(&[], None), "  reason  bytes  message\n");
}

#[test]
fn control_characters_are_escaped_in_every_cell() {
    let session = session(r"u\u0007", r"\u001b[2J\n");
    let expected = r"  session   start (UTC)          status  length  clicks  first event
  u\u{7}_0  2024-07-19 11:53:20  closed     4 s       2  \u{1b}[2J\n
";
    assert_eq!(sessions(&[session], None), expected);
    let expected = "  reason   bytes  message\n  not\\r_x   1234  a\\tb\\u{9b}c\n";
    assert_eq!(rejected(&[rejection("not\r_x", "a\tb\u{9b}c")], None), expected);
}

fn user_with(user: &str, is_in_log: bool, told_closed: bool) -> (UserId, StoredUser) {
    let [start, end] = [1_721_390_000_000, 1_721_390_004_000].map(|ms| EventTime::from_ms(ms).unwrap());
    let session =
        Session { start, end, event_count: 2, attributes: Attributes::default(), columns: ColumnValues::default() };
    let window = SessionWindow { first_ordinal: 3, sessions: vec![session], left_behind_until_ms: None, told_closed };
    let entry = UserEntry { window, arrival_ms: 0, has_item: false };
    (UserId::new(user).unwrap(), StoredUser { entry, is_in_log })
}

#[test]
fn users_are_under_way_closed_or_at_rest() {
    let cases = [user_with("a", true, false), user_with("b", true, true), user_with("c", false, true)];
    let expected = "  user  state      last session  start (UTC)          last seen            clicks
  a     under way  a_3           2024-07-19 11:53:20  2024-07-19 11:53:24       2
  b     closed     b_3           2024-07-19 11:53:20  2024-07-19 11:53:24       2
  c     at rest    c_3           2024-07-19 11:53:20  2024-07-19 11:53:24       2
";
    assert_eq!(users(&cases.into(), None), expected);
}

#[test]
fn rows_wrap_to_the_width_of_the_terminal_and_never_without_one() {
    let user = "a-user-with-a-very-long-name-".repeat(4);
    let message = "the field event_timestamp is 1721390000, it must be in milliseconds ".repeat(5);
    let tables = |width| {
        let session = session(&user, &"a very long name of an event ".repeat(4));
        let rejection = rejection("event_timestamp_in_the_future", &message);
        [
            sessions(&[session], width),
            users(&[user_with(&user, true, false)].into(), width),
            rejected(&[rejection], width),
        ]
    };
    for columns in [80, 100] {
        let tables = tables(Some(columns));
        for table in &tables {
            assert!(table.lines().all(|line| line.chars().count() <= usize::from(columns)), "{table}");
            assert!(table.lines().count() > 2, "{table}");
        }
        let whole: [&[&str]; 3] = [
            &["2024-07-19 11:53:20", "closed", "4 s", "2"],
            &["2024-07-19 11:53:20  2024-07-19 11:53:24", "2"],
            &["event_timestamp_in_the_future", "1234"],
        ];
        for (table, whole) in tables.iter().zip(whole) {
            assert!(whole.iter().all(|cell| table.contains(cell)), "one of {whole:?} is wrapped in\n{table}");
        }
    }
    assert_eq!(tables(None).map(|table| table.lines().count()), [2, 2, 2]);
    for columns in [0, 1, 20] {
        assert!(tables(Some(columns)).iter().all(|table| table.lines().count() >= 2), "{columns} columns");
    }
}
