//! Tests of [`super`] and of [`crate::bucket::tail`]: commits decided over what a bucket's log holds.

use shared::click::Click;
use shared::columns::declaration::SessionColumns;
use shared::columns::values::ColumnValues;
use shared::event_time::EventTime;
use shared::limits::MAX_ATTRIBUTE_BYTES;
use shared::sequence_number::SequenceNumber;
use shared::session::SessionGap;
use shared::session_cut::SessionCut;

use super::*;
use crate::bucket::bounds::{LONGEST_MEMORY_MS, Packing};
use crate::bucket::forgetting::{Step, next_step};
use crate::state_log_codec;
use crate::state_log_entry::ShardKey;

const BEGIN_MS: u64 = 1_721_390_000_000;
const GAP_MS: u64 = 10_000;
const GRACE_MS: u64 = 5_000;
const FIRST_COMMIT: u64 = 100;

/// A bucket whose commits are all written.
struct Bucket {
    memory: BucketMemory,
    rules: Rules,
    /// The items of users at rest, as the last write left them.
    at_rest: UsersAtRest,
    /// Whether writes of such items fail.
    is_throttled: bool,
    now_ms: u64,
    records: u32,
}

fn rules(slots: u64) -> Rules {
    Rules {
        window: WindowRule { gap: SessionGap::from_ms(GAP_MS), lateness_ms: 3_600_000, cut: SessionCut::None },
        boundaries: Boundaries::All,
        first_session: FirstSession::Emit,
        grace_ms: GRACE_MS,
        stream_retention_ms: 86_400_000,
        ring: Ring::new(slots, FIRST_COMMIT),
        bounds: Bounds::new(slots, 1, 64 << 20),
    }
}

fn origin(shard: &str) -> Origin {
    Origin::Shard(ShardKey::new(shard))
}

