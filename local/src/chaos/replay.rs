//! What the recorded commits must have made of the stream: the rule, applied in commit order, each click once.
//!
//! Checks every single commit: its number, its version, which clicks its cursor takes, the states it writes, and its
//! outbox. A commit that forgets a user sets this user back and must change nothing else.

use std::collections::{BTreeMap, HashMap};

use sessionizer_fn::bucket::id::bucket_of;
use sessionizer_fn::state_log_entry::{Cursor, LogKey, LogValue, Origin, Outbox, Position, ShardKey, UserEntry};
use sessionizer_fn::store::log_store::LogCommit;
use shared::boundary::Boundary;
use shared::click::Click;
use shared::columns::declaration::SessionColumns;
use shared::session_window::{SessionWindow, WindowDraft};
use shared::user_id::UserId;

use crate::chaos::commits::RecordedCommit;
use crate::chaos::expected::Expected;
use crate::chaos::forgotten::Outboxes;

/// Largest commit, in bytes. Source: design, section 3 (380 KB).
const MAX_COMMIT_BYTES: usize = 380 * 1_024;

/// The clicks of click-stream by shard, in order.
pub type Shards = BTreeMap<ShardKey, Vec<(Position, Click)>>;

/// What the commits made of the stream.
#[derive(Clone, Debug, Default)]
pub struct Replayed {
    /// The tables. Boundaries have the versions of their commits.
    pub expected: Expected,
    /// Every boundary of every outbox, except for those of users who were forgotten later.
    pub committed: Vec<Boundary>,
    /// Boundaries of users who were forgotten later: they may have been published before.
    pub superseded: Vec<Boundary>,
}

/// Applies the `commits` of all buckets to the clicks of `shards`, for sessions with these `columns`. `before` is what
/// users had before.
///
/// # Errors
/// The first commit that is wrong, and why.
pub fn replay(
    before: BTreeMap<UserId, SessionWindow>,
    mut commits: Vec<RecordedCommit>,
    shards: &Shards,
    buckets: u32,
    columns: &SessionColumns,
) -> Result<Replayed, String> {
    commits.sort_by_key(|it| (it.bucket, it.commit.number));
    let expected = Expected { windows: before, columns: columns.clone(), ..Expected::default() };
    let mut replayed = Replayed { expected, ..Replayed::default() };
    for of_bucket in commits.chunk_by(|one, next| one.bucket == next.bucket) {
        let bucket = of_bucket.first().map_or(0, |it| it.bucket);
        let mut replay = Bucket {
            bucket,
            shards: clicks_of(bucket, shards, buckets),
            outboxes: Outboxes::default(),
            replayed: &mut replayed,
        };
        let mut before: Option<&LogCommit> = None;
        for recorded in of_bucket {
            let commit = &recorded.commit;
            follows(before, recorded)
                .and_then(|()| replay.commit(recorded))
                .map(|()| replay.outboxes.take_in(commit))
                .map_err(|fault| format!("commit {} of bucket {bucket}: {fault}\n  {commit:?}", commit.number))?;
            before = Some(commit);
        }
        if let Some((shard, left)) = replay.shards.iter().find(|(_, clicks)| !clicks.is_empty()) {
            return Err(format!(
                "never applied in bucket {bucket}: {} clicks of {shard}, first {:?}",
                left.len(),
                left[0]
            ));
        }
    }
    Ok(replayed)
}

impl Replayed {
    /// What the user clicks from now on are a new user's sessions.
    fn forget(&mut self, user_id: &UserId) {
        self.expected.windows.insert(user_id.clone(), UserEntry::forgotten(0).window);
        self.expected.sessions.retain(|_, session| session.user_id != *user_id);
        self.superseded.extend(self.committed.extract_if(.., |boundary| boundary.user_id == *user_id));
    }
}

/// A bucket, and its clicks by shard, in order, as far as no commit has taken them.
struct Bucket<'r> {
    bucket: u32,
    shards: HashMap<ShardKey, Vec<(Position, Click)>>,
    outboxes: Outboxes,
    replayed: &'r mut Replayed,
}

fn clicks_of(bucket: u32, shards: &Shards, buckets: u32) -> HashMap<ShardKey, Vec<(Position, Click)>> {
    let is_mine = |(_, click): &&(Position, Click)| bucket_of(&click.user_id, buckets) == bucket;
    shards.iter().map(|(shard, clicks)| (shard.clone(), clicks.iter().filter(is_mine).cloned().collect())).collect()
}

fn follows(before: Option<&LogCommit>, recorded: &RecordedCommit) -> Result<(), String> {
    let commit = &recorded.commit;
    if recorded.bytes > MAX_COMMIT_BYTES {
        return Err(format!("it has {} bytes", recorded.bytes));
    }
    match before {
        Some(before) if commit.number != before.number + 1 => Err(format!("it follows commit {}", before.number)),
        Some(before) if commit.tail < before.tail => Err(format!("its tail is before {}", before.tail)),
        Some(before) if commit.version <= before.version => Err(format!("its version follows {:?}", before.version)),
        _ => Ok(()),
    }
}

