//! The content of template.yaml, and its possible faults with their locations.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::time::Duration;

use local_aws::template::{
    FunctionSpec, KeyAttribute, KeyKind, KeySchema, MappingSpec, ScheduleSpec, StartingPosition, StreamSpec, TableSpec,
};
use local_aws::{Template, TemplateError};

const OURS: &str = include_str!("../../template.yaml");

fn text(name: &str) -> KeyAttribute {
    KeyAttribute { name: name.to_owned(), kind: KeyKind::Text }
}

fn map<const N: usize>(entries: [(&str, &str); N]) -> BTreeMap<String, String> {
    entries.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// The error from this project's template after replacing `from`, which it must contain, by `to`.
fn error_after(from: &str, to: &str) -> String {
    assert!(OURS.contains(from), "{from} is not in the template");
    let faulty = OURS.replace(from, to);
    Template::parse(&faulty, &BTreeMap::new()).unwrap_err().to_string()
}

#[test]
fn both_streams_start_with_the_shards_of_a_new_on_demand_stream() {
    let stream = |name: &str| StreamSpec { name: name.to_owned(), shards: 4 };
    let template = Template::of_this_project().unwrap();
    assert_eq!(template.streams(), [stream("click-stream"), stream("session-stream")]);
}

#[test]
fn provisioned_streams_have_the_shards_of_their_parameters() {
    let parameters = map([("StreamMode", "PROVISIONED"), ("ClickShards", "7"), ("SessionShards", "3")]);
    let template = Template::of_this_project_with(&parameters).unwrap();
    let stream = |name: &str, shards| StreamSpec { name: name.to_owned(), shards };
    assert_eq!(template.streams(), [stream("click-stream", 7), stream("session-stream", 3)]);
}

#[test]
fn tables_have_the_keys_and_ttl_of_the_design() {
    let template = Template::of_this_project().unwrap();
    let key = |partition, sort| KeySchema { partition, sort };
    let ordinal = KeyAttribute { name: "ordinal".to_owned(), kind: KeyKind::Number };
    let expires_at = || Some("expires_at".to_owned());
    let table = |name: &str, key: KeySchema, ttl_attribute| TableSpec { name: name.to_owned(), key, ttl_attribute };
    let expected = [
        table("state-log", key(text("slot"), None), None),
        table("session-state", key(text("user_id"), None), None),
        table("sessions", key(text("user_id"), Some(ordinal)), expires_at()),
        table("rejected-records", key(text("position"), None), expires_at()),
    ];
    assert_eq!(template.tables(), expected);
}

#[test]
fn the_sessionizer_has_its_variables_mapping_and_schedule() {
    let template = Template::of_this_project().unwrap();
    let expected = FunctionSpec {
        environment: map([
            ("STATE_LOG_TABLE", "state-log"),
            ("STATE_TABLE", "session-state"),
            ("REJECTED_TABLE", "rejected-records"),
            ("SESSION_STREAM", "session-stream"),
            ("SESSION_GAP_SECONDS", "10"),
            ("SESSION_COLUMNS", ""),
            ("SESSION_CUT", "none"),
            ("SESSION_CUT_OFFSET_MINUTES", "0"),
            ("USER_ID_FIELD", "user_id"),
            ("EVENT_TIMESTAMP_FIELD", "event_timestamp"),
            ("EVENT_TIMESTAMP_FORMAT", "milliseconds"),
            ("EVENT_NAME_FIELD", "event_name"),
            ("EVENT_TYPE_FIELD", "event_type"),
            ("DEVICE_TYPE_FIELD", "device_type"),
            ("EVENT_NAMES", ""),
            ("EVENT_NAMES_IGNORED", ""),
            ("BOUNDARIES", "all"),
            ("FIRST_SESSION", "emit"),
            ("ALLOWED_LATENESS_SECONDS", "3600"),
            ("CLOSE_GRACE_SECONDS", "10"),
            ("MAX_CLOCK_SKEW_SECONDS", "900"),
            ("STREAM_RETENTION_HOURS", "24"),
            ("STATE_BUCKETS", "4"),
            ("REJECTED_RETENTION_DAYS", "30"),
        ]),
        timeout_seconds: 60,
        mapping: MappingSpec {
            stream: "click-stream".to_owned(),
            batch_size: 10_000,
            maximum_batching_window_seconds: 1,
            starting_position: StartingPosition::TrimHorizon,
            report_batch_item_failures: true,
            bisect_batch_on_function_error: true,
        },
        schedules: vec![ScheduleSpec { rate: Duration::from_secs(60), input: "{\"sweep\":{}}".to_owned() }],
    };
    assert_eq!(template.function("SessionizerFunction"), Ok(&expected));
}

#[test]
fn the_sink_has_its_variables_and_mapping() {
    let template = Template::of_this_project().unwrap();
    let expected = FunctionSpec {
        environment: map([
            ("SESSIONS_TABLE", "sessions"),
            ("REJECTED_TABLE", "rejected-records"),
            ("SESSION_COLUMNS", ""),
            ("SESSION_RETENTION_DAYS", "0"),
            ("STREAM_RETENTION_HOURS", "24"),
            ("REJECTED_RETENTION_DAYS", "30"),
        ]),
        timeout_seconds: 60,
        mapping: MappingSpec {
            stream: "session-stream".to_owned(),
            batch_size: 1_000,
            maximum_batching_window_seconds: 1,
            starting_position: StartingPosition::TrimHorizon,
            report_batch_item_failures: true,
            bisect_batch_on_function_error: true,
        },
        schedules: vec![],
    };
    assert_eq!(template.function("SinkFunction"), Ok(&expected));
}

#[test]
fn a_parameter_changes_every_place_that_refers_to_it() {
    let parameters = map([("ClickBatchSize", "300"), ("FirstSession", "skip"), ("SweepState", "DISABLED")]);
    let template = Template::of_this_project_with(&parameters).unwrap();
    let sessionizer = template.function("SessionizerFunction").unwrap();
    assert_eq!(sessionizer.mapping.batch_size, 300);
    assert_eq!(sessionizer.environment["FIRST_SESSION"], "skip");
    assert_eq!(sessionizer.schedules, [], "a disabled schedule invokes nothing");
}

#[test]
fn parameters_are_checked_against_their_constraints() {
    let error = |name: &str, value: &str| {
        let error = Template::of_this_project_with(&map([(name, value)])).unwrap_err();
        assert!(matches!(error, TemplateError::Parameter { .. }), "{error:?}");
        error.to_string()
    };
    assert_eq!(error("SessionGapSeconds", "0"), "parameter SessionGapSeconds: 0 is not between 1 and 86400");
    assert_eq!(error("SessionGapSeconds", "ten"), r#"parameter SessionGapSeconds: "ten" is not a number"#);
    assert_eq!(error("FirstSession", "maybe"), r#"parameter FirstSession: "maybe" is not one of emit, skip"#);
    assert_eq!(error("SessionGap", "10"), "parameter SessionGap: the template has no such parameter");
}

#[test]
fn an_error_names_a_parameter_without_a_value() {
    let error = error_after("    Default: 10\n", "");
    assert_eq!(error, "parameter SessionGapSeconds: has no default and no value was given");
}

#[test]
fn an_error_locates_a_reference_to_nothing() {
    assert_eq!(
        error_after("!Ref SessionState\n          REJECTED", "!Ref SesionState\n          REJECTED"),
        "SessionizerFunction: Properties.Environment.Variables.STATE_TABLE: cannot resolve \
         !Ref SesionState: no parameter, stream, table or function has this name"
    );
    assert_eq!(
        error_after("Stream: !GetAtt SessionStream.Arn", "Stream: !GetAtt SessionStream.Name"),
        "SinkFunction: Properties.Events.Boundaries.Properties.Stream: cannot resolve \
         !GetAtt SessionStream.Name: only NAME.Arn of a stream, table or function is supported"
    );
}

#[test]
fn an_error_locates_an_unsupported_function() {
    let known = "cannot resolve !ImportValue gap: only !Ref, !GetAtt, !Sub and !If are supported";
    let place = "SessionizerFunction: Properties.Environment.Variables.SESSION_GAP_SECONDS";
    let error = error_after("!Ref SessionGapSeconds", "!ImportValue gap");
    assert_eq!(error, format!("{place}: {known}"));
}

#[test]
fn an_unsupported_function_in_an_ignored_property_does_no_harm() {
    let other = OURS.replace("Role: !GetAtt SinkRole.Arn", "Role: !ImportValue a-role");
    assert_ne!(other, OURS);
    assert!(Template::parse(&other, &BTreeMap::new()).is_ok());
}

#[test]
fn an_error_locates_a_missing_or_malformed_property() {
    assert_eq!(
        error_after("            BatchSize: 1000\n", "            BatchSize: 10001\n"),
        "SinkFunction: Properties.Events.Boundaries.Properties.BatchSize: 10001 is not a \
         whole number from 1 to 10000"
    );
    assert_eq!(error_after("      TableName: session-state\n", ""), "SessionState: Properties.TableName: missing");
    assert_eq!(
        error_after("    Timeout: 60\n", "    Timeout: [60]\n"),
        "Globals: Function.Timeout: must be a plain value"
    );
    assert_eq!(
        error_after("          Type: Kinesis\n", "          Type: SQS\n"),
        "SessionizerFunction: Properties.Events: expected one event of type Kinesis, found 0"
    );
    assert_eq!(
        error_after("[ReportBatchItemFailures]", "[ReportBatchItemFailure]"),
        "SessionizerFunction: Properties.Events.Clicks.Properties.FunctionResponseTypes.0: \
         unknown response type ReportBatchItemFailure"
    );
    assert_eq!(
        error_after("MaximumRetryAttempts: -1", "MaximumRetryAttempts: 3"),
        "SessionizerFunction: Properties.Events.Clicks.Properties.MaximumRetryAttempts: \
         only -1 is supported"
    );
    assert_eq!(
        error_after("rate(1 minute)", "cron(* * * * ? *)"),
        "SessionizerFunction: Properties.Events.Sweep.Properties.ScheduleExpression: \
         \"cron(* * * * ? *)\" is not a rate such as rate(1 minute)"
    );
    assert_eq!(
        error_after("ParallelizationFactor: 1 ", "ParallelizationFactor: 2 "),
        "SessionizerFunction: Properties.Events.Clicks.Properties.ParallelizationFactor: only 1 is supported"
    );
    assert_eq!(
        error_after("Stream: !GetAtt SessionStream.Arn", "Stream: !GetAtt Sessions.Arn"),
        "SinkFunction: Properties.Events.Boundaries.Properties.Stream: \
         arn:aws:dynamodb:us-east-1:000000000000:table/sessions is not a stream of this template"
    );
    assert_eq!(
        error_after("{StreamMode: !Ref StreamMode}", "{StreamMode: PROVISIONED}"),
        "ClickStream: Properties.ShardCount: missing"
    );
    assert_eq!(
        error_after("BisectBatchOnFunctionError: true", "BisectBatchOnFunctionError: maybe"),
        "SessionizerFunction: Properties.Events.Clicks.Properties.BisectBatchOnFunctionError: \
         maybe is neither true nor false"
    );
}

#[test]
fn keys_and_their_definitions_must_agree() {
    assert_eq!(
        error_after("- {AttributeName: position, KeyType: HASH}", "- {AttributeName: place, KeyType: HASH}"),
        "RejectedRecords: Properties.KeySchema.0: place is not in AttributeDefinitions"
    );
    assert_eq!(
        error_after("        - {AttributeName: ordinal, KeyType: RANGE}\n", ""),
        "Sessions: Properties.AttributeDefinitions: ordinal is not in the key"
    );
}

#[test]
fn index_is_an_error_because_queries_of_it_would_fail() {
    let key = "        - {AttributeName: ordinal, KeyType: RANGE}\n";
    let index = "      GlobalSecondaryIndexes: [{IndexName: by-time}]\n";
    assert_eq!(
        error_after(key, &format!("{key}{index}")),
        "Sessions: Properties.GlobalSecondaryIndexes: indexes are not supported"
    );
}

#[test]
fn substitutions_name_resources_and_parameters() {
    let environment = |value: &str| {
        let other = OURS.replace("!Ref FirstSession", value);
        let template = Template::parse(&other, &BTreeMap::new())?;
        let sessionizer = template.function("SessionizerFunction")?;
        Ok::<_, TemplateError>(sessionizer.environment["FIRST_SESSION"].clone())
    };
    assert_eq!(environment(r#"!Sub "${AWS::Region}/${Sessions}/${FirstSession}""#).unwrap(), "us-east-1/sessions/emit");
    assert_eq!(
        environment(r#"!Sub "${ClickStream.Arn} ${!literal}""#).unwrap(),
        "arn:aws:kinesis:us-east-1:000000000000:stream/click-stream ${literal}"
    );
    let error = environment(r#"!Sub "${Nothing}""#).unwrap_err().to_string();
    assert!(error.ends_with("cannot resolve !Sub ${Nothing}: nothing is named Nothing"), "{error}");
}

/// The project's template with `condition` as CreateClickStream.
fn with_condition(condition: &str) -> Result<Template, TemplateError> {
    let from = "  CreateClickStream: !Equals [!Ref ClickStreamArn, \"\"]\n";
    assert!(OURS.contains(from));
    Template::parse(&OURS.replace(from, &format!("  CreateClickStream: {condition}\n")), &BTreeMap::new())
}

#[test]
fn a_resource_whose_condition_is_false_is_left_out_and_references_to_it_are_errors() {
    let arn = "arn:aws:kinesis:us-east-1:000000000000:stream/elsewhere";
    let error = Template::of_this_project_with(&map([("ClickStreamArn", arn)])).unwrap_err().to_string();
    let place = "SessionizerFunction: Properties.Events.Clicks.Properties.Stream";
    assert_eq!(error, format!("{place}: {arn} is not a stream of this template"));

    // As above, but the mapping reads session-stream, so that nothing needs click-stream.
    let other = OURS.replace(
        "!Ref ClickStreamArn]\n            StartingPosition",
        "!GetAtt SessionStream.Arn]\n            StartingPosition",
    );
    assert_ne!(other, OURS);
    let template = Template::parse(&other, &map([("ClickStreamArn", arn)])).unwrap();
    let names: Vec<&str> = template.streams().iter().map(|stream| stream.name.as_str()).collect();
    assert_eq!(names, ["session-stream"]);
    assert_eq!(template.function("SessionizerFunction").unwrap().mapping.stream, "session-stream");

    let to_nowhere = OURS.replace(
        "!Ref ClickStreamArn]\n            StartingPosition",
        "!GetAtt ClickStream.Arn]\n            StartingPosition",
    );
    assert_eq!(
        Template::parse(&to_nowhere, &map([("ClickStreamArn", arn)])).unwrap_err().to_string(),
        format!(
            "{place}: cannot resolve !GetAtt ClickStream.Arn: ClickStream is left out because CreateClickStream is false"
        )
    );
}

#[test]
fn conditions_are_combined_as_cloudformation_does() {
    let holds = |condition: &str| match with_condition(condition) {
        Ok(template) => template.streams().len() == 2,
        // Without click-stream, the sessionizer's mapping has no stream to read.
        Err(TemplateError::Property { property, .. }) if property.ends_with("Stream") => false,
        Err(error) => panic!("{condition}: {error}"),
    };
    for (condition, expected) in [
        ("!Equals [10, !Ref SessionGapSeconds]", true),
        ("!Equals [!Ref FirstSession, skip]", false),
        ("!Not [!Equals [a, b]]", true),
        ("!And [!Equals [a, a], !Equals [b, b]]", true),
        ("!And [!Equals [a, a], !Equals [b, c], !Equals [d, d]]", false),
        ("!Or [!Equals [a, b], !Equals [b, b]]", true),
        ("!Or [!Equals [a, b], !Equals [b, c]]", false),
        ("!Condition StreamsProvisioned", false),
        ("!Not [!Condition StreamsProvisioned]", true),
        ("!Equals [!Ref \"AWS::Partition\", aws]", true),
    ] {
        assert_eq!(holds(condition), expected, "{condition}");
    }
}

#[test]
fn an_error_locates_a_condition_that_cannot_be_evaluated() {
    let error = |condition: &str| with_condition(condition).unwrap_err().to_string();
    assert_eq!(error("true"), "Conditions: CreateClickStream: not a condition");
    assert_eq!(error("!Equals [a]"), "Conditions: CreateClickStream: wrong number of operands for !Equals: 1");
    assert_eq!(error("!And [!Equals [a, a]]"), "Conditions: CreateClickStream: wrong number of operands for !And: 1");
    assert_eq!(error("!Not {a: b}"), "Conditions: CreateClickStream: must be a list");
    assert_eq!(
        error("!Not [!Equals [!Ref Gap, 10]]"),
        "Conditions: CreateClickStream.0.0: cannot resolve !Ref Gap: no parameter, stream, table or function has this name"
    );
    assert_eq!(
        error("!Not [!Condition Nothing]"),
        "Conditions: CreateClickStream.0: cannot resolve !Condition Nothing: no condition has this name"
    );
    assert_eq!(
        error("!Contains [[a], a]"),
        "Conditions: CreateClickStream: cannot resolve !Contains (not a plain value): \
         only !Equals, !Not, !And, !Or and !Condition are supported"
    );
    assert_eq!(error("!Not [!Condition CreateClickStream]"), "Conditions: CreateClickStream: depends on itself");
    assert_eq!(
        error_after("    Condition: CreateClickStream\n", "    Condition: CreateStream\n"),
        "ClickStream: Condition: no condition is named CreateStream"
    );
}

#[test]
fn an_unsupported_condition_of_an_ignored_resource_does_no_harm() {
    let other =
        OURS.replace("  SendAlarms: !Not [!Equals [!Ref AlarmEmail, \"\"]]\n", "  SendAlarms: !Contains [[a], a]\n");
    assert_ne!(other, OURS);
    assert!(Template::parse(&other, &BTreeMap::new()).is_ok());
}

#[test]
fn if_takes_the_branch_of_its_condition() {
    let environment = |value: &str| {
        let template = Template::parse(&OURS.replace("!Ref FirstSession", value), &BTreeMap::new())?;
        Ok::<_, TemplateError>(template.function("SessionizerFunction")?.environment.get("FIRST_SESSION").cloned())
    };
    let skip = || Some("skip".to_owned());
    assert_eq!(environment("!If [CreateClickStream, skip, emit]"), Ok(skip()));
    assert_eq!(environment("!If [StreamsProvisioned, emit, skip]"), Ok(skip()));
    assert_eq!(environment("!If [StreamsProvisioned, emit, !If [CreateClickStream, skip, emit]]"), Ok(skip()));
    assert_eq!(environment("!If [StreamsProvisioned, emit, !Ref AWS::NoValue]"), Ok(None));
    assert_eq!(environment("!Ref AWS::NoValue"), Ok(None));

    let place = "SessionizerFunction: Properties.Environment.Variables.FIRST_SESSION: cannot resolve";
    let error = |value: &str| environment(value).unwrap_err().to_string();
    assert_eq!(error("!If [Provisioned, emit, skip]"), format!("{place} !If Provisioned: no condition has this name"));
    assert_eq!(
        error("!If [StreamsProvisioned, emit]"),
        format!("{place} !If StreamsProvisioned: expected a condition and two values")
    );
    assert_eq!(
        error("!Sub [\"${Name}\", {Name: emit}]"),
        format!("{place} !Sub ${{Name}}: only a single string is supported")
    );
}

#[test]
fn a_property_without_a_value_counts_as_missing() {
    assert_eq!(
        error_after("      TableName: session-state\n", "      TableName: !Ref AWS::NoValue\n"),
        "SessionState: Properties.TableName: missing"
    );
    let without = OURS.replace("            BatchSize: 1000\n", "            BatchSize: !Ref AWS::NoValue\n");
    let template = Template::parse(&without, &BTreeMap::new()).unwrap();
    assert_eq!(template.function("SinkFunction").unwrap().mapping.batch_size, 100, "Lambda's default");
}

#[test]
fn an_error_in_the_yaml_has_its_line() {
    let error = Template::parse("Resources:\n  - a\n b: [", &BTreeMap::new()).unwrap_err();
    assert!(matches!(&error, TemplateError::Syntax { reason } if reason.contains("line")), "{error}");
}

#[test]
fn an_error_names_a_missing_function() {
    let error = Template::of_this_project().unwrap().function("Nobody").unwrap_err().to_string();
    assert_eq!(error, "the template has no AWS::Serverless::Function named Nobody");
}
