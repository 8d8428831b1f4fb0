//! Declarations: what they spell, and what is wrong with others.
use super::*;

fn canonical(declaration: &str) -> Vec<String> {
    let columns = SessionColumns::parse(declaration).unwrap_or_else(|faults| panic!("{declaration}: {faults:?}"));
    columns.names().zip(columns.canonical_texts()).map(|(name, text)| format!("{name} = {text}")).collect()
}

fn faults(declaration: &str) -> Vec<String> {
    let faults = SessionColumns::parse(declaration).err().unwrap_or_default();
    faults.iter().map(ToString::to_string).collect()
}

#[test]
fn every_aggregate_has_one_spelling() {
    for (declaration, spelling) in [
        ("a=first(/page)", "a = first(/page)"),
        ("  a  =  last ( /context/page~1path )  ", "a = last(/context/page~1path)"),
        ("a = count()", "a = count()"),
        ("a = count( )", "a = count()"),
        ("a = count(/event_name = \"purchase\")", "a = count(/event_name = \"purchase\")"),
        ("a = count(/event_name='purchase')", "a = count(/event_name = \"purchase\")"),
        ("a = count(/event_name in ['view' , \"page\",'view'])", "a = count(/event_name in [\"page\", \"view\"])"),
        ("a = count(/event_name in [\"view\"])", "a = count(/event_name = \"view\")"),
        ("a = sum(/value)", "a = sum(/value)"),
        ("a = sum(/value)where/paid=true", "a = sum(/value) where /paid = true"),
        ("a = min(/value) where /kind in [1.50, 'x', false]", "a = min(/value) where /kind in [\"x\", 15e-1, false]"),
        ("a = max(/items/0/price)", "a = max(/items/0/price)"),
        ("_A9 = any(/n = 1200.0)", "_A9 = any(/n = 12e2)"),
        ("a = any(/n = -0.0)", "a = any(/n = 0)"),
        ("a = first(\"/odd key, (x)\")", "a = first(\"/odd key, (x)\")"),
        ("a = first('/it\"s')", "a = first(\"/it\\\"s\")"),
        ("a = first(\"/plain\")", "a = first(/plain)"),
        ("a = any(/t = \"a,b) = \\\"c\\\" \\u00e9\")", "a = any(/t = \"a,b) = \\\"c\\\" é\")"),
        ("a = any(/where = 'where')", "a = any(/where = \"where\")"),
        ("a = any(/é = '')", "a = any(/é = \"\")"),
    ] {
        assert_eq!(canonical(declaration), [spelling], "{declaration}");
        assert_eq!(canonical(spelling), [spelling], "it spells itself");
    }
}

#[test]
fn commas_and_new_lines_separate_columns() {
    let expected = ["a = count()", "b = count(/e in [\"x\", \"y\"])", "c = any(/e = \",\")"];
    for declaration in [
        "a = count(), b = count(/e in ['x','y']), c = any(/e = ',')",
        "a = count()\nb = count(/e in ['x','y'])\r\n\n  c = any(/e = ',')\n",
        "\n a = count(),\n b = count(/e in ['x','y']),,\n c = any(/e = ','),\n",
    ] {
        assert_eq!(canonical(declaration), expected, "{declaration}");
    }
    for empty in ["", " ", "\n", " , \r\n,"] {
        assert_eq!(SessionColumns::parse(empty), Ok(SessionColumns::default()), "{empty:?}");
    }
}

