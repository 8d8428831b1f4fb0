//! Every form of the settings, and their faults.
use kinesis_function::config::ConfigError;
use shared::click::LatestBelievable;
use shared::click_format::Decoded;

use super::*;

fn format(pairs: &[(&str, &str)]) -> Result<ClickFormat, ConfigError> {
    let mut variables = Variables::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let format = click_format(&mut variables);
    variables.finish(format)
}

fn faults(pairs: &[(&str, &str)]) -> Vec<String> {
    format(pairs).unwrap_err().faults().to_vec()
}

#[test]
fn without_variables_the_format_is_the_contracts() {
    assert_eq!(format(&[]), Ok(ClickFormat::default()));
    assert_eq!(format(&[("USER_ID_FIELD", ""), ("EVENT_NAMES", "")]), Ok(ClickFormat::default()));
}

#[test]
fn each_variable_reaches_the_decoded_click() {
    let format = format(&[
        ("USER_ID_FIELD", "/userId, /anonymousId"),
        ("EVENT_TIMESTAMP_FIELD", "/time"),
        ("EVENT_TIMESTAMP_FORMAT", "seconds"),
        ("EVENT_NAME_FIELD", "event"),
        ("EVENT_TYPE_FIELD", "/a~1b"),
        ("DEVICE_TYPE_FIELD", "/context/device/0"),
        ("EVENT_NAMES_IGNORED", "ping, beat"),
    ])
    .unwrap();
    let decode = |event: &str| {
        let json = format!(
            r#"{{"anonymousId":"a","time":1721390000.5,"event":"{event}","a/b":"track","context":{{"device":["ios"]}}}}"#
        );
        format.decode_one(json.as_bytes(), LatestBelievable::after_arrival(1_721_390_500_000, 0)).unwrap()
    };
    let Decoded::Click(decoded) = decode("view") else { panic!("filtered") };
    let attributes = decoded.click.attributes;
    assert_eq!((decoded.click.user_id.as_str(), decoded.click.time.ms()), ("a", 1_721_390_000_500));
    let attributes = [attributes.event_name, attributes.event_type, attributes.device_type].map(Option::unwrap);
    assert_eq!(attributes, ["view", "track", "ios"]);
    assert_eq!(decode("beat"), Decoded::Filtered);
}

#[test]
fn only_the_named_events_count_if_they_are_named() {
    let format = format(&[("EVENT_NAMES", "view"), ("EVENT_TIMESTAMP_FORMAT", "arrival")]).unwrap();
    let decode = |json: &str| format.decode_one(json.as_bytes(), LatestBelievable::after_arrival(1_721_390_500_000, 0));
    assert_eq!(decode(r#"{"user_id":"u","event_name":"ping"}"#), Ok(Decoded::Filtered));
    assert!(matches!(decode(r#"{"user_id":"u","event_name":"view"}"#), Ok(Decoded::Click(_))));
}

#[test]
fn all_faults_are_reported_at_once_by_name() {
    assert_eq!(
        faults(&[
            ("USER_ID_FIELD", "a,,b"),
            ("EVENT_TIMESTAMP_FIELD", "/a~2"),
            ("EVENT_TIMESTAMP_FORMAT", "nanoseconds"),
            ("EVENT_NAME_FIELD", &"x".repeat(257)),
            ("EVENT_TYPE_FIELD", &"/x".repeat(17)),
            ("DEVICE_TYPE_FIELD", "a\u{7}"),
            ("EVENT_NAMES", ","),
            ("EVENT_NAMES_IGNORED", &"x,".repeat(100)),
        ]),
        [
            "USER_ID_FIELD: a path is empty, expected a key or a JSON Pointer".to_owned(),
            "EVENT_TIMESTAMP_FIELD: path /a~2 contains ~ without 0 or 1 behind it, expected ~0 for ~ and ~1 for /"
                .to_owned(),
            "EVENT_TIMESTAMP_FORMAT is \"nanoseconds\", expected milliseconds, seconds, microseconds, iso8601 or arrival"
                .to_owned(),
            "EVENT_NAME_FIELD: a path has 257 bytes, more than the limit of 256".to_owned(),
            format!("EVENT_TYPE_FIELD: path {} has 17 parts, more than the limit of 16", "/x".repeat(17)),
            "DEVICE_TYPE_FIELD: path \"a\\u{7}\" contains a control character".to_owned(),
            "EVENT_NAMES: a name is empty".to_owned(),
            "EVENT_NAMES_IGNORED: 101 names, more than the limit of 100".to_owned(),
        ]
    );
}

#[test]
fn settings_that_contradict_each_other_are_faults() {
    assert_eq!(
        faults(&[
            ("EVENT_TIMESTAMP_FIELD", "time"),
            ("EVENT_TIMESTAMP_FORMAT", "arrival"),
            ("EVENT_NAMES", "a"),
            ("EVENT_NAMES_IGNORED", "b"),
        ]),
        [
            "EVENT_TIMESTAMP_FIELD is \"time\", which EVENT_TIMESTAMP_FORMAT=arrival does not read: set one of them",
            "EVENT_NAMES and EVENT_NAMES_IGNORED are both set: set one of them",
        ]
    );
}