impl Bucket<'_> {
    fn commit(&mut self, recorded: &RecordedCommit) -> Result<(), String> {
        let commit = &recorded.commit;
        let Some((outbox, cursor)) = own_outbox(commit)? else {
            let user_id = self.forgotten_by(commit)?;
            self.outboxes.are_rid_of(user_id, commit)?;
            self.replayed.forget(user_id);
            return Ok(());
        };
        let mut drafts = match cursor {
            Some((shard, cursor)) => self.applied(shard, cursor, recorded)?,
            None => BTreeMap::new(),
        };
        for (user_id, window) in written(commit) {
            let is_changed = drafts.contains_key(user_id);
            let draft = drafts.entry(user_id.clone()).or_insert_with(|| self.draft_of(user_id));
            if !is_changed && window.told_closed {
                draft.close();
            }
            if draft.window() != window {
                return Err(format!("{user_id} must be {:?}, not {window:?}", draft.window()));
            }
        }
        for boundary in outbox.boundaries(&recorded.columns) {
            // A user told closed ahead of time leaves at once, without an entry.
            drafts.entry(boundary.user_id.clone()).or_insert_with_key(|user_id| {
                let mut draft = self.draft_of(user_id);
                draft.close();
                draft
            });
        }
        let mut told = Vec::new();
        for (user_id, draft) in drafts {
            told.extend(self.replayed.expected.take(&user_id, draft, commit.version));
        }
        let mut in_outbox: Vec<_> = outbox.boundaries(&recorded.columns).collect();
        in_outbox.sort_by_cached_key(Boundary::session_id);
        told.sort_by_cached_key(Boundary::session_id);
        if in_outbox != told || outbox.version != commit.version {
            return Err(format!("its outbox must be {told:?}"));
        }
        self.replayed.committed.extend(told);
        Ok(())
    }

    /// The user whom the commit forgets. It repeats others at most.
    fn forgotten_by<'c>(&self, commit: &'c LogCommit) -> Result<&'c UserId, String> {
        let current = |user_id: &UserId| self.replayed.expected.windows.get(user_id);
        let mut changed = written(commit).filter(|(user_id, window)| current(user_id) != Some(*window));
        match (changed.next(), changed.next()) {
            (Some((user_id, window)), None) if *window == UserEntry::forgotten(0).window => Ok(user_id),
            (one, other) => {
                Err(format!("it has no outbox of its own, and must forget one user, not {one:?}, {other:?}"))
            }
        }
    }

    fn draft_of(&self, user_id: &UserId) -> WindowDraft {
        WindowDraft::on(self.replayed.expected.windows.get(user_id).cloned().unwrap_or_default())
    }

    /// Applies the clicks up to `cursor`.
    fn applied(
        &mut self,
        shard: &ShardKey,
        cursor: &Cursor,
        recorded: &RecordedCommit,
    ) -> Result<BTreeMap<UserId, WindowDraft>, String> {
        let left = self.shards.remove(shard).ok_or_else(|| format!("there is no shard {shard}"))?;
        let (taken, left): (Vec<_>, Vec<_>) = left.into_iter().partition(|(position, _)| *position <= cursor.position);
        self.shards.insert(shard.clone(), left);
        if taken.last().is_none_or(|(position, _)| *position != cursor.position) {
            return Err(format!(
                "its cursor of {shard} takes {} clicks of bucket {}, the last of which is another one",
                taken.len(),
                self.bucket
            ));
        }
        let mut drafts: BTreeMap<UserId, WindowDraft> = BTreeMap::new();
        for (_, click) in taken {
            let draft = drafts.entry(click.user_id.clone()).or_insert_with_key(|user_id| self.draft_of(user_id));
            draft.apply(&click, recorded.rule);
        }
        Ok(drafts)
    }
}

/// An outbox, and the cursor that its commit has moved.
type OwnOutbox<'c> = (&'c Outbox, Option<(&'c ShardKey, &'c Cursor)>);

/// What the commit itself has to publish; what it repeats has the number of an earlier commit. `None` if it has
/// no outbox, not even an empty one: it forgets a user.
fn own_outbox(commit: &LogCommit) -> Result<Option<OwnOutbox<'_>>, String> {
    let outboxes = commit.entries.iter().filter_map(|(key, value)| match (key, value) {
        (LogKey::Origin(Origin::Shard(shard)), LogValue::Cursor(cursor)) => {
            Some((&cursor.outbox, Some((shard, cursor))))
        }
        (LogKey::Origin(Origin::Sweep), LogValue::Swept(outbox)) => Some((outbox, None)),
        _ => None,
    });
    let mut own = outboxes.filter(|(outbox, _)| outbox.commit == commit.number);
    match (own.next(), own.next()) {
        (own, None) => Ok(own),
        _ => Err("it has two outboxes of its own".to_owned()),
    }
}

/// The users in the commit, changed or repeated.
fn written(commit: &LogCommit) -> impl Iterator<Item = (&UserId, &SessionWindow)> {
    commit.entries.iter().filter_map(|(key, value)| match (key, value) {
        (LogKey::User(user_id), LogValue::User(user)) => Some((user_id, &user.window)),
        _ => None,
    })
}