#[test]
fn faults_name_the_column_and_the_value_and_what_is_expected() {
    for (declaration, fault) in [
        ("pages", r#"column "pages": expected name = aggregate, such as entry_page = first(/page)"#),
        (
            "pages = avg(/value)",
            r#"column "pages": "avg" is not an aggregate, expected first, last, count, sum, min, max or any"#,
        ),
        (
            "pages = First(/value)",
            r#"column "pages": "First" is not an aggregate, expected first, last, count, sum, min, max or any"#,
        ),
        ("a =", r#"column "a": expected an aggregate such as first(/page) but found nothing"#),
        ("a = (/page)", r#"column "a": expected an aggregate such as first(/page) but found "(/page)""#),
        ("a = first", r#"column "a": expected ( but found nothing"#),
        ("a = first()", r#"column "a": expected a path such as /page but found ")""#),
        ("a = first(/page", r#"column "a": expected ) but found nothing"#),
        ("a = first(/page, /url)", r#"column "a": expected ) but found ", /url)""#),
        ("a = first(/page) x", r#"column "a": expected the end of the column, a comma or a new line but found "x""#),
        ("a = count())", r#"column "a": expected the end of the column, a comma or a new line but found ")""#),
        (
            "entry = first(page)",
            r#"column "entry": path "page" does not begin with /, expected a JSON Pointer such as /page"#,
        ),
        (
            "entry = count('page' = 'x')",
            r#"column "entry": path "page" does not begin with /, expected a JSON Pointer such as /page"#,
        ),
        (
            "a = last(/a~2)",
            r#"column "a": path /a~2 contains ~ without 0 or 1 behind it, expected ~0 for ~ and ~1 for /"#,
        ),
        ("a = first(/page) where /e = 'x'", r#"column "a": first takes no where, which only sum, min and max do"#),
        ("a = last(/page) where", r#"column "a": last takes no where, which only sum, min and max do"#),
        ("a = count() where /e = 'x'", r#"column "a": count takes no where: put the condition in its parentheses"#),
        ("a = any(/e = 'x') where /e = 'x'", r#"column "a": any takes no where: put the condition in its parentheses"#),
        ("a = sum(/value) where", r#"column "a": expected a path such as /page but found nothing"#),
        ("a = sum(/value where /e = 'x')", r#"column "a": expected ) but found "where /e = 'x')""#),
        ("a = sum()", r#"column "a": expected a path such as /page but found ")""#),
        ("a = any()", r#"column "a": expected a path such as /page but found ")""#),
        ("a = any(/e)", r#"column "a": expected = or in behind the path but found ")""#),
        ("a = any(/e == 'x')", r#"column "a": expected a value but found "= 'x')""#),
        ("a = any(/e in 'x')", r#"column "a": expected [ behind in but found "'x')""#),
        ("a = any(/e in [])", r#"column "a": expected a value but found "])""#),
        ("a = any(/e in ['x',])", r#"column "a": expected a value but found "])""#),
        ("a = any(/e in ['x' 'y'])", r#"column "a": expected a comma or ] behind the value but found "'y'])""#),
        ("a = any(/e in ['x'", r#"column "a": expected a comma or ] behind the value but found nothing"#),
        (
            "a = any(/e = null)",
            r#"column "a": "null" is not a value to compare with, expected a string in quotes, a number, true or false"#,
        ),
        (
            "a = any(/e = purchase)",
            r#"column "a": "purchase" is not a value to compare with, expected a string in quotes, a number, true or false"#,
        ),
        ("a = any(/e = \"purchase)", r#"column "a": string "\"purchase)" has no closing quote"#),
        ("a = any(/e = 'it''s')", r#"column "a": expected ) but found "'s')""#),
        ("a = any(/e = \"\\x\")", r#"column "a": "\"\\x\"" is not a JSON string: check what follows each backslash"#),
        ("a = any(/e = \"\\\")", r#"column "a": string "\"\\\")" has no closing quote"#),
        (
            "2nd = count()",
            r#"column "2nd": a name is 1 to 64 letters, digits and underscores of ASCII, and does not begin with a digit"#,
        ),
        (
            "= count()",
            r#"column "": a name is 1 to 64 letters, digits and underscores of ASCII, and does not begin with a digit"#,
        ),
        (
            "prix d'été = count()",
            r#"column "prix d'été": a name is 1 to 64 letters, digits and underscores of ASCII, and does not begin with a digit"#,
        ),
        ("event_count = count()", r#"column "event_count": the name is reserved for a field of every session"#),
        ("partial = count()", r#"column "partial": the name is reserved for a field of every session"#),
        ("Version = count()", r#"column "Version": the name is reserved for a field of every session"#),
        ("a = count(), b = count(), A = count()", r#"column "A": the name is declared twice"#),
    ] {
        assert_eq!(faults(declaration), [fault], "{declaration}");
    }
}

#[test]
fn names_that_every_session_has_are_reserved() {
    let start = crate::event_time::EventTime::from_ms(1).unwrap();
    let status = crate::session::Status::Closed { end: start, event_count: 1 };
    let session = crate::session::TouchedSession {
        ordinal: 0,
        start,
        attributes: Default::default(),
        columns: Default::default(),
        status,
    };
    let user_id = crate::user_id::UserId::new("u").unwrap();
    let version = crate::boundary::Version::new(1);
    let boundary = crate::boundary::Boundary::of(&user_id, session, &SessionColumns::default(), version);
    let json: serde_json::Value = serde_json::from_slice(&boundary.encode().unwrap()).unwrap();
    let keys: Vec<_> = json.as_object().unwrap().keys().cloned().collect();
    assert!(keys.len() >= 11 && keys.iter().all(|key| !is_column_name(key)), "{keys:?}");
}

#[test]
fn all_faults_are_reported_at_once() {
    let declaration = "
        status = avg(/x),
        ok = count(),
        a = first(page), b = any(/e = \"purchase), c = count()
        OK = first(/page) where /x = 1
    ";
    assert_eq!(
        faults(declaration),
        [
            r#"column "status": the name is reserved for a field of every session"#,
            r#"column "status": "avg" is not an aggregate, expected first, last, count, sum, min, max or any"#,
            r#"column "a": path "page" does not begin with /, expected a JSON Pointer such as /page"#,
            r#"column "b": string "\"purchase), c = count()" has no closing quote"#,
            r#"column "OK": the name is declared twice"#,
            r#"column "OK": first takes no where, which only sum, min and max do"#,
        ]
    );
}

#[test]
fn limits_are_inclusive() {
    let columns = |count: usize| (0..count).map(|n| format!("c{n} = count()\n")).collect::<String>();
    assert_eq!(canonical(&columns(16)).len(), 16);
    assert_eq!(faults(&columns(17)), ["17 columns, more than the limit of 16"]);

    let named = |length: usize| format!("{} = count()", "n".repeat(length));
    assert_eq!(canonical(&named(64)).len(), 1);
    assert_eq!(faults(&named(65)).len(), 1);

    let compared = |length: usize| format!("a = any(/e = '{}')", "x".repeat(length));
    assert_eq!(canonical(&compared(256)).len(), 1);
    let shown = format!("\"{}\"… (257 bytes)", "x".repeat(64));
    let too_long = format!("column \"a\": string {shown} has 257 bytes, more than the limit of 256");
    assert_eq!(faults(&compared(257)), [too_long]);

    let values = |count: usize| format!("a = any(/e in [{}])", vec!["1"; count].join(","));
    assert_eq!(canonical(&values(100)), ["a = any(/e = 1)"]);
    assert_eq!(faults(&values(101)), ["column \"a\": 101 values to compare with, more than the limit of 100"]);

    let deep = format!("a = first({})", "/x".repeat(17));
    assert!(faults(&deep)[0].ends_with("has 17 parts, more than the limit of 16"), "{:?}", faults(&deep));

    let padded = |length: usize| format!("a = count(){}", " ".repeat(length - 11));
    assert_eq!(canonical(&padded(3_584)).len(), 1);
    assert_eq!(faults(&padded(3_585)), ["3585 bytes, more than the limit of 3584"]);
    let quotes = (0..13).map(|number| format!("c{number} = any(/e = '{}')", "\"".repeat(240)));
    let quotes = quotes.collect::<Vec<_>>().join(",");
    assert_eq!(faults(&quotes), ["6396 bytes as they are stored, with escapes, more than the limit of 3584"]);
}
