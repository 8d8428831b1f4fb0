//! Permanent failures of each call: records undone, one error line, other buckets done.

use local_aws::CapturedLogs;
use local_aws::faults::{Call, Fault};

use crate::calls::Kind;
use crate::results::failures;
use crate::world::{World, click, invoke, invoke_at, live, named};

/// Whether a call concerns bucket 0.
fn is_of_bucket_0(kind: Kind, call: &Call) -> bool {
    match kind {
        Kind::ReadLog => {
            let keys = call.body["RequestItems"]["state-log"]["Keys"].as_array().unwrap();
            keys[0]["slot"]["S"].as_str().unwrap().starts_with("0/")
        }
        Kind::Commit => call.body["Item"]["slot"]["S"].as_str().unwrap().starts_with("0/"),
        Kind::ReadRest => call.body.to_string().contains("zero"),
        Kind::Publish => call.body["Records"][0]["PartitionKey"].as_str().unwrap().starts_with("zero"),
        _ => false,
    }
}

#[tokio::test]
async fn denial_in_one_bucket_leaves_its_records_undone_and_no_others() {
    for (denied, operation) in [
        (Kind::ReadLog, "BatchGetItem"),
        (Kind::ReadRest, "BatchGetItem"),
        (Kind::Commit, "PutItem"),
        (Kind::Publish, "PutRecords"),
    ] {
        let world = World::start().await;
        let mut clicks = Vec::new();
        for (first, bucket, name) in [(1, 3, "three"), (51, 0, "zero"), (101, 2, "two")] {
            let users = world.users_in(bucket, name, 50);
            clicks.extend((first..).zip(&users).map(|(number, user)| click(number, user, 100_000)));
        }
        let (sessionizer, calls) = world.faulty(move |kind, _, call| match kind {
            _ if kind == denied && is_of_bucket_0(kind, call) => Fault::AccessDenied,
            _ => Fault::None,
        });
        let logs = CapturedLogs::start();
        let answer = invoke(&sessionizer, "s1", &clicks).await;
        assert_eq!(
            (named(&answer), answer.records.undone, answer.timing.in_time),
            (Some("51"), 50, true),
            "{denied:?}"
        );
        let [(level, fields)] = &failures(&logs)[..] else { panic!("{denied:?}: {}", logs.text()) };
        assert_eq!((level.as_str(), &fields["what"], &fields["count"]), ("ERROR", &operation.into(), &1.into()));
        assert_eq!((&fields["code"], &fields["sequence_numbers"]), (&"AccessDeniedException".into(), &"51".into()));
        for name in ["zero", "two", "three"] {
            assert!(!logs.text().contains(name), "{}", logs.text());
        }
        let told = world.told().await;
        assert_eq!(told.len(), 100, "{denied:?}");
        assert!(told.iter().all(|(id, _)| !id.starts_with("zero")));
        let attempts = calls.of(denied);
        assert!(attempts <= 9, "a missing permission is not retried: {attempts} calls of {denied:?}");

        let answer = invoke(&world.sessionizer(), "s1", &clicks[50..]).await;
        assert_eq!(named(&answer), None);
        world.assert_table_is_of(&clicks).await;
    }
}

#[tokio::test]
async fn denial_of_the_settings_leaves_the_batch_undone_with_one_line() {
    for denied in [Kind::ReadSettings, Kind::MakeSettings] {
        let world = World::start().await;
        let (sessionizer, calls) =
            world.faulty(move |kind, _, _| if kind == denied { Fault::AccessDenied } else { Fault::None });
        let logs = CapturedLogs::start();
        let clicks: Vec<_> = (1..=100).map(|n| click(n, &format!("secret{n}"), 100_000)).collect();
        let answer = invoke(&sessionizer, "s1", &clicks).await;
        assert_eq!((named(&answer), answer.records.undone), (Some("1"), 100));
        let [(level, fields)] = &failures(&logs)[..] else { panic!("{}", logs.text()) };
        assert_eq!((level.as_str(), &fields["count"], calls.of(denied)), ("ERROR", &1.into(), 1));
        assert!(!logs.text().contains("secret"), "{}", logs.text());
        assert_eq!((calls.of(Kind::Commit), calls.of(Kind::Publish)), (0, 0));
    }
}

#[tokio::test]
async fn uncommitted_boundaries_are_not_published() {
    let world = World::start().await;
    let (sessionizer, calls) =
        world.faulty(|kind, _, _| if kind == Kind::Commit { Fault::AccessDenied } else { Fault::None });
    let answer = invoke(&sessionizer, "s1", &[click(1, "a", 100_000)]).await;
    assert_eq!((named(&answer), answer.report.applied, answer.report.commits), (Some("1"), 0, 0));
    assert_eq!((calls.of(Kind::Publish), calls.of(Kind::Commit)), (0, 1));
    // The environment is still good for the redelivery.
    let answer = invoke(&world.sessionizer(), "s1", &[click(1, "a", 100_000)]).await;
    assert_eq!((named(&answer), answer.report.applied), (None, 1));
}

#[tokio::test]
async fn environment_goes_on_once_it_is_permitted_to() {
    let world = World::start().await;
    let (sessionizer, _) = world.faulty(|kind, number, _| match (kind, number) {
        (Kind::Commit | Kind::Publish, 0) => Fault::AccessDenied,
        _ => Fault::None,
    });
    let clicks = [click(1, "a", 100_000), click(2, "a", 120_000)];
    let named_each_time = [invoke(&sessionizer, "s1", &clicks).await, invoke(&sessionizer, "s1", &clicks).await];
    assert!(named_each_time.iter().all(|answer| named(answer) == Some("1")), "first the commit, then the publication");
    let answer = invoke(&sessionizer, "s1", &clicks).await;
    assert_eq!((named(&answer), answer.report.already_applied, answer.report.published), (None, 2, 2));
    world.assert_table_is_of(&clicks).await;
}

#[tokio::test]
async fn denied_writes_of_users_who_leave_stop_their_bucket_before_its_commit() {
    let world = World::with_ring(4).await;
    let sessionizer = world.sessionizer();
    invoke_at(100_500, &sessionizer, "s1", &[live(1, "secret", 100_000)]).await;
    let (denied, calls) =
        world.faulty(|kind, _, _| if kind == Kind::WriteRest { Fault::AccessDenied } else { Fault::None });
    let logs = CapturedLogs::start();
    let mut held = 0;
    for n in 0..4 {
        let ms = 200_000 + 60_000 * n;
        held += u64::from(named(&invoke_at(ms + 500, &denied, "s1", &[live(ms, "busy", ms)]).await).is_some());
    }
    assert_eq!((held > 0, calls.of(Kind::WriteRest) as u64), (true, held), "one attempt for each batch");
    let lines = failures(&logs);
    assert_eq!(lines.len() as u64, held);
    assert!(lines.iter().all(|(level, fields)| level == "ERROR" && fields["what"] == "BatchExecuteStatement"));
    assert!(!logs.text().contains("secret"), "{}", logs.text());
    assert!(world.logged("secret").await.is_some());
}