fn id(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

fn attributes(text: &str) -> Attributes {
    Attributes { event_name: Some(text.into()), event_type: None, device_type: None }
}

impl Bucket {
    fn with(rules: Rules) -> Self {
        Self {
            memory: BucketMemory::empty(),
            rules,
            at_rest: UsersAtRest::new(),
            is_throttled: false,
            now_ms: BEGIN_MS,
            records: 0,
        }
    }

    fn of_slots(slots: u64) -> Self {
        Self::with(rules(slots))
    }

    /// A click of `user` `second` seconds after the beginning, which arrives at once.
    fn click(&mut self, user: &str, second: u64) -> BatchClick {
        self.records += 1;
        BatchClick {
            index: 0,
            position: Position { sequence_number: SequenceNumber::parse(self.records.to_string()).unwrap(), place: 0 },
            arrival_ms: BEGIN_MS + second * 1_000,
            click: Click {
                user_id: id(user),
                time: EventTime::from_ms(BEGIN_MS + second * 1_000).unwrap(),
                attributes: attributes("search"),
                columns: ColumnValues::default(),
            },
        }
    }

    /// Commits `clicks` of `shard`, with their arrival as the clock, and returns how many fit.
    fn commit(&mut self, shard: &str, clicks: &[BatchClick]) -> (usize, Planned) {
        for click in clicks {
            self.at_rest.entry(click.click.user_id.clone()).or_insert(None);
            self.now_ms = self.now_ms.max(click.arrival_ms);
        }
        let mut plan = Plan::new(&self.memory, &self.rules, origin(shard), self.now_ms, Packing::Tight);
        let taken = plan.apply(clicks, &self.at_rest);
        if let Some(arrival_ms) = plan.arrival_ms() {
            plan.close_inactive(arrival_ms);
        }
        let planned = complete(plan, self.is_throttled, &mut self.at_rest).expect("room in the ring");
        self.memory.take_in(planned.commit.clone()).unwrap();
        self.memory.note_published(origin(shard), planned.commit.number);
        (taken, planned)
    }

    /// Commits one click of `user`.
    fn tick(&mut self, user: &str, second: u64) -> Planned {
        let click = self.click(user, second);
        self.commit("s", &[click]).1
    }
}

fn complete(mut plan: Plan<'_>, is_throttled: bool, at_rest: &mut UsersAtRest) -> Option<Planned> {
    let leaving = plan.empty_oldest().to_vec();
    if !is_throttled {
        at_rest.extend(
            leaving.iter().map(|user| (user.user_id.clone(), Some(UserEntry { has_item: true, ..user.entry.clone() }))),
        );
    }
    plan.commit(&vec![!is_throttled; leaving.len()])
}

fn outbox(planned: &Planned) -> Vec<(String, u64, &'static str)> {
    let outboxes = planned.commit.entries.iter().filter_map(|(_, value)| value.outbox());
    let entries = outboxes.flat_map(|outbox| &outbox.entries);
    entries.map(|it| (it.user_id.to_string(), it.session.ordinal, it.session.status.word())).collect()
}

fn keys(planned: &Planned) -> Vec<String> {
    let mut keys: Vec<_> = planned
        .commit
        .entries
        .iter()
        .map(|(key, _)| match key {
            LogKey::User(user_id) => user_id.to_string(),
            LogKey::Origin(Origin::Shard(shard)) => format!("shard {shard}"),
            LogKey::Origin(Origin::Sweep) => "sweep".to_owned(),
        })
        .collect();
    keys.sort();
    keys
}

#[test]
fn commit_holds_the_users_it_changes_and_the_cursor_with_the_outbox() {
    let mut bucket = Bucket::of_slots(512);
    let clicks = [bucket.click("a", 0), bucket.click("b", 1), bucket.click("a", 2)];
    let (taken, planned) = bucket.commit("s", &clicks);
    assert_eq!(taken, 3);
    assert_eq!(keys(&planned), ["a", "b", "shard s"]);
    assert_eq!(outbox(&planned), [("a".to_owned(), 0, "open"), ("b".to_owned(), 0, "open")]);
    assert_eq!((planned.commit.number, planned.commit.tail), (FIRST_COMMIT, FIRST_COMMIT));
    let cursor = bucket.memory.cursor(&ShardKey::new("s")).unwrap();
    assert_eq!(cursor.position.sequence_number.as_str(), "3");
    assert_eq!(cursor.outbox.version, planned.commit.version);
    let Report { started, applied, commits, closed, .. } = planned.report;
    assert_eq!((started, applied, commits, closed), (2, 3, 1, 0));
}

#[test]
fn versions_grow_by_one_when_the_clock_does_not() {
    let mut bucket = Bucket::of_slots(512);
    let first = bucket.tick("a", 10).commit.version;
    assert_eq!(first, Version::new(BEGIN_MS + 10_000));
    let second = bucket.tick("a", 10).commit.version;
    assert_eq!(second, Version::new(first.number() + 1));
}

#[test]
fn users_are_told_closed_after_gap_and_grace_and_reopened_by_a_click_that_goes_on() {
    let mut bucket = Bucket::of_slots(512);
    bucket.tick("a", 0);
    assert_eq!(outbox(&bucket.tick("b", 14)), [("b".to_owned(), 0, "open")]);
    let closing = bucket.tick("b", 15);
    assert_eq!(outbox(&closing), [("a".to_owned(), 0, "closed")]);
    assert_eq!(closing.report.closed_by_inactivity, 1);
    assert!(outbox(&bucket.tick("b", 16)).is_empty(), "nobody is told closed twice");

    let mut late = bucket.click("a", 9);
    late.arrival_ms = BEGIN_MS + 17_000;
    let reopening = bucket.commit("s", &[late]).1;
    assert_eq!(outbox(&reopening), [("a".to_owned(), 0, "open")]);
    assert_eq!(reopening.report.reopened, 1);
    let told: Vec<_> = outbox(&bucket.tick("c", 40)).into_iter().filter(|it| it.0 == "a").collect();
    assert_eq!(told, [("a".to_owned(), 0, "closed")]);
}

#[test]
fn late_click_is_no_arrival() {
    let mut bucket = Bucket::of_slots(512);
    bucket.tick("a", 4_000);
    let mut late = bucket.click("a", 1);
    late.arrival_ms = BEGIN_MS + 4_014_000;
    let planned = bucket.commit("s", &[late]).1;
    assert_eq!((planned.report.late, planned.report.applied), (1, 0));
    assert_eq!(bucket.memory.user(&id("a")).unwrap().arrival_ms, BEGIN_MS + 4_000_000);
}

#[test]
fn first_sessions_are_left_out_if_they_are_to_be_skipped() {
    let mut bucket = Bucket::with(Rules { first_session: FirstSession::Skip, ..rules(512) });
    assert!(outbox(&bucket.tick("a", 0)).is_empty());
    assert_eq!(outbox(&bucket.tick("a", 20)), [("a".to_owned(), 1, "open")]);
}

#[test]
fn ends_and_retractions_alone_are_published_if_starts_are_not_wanted() {
    let mut bucket = Bucket::with(Rules { boundaries: Boundaries::Closed, ..rules(512) });
    let told = |planned: Planned| -> Vec<_> { outbox(&planned).into_iter().map(|it| (it.1, it.2)).collect() };
    assert_eq!(told(bucket.tick("a", 0)), []);
    assert_eq!(told(bucket.tick("a", 11)), [(0, "closed")]);
    assert_eq!(told(bucket.tick("a", 22)), [(1, "closed")]);
    // A late click makes the first two sessions one. The last one, open, becomes number 1 and replaces what was closed.
    assert_eq!(told(bucket.tick("a", 5)), [(0, "closed"), (2, "retracted")]);
    assert_eq!(told(bucket.tick("a", 33)), [(1, "closed")]);
    assert_eq!(told(bucket.tick("a", 44)), [(2, "closed")]);
}

#[test]
fn session_that_reopens_is_published_again_only_when_it_closes_again() {
    let mut bucket = Bucket::with(Rules { boundaries: Boundaries::Closed, ..rules(512) });
    bucket.tick("a", 0);
    assert_eq!(outbox(&bucket.tick("b", 15)), [("a".to_owned(), 0, "closed")]);
    let mut goes_on = bucket.click("a", 9);
    goes_on.arrival_ms = BEGIN_MS + 16_000;
    let (_, reopening) = bucket.commit("s", &[goes_on]);
    assert_eq!((outbox(&reopening), reopening.report.reopened), (vec![], 1));
    let closing = bucket.tick("c", 31);
    let ended: Vec<_> = outbox(&closing).into_iter().filter(|it| it.0 == "a").collect();
    assert_eq!(ended, [("a".to_owned(), 0, "closed")]);
}

#[test]
fn apply_stops_at_a_user_whose_state_is_not_known() {
    let mut bucket = Bucket::of_slots(512);
    bucket.tick("known", 0);
    let clicks = [bucket.click("known", 1), bucket.click("read", 2), bucket.click("unread", 3)];
    let at_rest = UsersAtRest::from([(id("read"), None)]);
    let mut plan = Plan::new(&bucket.memory, &bucket.rules, origin("s"), bucket.now_ms, Packing::Tight);
    assert_eq!(plan.apply(&clicks, &at_rest), 2);
}

#[test]
fn oldest_entries_are_repeated_once_half_of_the_ring_is_full() {
    let mut bucket = Bucket::of_slots(8);
    bucket.tick("a", 0);
    for second in 1..=3 {
        assert_eq!(keys(&bucket.tick("b", second)), ["b", "shard s"]);
    }
    let repeating = bucket.tick("b", 4);
    assert_eq!(keys(&repeating), ["a", "b", "shard s"]);
    assert_eq!((repeating.report.carried, repeating.commit.tail), (1, FIRST_COMMIT + 4));
    assert!(bucket.memory.user(&id("a")).is_some());
}

#[test]
fn commits_without_live_entries_leave_the_log_for_free() {
    let mut bucket = Bucket::of_slots(512);
    bucket.tick("a", 0);
    bucket.tick("a", 1);
    let third = bucket.tick("a", 2);
    assert_eq!((third.commit.tail, third.report.carried), (FIRST_COMMIT + 2, 0));
}

#[test]
fn entries_of_an_hour_ago_are_repeated_however_empty_the_ring_is() {
    let mut bucket = Bucket::of_slots(512);
    bucket.tick("a", 0);
    bucket.now_ms = BEGIN_MS + LONGEST_MEMORY_MS - 1;
    bucket.rules.grace_ms = 1_000_000_000;
    assert_eq!(keys(&bucket.tick("b", 1)), ["b", "shard s"]);
    bucket.now_ms += 1;
    assert_eq!(keys(&bucket.tick("b", 2)), ["a", "b", "shard s"]);
}

#[test]
fn user_told_closed_leaves_as_an_item_when_the_tail_comes() {
    let mut bucket = Bucket::of_slots(8);
    bucket.tick("a", 0);
    bucket.tick("b", 20);
    assert!(bucket.memory.user(&id("a")).unwrap().window.told_closed);
    let leaving = (21..30).map(|second| bucket.tick("b", second)).find(|it| it.report.users_at_rest > 0).unwrap();
    assert_eq!(keys(&leaving), ["b", "shard s"]);
    assert!(bucket.memory.user(&id("a")).is_none());
    let item = bucket.at_rest[&id("a")].as_ref().unwrap();
    assert!(item.window.told_closed);
    // A click brings the user back: the same session goes on.
    assert_eq!(outbox(&bucket.tick("a", 9)), [("a".to_owned(), 0, "open")]);
}

/// Takes in the commit that forgets `user`.
fn forget(bucket: &mut Bucket, user: &str) {
    match next_step(&bucket.memory, bucket.rules.ring, &id(user), true, bucket.now_ms) {
        Step::Commit(commit) => bucket.memory.take_in(commit).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn user_who_was_forgotten_starts_again_whatever_an_item_says() {
    let mut bucket = Bucket::of_slots(8);
    bucket.tick("a", 0);
    bucket.tick("a", 20);
    bucket.at_rest.insert(id("a"), bucket.memory.user(&id("a")).cloned());
    forget(&mut bucket, "a");
    assert!(bucket.memory.inactive_since(u64::MAX).all(|(user_id, _)| *user_id != id("a")));
    let first = bucket.tick("a", 5);
    assert_eq!(outbox(&first), [("a".to_owned(), 0, "open")]);
    assert_eq!((first.report.started, first.report.late, first.report.closed, first.report.reopened), (1, 0, 0, 0));
    let window = &bucket.memory.user(&id("a")).unwrap().window;
    assert_eq!((window.first_ordinal, window.sessions.len(), window.told_closed), (0, 1, false));
}

#[test]
fn user_who_was_forgotten_stays_in_the_log_for_an_hour_and_leaves_without_an_item() {
    let mut bucket = Bucket::of_slots(8);
    bucket.tick("a", 0);
    bucket.tick("b", 1);
    forget(&mut bucket, "a");
    for second in 2..60 {
        assert_eq!(bucket.tick("b", second).report.users_at_rest, 0);
    }
    assert!(bucket.memory.user(&id("a")).unwrap().is_forgotten());
    let an_hour_later = 1 + LONGEST_MEMORY_MS / 1_000;
    for second in an_hour_later..an_hour_later + 2 {
        assert_eq!(bucket.tick("b", second).report.users_at_rest, 0);
    }
    assert_eq!(bucket.memory.user(&id("a")), None);
    assert!(bucket.at_rest[&id("a")].is_none(), "no item was written");
}

#[test]
fn user_whose_item_could_not_be_written_is_repeated() {
    let mut bucket = Bucket::of_slots(8);
    bucket.is_throttled = true;
    bucket.tick("a", 0);
    bucket.tick("b", 20);
    for second in 21..60 {
        bucket.tick("b", second);
    }
    assert!(bucket.memory.user(&id("a")).unwrap().window.told_closed);
}

#[test]
fn commit_waits_when_neither_items_nor_repetitions_make_room() {
    let mut bucket = Bucket::of_slots(4);
    bucket.rules.bounds.repeated_bytes = 0;
    bucket.is_throttled = true;
    bucket.tick("a", 0);
    bucket.tick("b", 20);
    bucket.tick("b", 21);
    bucket.tick("b", 22);
    bucket.tick("b", 23);
    let click = bucket.click("b", 24);
    let plan = |bucket: &mut Bucket, is_throttled| {
        let mut plan = Plan::new(&bucket.memory, &bucket.rules, origin("s"), bucket.now_ms, Packing::Tight);
        plan.apply(std::slice::from_ref(&click), &bucket.at_rest);
        complete(plan, is_throttled, &mut bucket.at_rest.clone())
    };
    assert!(plan(&mut bucket, true).is_none());
    assert!(plan(&mut bucket, false).is_some(), "the end of the throttle makes room");
}

#[test]
fn users_beyond_the_bounds_are_told_closed_ahead_of_time_and_leave_at_once() {
    let mut bucket = Bucket::of_slots(512);
    bucket.tick("a", 0);
    bucket.tick("b", 1);
    bucket.rules.bounds.live_bytes = bucket.memory.log().encoded_bytes() - 1;
    let early = bucket.tick("c", 2);
    assert_eq!(early.report.closed_early, 1);
    assert_eq!(outbox(&early), [("c".to_owned(), 0, "open"), ("a".to_owned(), 0, "closed")]);
    assert!(bucket.memory.user(&id("a")).is_none());
    assert!(bucket.at_rest[&id("a")].as_ref().unwrap().window.told_closed);
    bucket.rules.bounds.live_bytes = usize::MAX;
    assert_eq!(outbox(&bucket.tick("a", 3)), [("a".to_owned(), 0, "open")]);
}

#[test]
fn memory_is_a_bound_too() {
    let mut bucket = Bucket::of_slots(512);
    bucket.tick("a", 0);
    bucket.rules.bounds.memory_bytes = 1;
    assert_eq!(bucket.tick("b", 1).report.closed_early, 1);
}

/// A backlog of users under way, each of whom clicks once, fills one commit after the other. `sessions` are those that
/// a user had before, so that entries are large and outboxes small.
fn backlog(slots: u64, sessions: u64) {
    let mut bucket = Bucket::of_slots(slots);
    let text = "x".repeat(MAX_ATTRIBUTE_BYTES);
    let wide =
        || Attributes { event_name: Some((&*text).into()), event_type: Some((&*text).into()), device_type: None };
    for commit in 0..6 * slots {
        let mut clicks = Vec::new();
        for user in 0..400 {
            let user = format!("{commit}/{user}");
            let mut draft = WindowDraft::on(SessionWindow::default());
            let mut click = bucket.click(&user, 1_000);
            click.click.attributes = wide();
            for session in 0..sessions {
                let time = EventTime::from_ms(BEGIN_MS + 900_000 + session * 20_000 + 9_000).unwrap();
                draft.apply(&Click { time, ..click.click.clone() }, bucket.rules.window);
            }
            if sessions > 0 {
                let entry = UserEntry { window: draft.into_window(), arrival_ms: BEGIN_MS, has_item: true };
                bucket.at_rest.insert(id(&user), Some(entry));
            }
            clicks.push(click);
        }
        let (taken, _) = bucket.commit("s", &clicks);
        assert!((1..400).contains(&taken), "commit {commit} takes {taken} clicks");
        let live = bucket.memory.log().encoded_bytes();
        let most = bucket.rules.bounds.live_bytes + bucket.rules.bounds.room(Packing::Tight, false).all;
        assert!(live <= most, "{slots} slots, commit {commit}: {live} bytes of at most {most} are live");
    }
}

#[test]
fn backlog_of_more_users_than_a_ring_can_hold_finds_room_for_every_commit() {
    for slots in [4, 5, 6, 7, 8, 13, 32] {
        for sessions in [0, 6] {
            backlog(slots, sessions);
        }
    }
}

#[test]
fn user_who_cannot_leave_ahead_of_time_stays_as_before() {
    let mut bucket = Bucket::of_slots(512);
    bucket.tick("a", 0);
    bucket.rules.bounds.live_bytes = 1;
    bucket.is_throttled = true;
    let planned = bucket.tick("b", 1);
    assert_eq!((outbox(&planned), planned.report.closed_early), (vec![("b".to_owned(), 0, "open")], 0));
    assert!(!bucket.memory.user(&id("a")).unwrap().window.told_closed);
}

#[test]
fn other_shards_cursors_are_repeated_until_the_streams_retention_is_over() {
    let mut bucket = Bucket::of_slots(4);
    let click = bucket.click("a", 0);
    bucket.commit("t", &[click]);
    for second in 1..20 {
        bucket.tick("b", second);
    }
    assert!(bucket.memory.cursor(&ShardKey::new("t")).is_some());
    let later = bucket.rules.stream_retention_ms / 1_000;
    for second in 20..24 {
        bucket.tick("b", later + second);
    }
    assert!(bucket.memory.cursor(&ShardKey::new("t")).is_none());
}

#[test]
fn sweep_whose_clock_is_a_year_ahead_lets_no_cursor_go() {
    let mut bucket = Bucket::of_slots(4);
    let click = bucket.click("a", 0);
    bucket.commit("t", &[click]);
    bucket.tick("b", 1);
    let clock_ms = BEGIN_MS + 365 * 86_400_000;
    let mut plan = Plan::new(&bucket.memory, &bucket.rules, Origin::Sweep, clock_ms, Packing::Tight);
    plan.close_inactive(clock_ms);
    let planned = complete(plan, false, &mut bucket.at_rest).unwrap();
    assert_eq!(planned.report.closed_by_inactivity, 2);
    bucket.memory.take_in(planned.commit).unwrap();
    for second in 2..20 {
        bucket.tick("b", second);
        assert!(bucket.memory.cursor(&ShardKey::new("t")).is_some());
    }
}

#[test]
fn repeated_cursor_keeps_its_outbox_only_while_it_may_be_unpublished() {
    for is_published in [false, true] {
        let mut bucket = Bucket::of_slots(4);
        let click = bucket.click("a", 0);
        bucket.commit("t", &[click]);
        if !is_published {
            bucket.memory.note_published(origin("t"), 0);
        }
        for second in 1..20 {
            bucket.tick("b", second);
        }
        let cursor = bucket.memory.cursor(&ShardKey::new("t")).unwrap();
        assert_eq!(cursor.outbox.commit, FIRST_COMMIT);
        assert_eq!(cursor.outbox.entries.len(), usize::from(!is_published));
    }
}

#[test]
fn batchs_commit_empties_the_sweeps_outbox() {
    let mut bucket = Bucket::of_slots(512);
    bucket.tick("a", 0);
    let mut plan = Plan::new(&bucket.memory, &bucket.rules, Origin::Sweep, BEGIN_MS + 60_000, Packing::Tight);
    plan.close_inactive(BEGIN_MS + 60_000);
    let swept = complete(plan, false, &mut bucket.at_rest).unwrap();
    assert_eq!(keys(&swept), ["a", "sweep"]);
    assert_eq!(outbox(&swept), [("a".to_owned(), 0, "closed")]);
    bucket.memory.take_in(swept.commit).unwrap();
    assert_eq!(keys(&bucket.tick("b", 61)), ["b", "shard s", "sweep"]);
    assert!(bucket.memory.outbox(&Origin::Sweep).unwrap().entries.is_empty());
    assert_eq!(keys(&bucket.tick("b", 62)), ["b", "shard s"]);
}

/// Clicks that make each of `users` users have `sessions` sessions of full attributes.
fn hostile(bucket: &mut Bucket, users: usize, sessions: u64) -> Vec<BatchClick> {
    let text = "x".repeat(MAX_ATTRIBUTE_BYTES);
    let mut clicks = Vec::new();
    for session in 0..sessions {
        for user in 0..users {
            let mut click = bucket.click(&format!("user{user}"), session * 20);
            let full = Some(text.as_str().into());
            click.click.attributes =
                Attributes { event_name: full.clone(), event_type: full.clone(), device_type: full };
            click.arrival_ms = BEGIN_MS;
            clicks.push(click);
        }
    }
    clicks
}

#[test]
fn commit_stays_below_an_item_whatever_the_clicks() {
    let mut bucket = Bucket::of_slots(6);
    let clicks = hostile(&mut bucket, 300, 6);
    let (mut rest, mut commits) = (&clicks[..], 0);
    while !rest.is_empty() {
        let (taken, planned) = bucket.commit("s", rest);
        assert!(taken > 0, "a commit makes progress");
        let bytes = state_log_codec::encode_entries(
            &planned.commit.entries,
            planned.commit.made_ms,
            &SessionColumns::default(),
        )
        .unwrap()
        .len();
        assert!(bytes <= 380 * 1_024, "{bytes} bytes");
        rest = &rest[taken..];
        commits += 1;
    }
    assert!(commits > 5, "{commits} commits");
    let states: Vec<_> = (0..300).map(|user| id(&format!("user{user}"))).collect();
    let entries = states.iter().map(|user| bucket.memory.user(user).or(bucket.at_rest[user].as_ref()).unwrap());
    assert!(entries.map(|entry| entry.window.last_ordinal()).all(|last| last == Some(5)), "every session is there");
}

#[test]
fn many_small_clicks_share_a_commit_because_bounds_are_replaced_by_what_they_take() {
    let mut bucket = Bucket::of_slots(512);
    let clicks: Vec<_> =
        (0..8_000).map(|number| bucket.click(&format!("user{}", number % 50), number / 1_000)).collect();
    let (taken, _) = bucket.commit("s", &clicks);
    assert_eq!(taken, 8_000);
}

#[test]
fn closed_sessions_have_their_summary_in_the_outbox() {
    let mut bucket = Bucket::of_slots(512);
    let clicks = [bucket.click("a", 0), bucket.click("a", 3), bucket.click("a", 20)];
    let (_, planned) = bucket.commit("s", &clicks);
    let outbox = planned.commit.entries.iter().find_map(|(_, value)| value.outbox()).unwrap();
    let end = EventTime::from_ms(BEGIN_MS + 3_000).unwrap();
    assert_eq!(outbox.entries[0].session.status, Status::Closed { end, event_count: 2 });
    assert_eq!((planned.report.started, planned.report.closed), (2, 1));
}
