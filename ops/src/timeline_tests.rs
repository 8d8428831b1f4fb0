use std::io::Write;

use super::*;

fn row(user: &str, ordinal: u64, start: u64, end: Option<u64>, version: u64) -> String {
    let (start, end) = (1_721_390_000_000 + start, end.map(|end| 1_721_390_000_000 + end));
    let closed = end
        .map(|end| format!(r#","status":"closed","session_end":{end},"duration_ms":{},"event_count":4"#, end - start));
    let status = closed.unwrap_or_else(|| r#","status":"open""#.to_owned());
    format!(
        r#"{{"user_id":{user:?},"session_timestamp":{start},"session_time":"2024-07-19 11:53:20","session_id":"{}_{ordinal}","event_type":null,"device_type":null,"event_name":null{status},"version":{version}}}"#,
        user.replace('"', "\\\"")
    )
}

fn of(lines: &[String]) -> Result<Timeline, OpsError> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    lines.iter().for_each(|line| writeln!(file, "{line}").unwrap());
    Timeline::of_file(file.path())
}

fn count(svg: &str, what: &str) -> usize {
    svg.matches(what).count()
}

#[test]
fn picture_has_a_lane_for_each_user_and_a_bar_for_each_session() {
    let lines = [
        row("a", 0, 0, Some(4_000), 1),
        row("b", 0, 1_000, Some(9_000), 1),
        row("a", 1, 20_000, None, 2),
        String::new(),
    ];
    let svg = of(&lines).unwrap().svg();
    assert_eq!((count(&svg, "<rect class=\"closed\""), count(&svg, "<rect class=\"open\"")), (2, 1));
    assert!(svg.contains("Sessions of 2 users") && svg.contains("b_0: 4 clicks in 8 s"), "{svg}");
    // The first session begins at the left edge; the last one begins at the right one, 20 s later.
    assert!(svg.contains("x=\"160.0\" y=\"39\" width=\"200.0\"") && svg.contains("x=\"1160.0\""), "{svg}");
}

#[test]
fn highest_version_of_a_session_counts_and_a_retracted_one_is_not_drawn() {
    let retracted = row("a", 1, 5_000, None, 3).replace("open", "retracted");
    let lines =
        [retracted, row("a", 0, 0, Some(9_000), 3), row("a", 0, 0, Some(4_000), 2), row("a", 1, 5_000, None, 1)];
    let svg = of(&lines).unwrap().svg();
    assert_eq!((count(&svg, "<rect"), count(&svg, "4 clicks in 9 s")), (1, 1));
}

#[test]
fn export_of_a_table_has_no_versions() {
    let export = row("a", 0, 0, Some(4_000), 1).replace(r#","version":1"#, "");
    assert!(of(&[export]).unwrap().svg().contains("a_0: 4 clicks in 4 s"));
}

#[test]
fn names_are_text_in_the_picture() {
    let svg = of(&[row("<script>\"&", 0, 0, Some(1_000), 1)]).unwrap().svg();
    assert!(svg.contains("&lt;script&gt;&quot;&amp;") && !svg.contains("<script"), "{svg}");
}

#[test]
fn faults_name_file_line_and_limit() {
    let error = of(&[row("a", 0, 0, None, 1), "{}".to_owned()]).unwrap_err().to_string();
    assert!(error.contains("line 2: user_id"), "{error}");
    let many: Vec<_> = (0..=MAX_SESSIONS as u64).map(|n| row("a", n, n, None, 1)).collect();
    assert!(of(&many).unwrap_err().to_string().contains("more than 2000 sessions"));
    let many: Vec<_> = (0..=MAX_USERS).map(|n| row(&format!("u{n}"), 0, 0, None, 1)).collect();
    assert!(of(&many).unwrap_err().to_string().contains("more than 100 users"));
    let missing = Timeline::of_file(Path::new("no/such/file")).unwrap_err().to_string();
    assert!(missing.contains("no/such/file"), "{missing}");
}
