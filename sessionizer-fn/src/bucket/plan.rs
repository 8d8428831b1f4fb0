//! The next commit of a bucket: what it changes, what it repeats and what it has to publish.
//!
//! Pure: decides over a [`BucketMemory`] and states that were already read, and returns what to write. First clicks are
//! applied, then inactive users are told closed, then the oldest commits are emptied ([`tail`]). Some users leave the
//! log with it; their items are written before the commit, and [`Plan::commit`] takes what became of that.

use std::collections::{HashMap, HashSet};
use std::ops::Add;

use shared::attributes::Attributes;
use shared::boundary::Version;
use shared::click::Click;
use shared::columns::values::ColumnValues;
use shared::session::{Session, Status, TouchedSession};
use shared::session_window::{Placement, SessionWindow, WindowDraft, WindowRule};
use shared::user_id::UserId;

use crate::batch::BatchClick;
use crate::bucket::bounds::{Bounds, Packing, Room};
use crate::bucket::memory::BucketMemory;
use crate::bucket::tail::{self, Tail};
use crate::config::{Boundaries, FirstSession};
use crate::report::Report;
use crate::ring_log::commit::Weight;
use crate::ring_log::ring::Ring;
use crate::state_log_entry::{Cursor, LogKey, LogValue, Origin, Outbox, OutboxEntry, Position, UserEntry};
use crate::state_log_weight::{boundary_bytes, columns_bytes_at_most, user_entry_bytes};
use crate::store::log_store::LogCommit;
use crate::store::rest_store::RestingUser;

/// Bytes of an outbox entry or a session in a commit besides the user's id, the attributes and the columns,
/// at most.
const SESSION_BYTES: usize = 48;

/// The settings that decide about commits.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Which session a click belongs to.
    pub window: WindowRule,
    /// Which boundaries are published.
    pub boundaries: Boundaries,
    /// Whether a user's first session is published.
    pub first_session: FirstSession,
    /// How long after the gap a user's inactivity is reported, in milliseconds.
    pub grace_ms: u64,
    /// How long cursors are kept, in milliseconds.
    pub stream_retention_ms: u64,
    /// The ring of every bucket.
    pub ring: Ring,
    /// What commits and memory may take.
    pub bounds: Bounds,
}

impl Rules {
    /// Whether what a commit has to tell of a session is published. A retraction is, even of a session that was never
    /// told closed: the state does not say which sessions the table holds.
    fn publishes(&self, session: &TouchedSession) -> bool {
        (session.ordinal > 0 || self.first_session == FirstSession::Emit)
            && (session.status != Status::Open || self.boundaries == Boundaries::All)
    }

    /// When a user must have clicked last to be told inactive at `clock_ms`; `None` if that is before 1970.
    fn inactive_since(&self, clock_ms: u64) -> Option<u64> {
        clock_ms.checked_sub(self.window.gap.ms().saturating_add(self.grace_ms))
    }
}

/// The states of users who are not in the log, as read from session-state: `None` for a new user.
pub type UsersAtRest = HashMap<UserId, Option<UserEntry>>;

/// The next commit in the making.
#[derive(Debug)]
pub struct Plan<'m> {
    memory: &'m BucketMemory,
    rules: &'m Rules,
    origin: Origin,
    now_ms: u64,
    number: u64,
    version: Version,
    users: Vec<ChangedUser>,
    places: HashMap<UserId, usize>,
    /// What changes, at most.
    changed: Size,
    room: Room,
    cursor: Option<(Position, u64)>,
    tail: Tail,
    report: Report,
}

/// Bytes of what changes, before compression.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Size {
    entries: usize,
    boundaries: usize,
}

impl Add for Size {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { entries: self.entries + other.entries, boundaries: self.boundaries + other.boundaries }
    }
}

impl Size {
    fn all(self) -> usize {
        self.entries + self.boundaries
    }

    fn fits(self, room: Room) -> bool {
        self.all() <= room.all && self.boundaries <= room.boundaries
    }
}

/// A user whom the commit changes.
#[derive(Debug)]
struct ChangedUser {
    user_id: UserId,
    draft: WindowDraft,
    arrival_ms: u64,
    has_item: bool,
    /// What is counted for this user, if anything is yet. An exact size is no bound for what a further click may
    /// renumber.
    size: Option<Size>,
    is_exact: bool,
}

/// A commit to write, and what it makes of the counts.
#[derive(Debug)]
pub struct Planned {
    /// The commit.
    pub commit: LogCommit,
    /// The counts, once it is stored.
    pub report: Report,
}

impl<'m> Plan<'m> {
    /// A commit by `origin` that changes nothing yet.
    #[must_use]
    pub fn new(memory: &'m BucketMemory, rules: &'m Rules, origin: Origin, now_ms: u64, packing: Packing) -> Self {
        let is_too_much_live = rules.bounds.are_exceeded(memory.log().encoded_bytes(), memory.memory_bytes());
        Self {
            memory,
            rules,
            origin,
            now_ms,
            number: memory.next_commit(rules.ring),
            version: memory.log().version().next(now_ms),
            users: Vec::new(),
            places: HashMap::new(),
            changed: Size::default(),
            room: rules.bounds.room(packing, is_too_much_live),
            cursor: None,
            tail: Tail::default(),
            report: Report::default(),
        }
    }

    /// Applies `clicks`, in order, as long as the commit has room and each user's state is known: in the log or among
    /// `at_rest`. Returns how many, at least one if the first user's state is known.
    pub fn apply(&mut self, clicks: &[BatchClick], at_rest: &UsersAtRest) -> usize {
        let mut taken = 0;
        for click in clicks {
            let Some(place) = self.place_of(&click.click.user_id, at_rest) else { break };
            let bound = self.bound_of(place, &click.click);
            if !self.has_room_for(bound) {
                if self.users[place].size.is_none() {
                    self.drop_last_user();
                }
                break;
            }
            self.count(place, bound);
            self.apply_click(place, click);
            self.cursor = Some((click.position.clone(), click.arrival_ms));
            taken += 1;
        }
        taken
    }

    /// Tells users closed who are inactive at `clock_ms`, as far as the commit has room.
    pub fn close_inactive(&mut self, clock_ms: u64) {
        let Some(since_ms) = self.rules.inactive_since(clock_ms) else { return };
        for (user_id, entry) in self.memory.inactive_since(since_ms) {
            if self.places.contains_key(user_id) {
                continue;
            }
            let last = entry.window.last().map(|last| session_bytes(user_id, &last.attributes, &last.columns));
            let bound = Size { entries: window_bytes(user_id, &entry.window), boundaries: last.unwrap_or_default() };
            if !self.has_room_for(bound) {
                break;
            }
            let place = self.add_user(user_id.clone(), entry.clone());
            self.count(place, bound);
            self.users[place].draft.close();
            self.report.closed_by_inactivity += 1;
        }
    }

    /// Whether it changes any user or moves the cursor.
    #[must_use]
    pub fn changes_something(&self) -> bool {
        self.cursor.is_some() || !self.users.is_empty()
    }

    /// The arrival of the last record applied, in Unix milliseconds.
    #[must_use]
    pub fn arrival_ms(&self) -> Option<u64> {
        self.cursor.as_ref().map(|(_, arrival_ms)| *arrival_ms)
    }

    /// Decides what becomes of the oldest entries, and returns the users who leave the log. Call it once, after all
    /// changes.
    pub fn empty_oldest(&mut self) -> &[RestingUser] {
        let mut changed: HashSet<LogKey> = self.users.iter().map(|user| LogKey::User(user.user_id.clone())).collect();
        changed.extend([LogKey::Origin(self.origin.clone())]);
        if self.empties_swept_outbox() {
            changed.insert(LogKey::Origin(Origin::Sweep));
        }
        let room = self.room_for_early_ends();
        self.tail =
            tail::empty_oldest(self.memory, self.rules, self.number, self.now_ms, self.arrival_ms(), &changed, room);
        self.tail.leaving()
    }

    /// The commit, if `has_left` says for each of the users who leave the log whether their items were written. Those
    /// whose items were not are repeated as far as there is room. `None` if the commit would overwrite what still counts.
    #[must_use]
    pub fn commit(self, has_left: &[bool]) -> Option<Planned> {
        let empties_swept_outbox = self.empties_swept_outbox();
        let Self { memory, rules, origin, now_ms, number, version, users, cursor, tail, mut report, .. } = self;
        let (mut entries, mut outbox) = (Vec::new(), Vec::new());
        let mut tell = |user_id: &UserId, draft: &WindowDraft| {
            let touched = draft.touched().into_iter().filter(|session| rules.publishes(session));
            outbox.extend(touched.map(|session| OutboxEntry { user_id: user_id.clone(), session }));
        };
        for ChangedUser { user_id, draft, arrival_ms, has_item, .. } in users {
            tell(&user_id, &draft);
            let entry = UserEntry { window: draft.into_window(), arrival_ms, has_item };
            entries.push((LogKey::User(user_id), LogValue::User(entry)));
        }
        let settled = tail.settle(memory, rules, has_left, |user_id, draft| tell(user_id, draft));
        report.carried += settled.repeated.len() as u64;
        report.users_at_rest += settled.left;
        report.closed_early += settled.closed_early;
        entries.extend(settled.repeated);
        if empties_swept_outbox && let Some(swept) = memory.outbox(&Origin::Sweep) {
            entries.push((
                LogKey::Origin(Origin::Sweep),
                LogValue::Swept(Outbox { entries: Vec::new(), ..swept.clone() }),
            ));
        }
        let outbox = Outbox { commit: number, version, entries: outbox };
        let value = match (&origin, cursor) {
            (Origin::Shard(_), Some((position, arrival_ms))) => {
                LogValue::Cursor(Cursor { position, arrival_ms, made_ms: now_ms, outbox })
            }
            _ => LogValue::Swept(outbox),
        };
        entries.push((LogKey::Origin(origin), value));
        let written = entries.iter().map(|(key, _)| key).chain(&settled.let_go);
        let tail = memory.log().tail_after(number, written);
        report.commits += 1;
        let commit = LogCommit { number, tail, version, made_ms: now_ms, entries };
        rules.ring.has_room(number, tail).then_some(Planned { commit, report })
    }

    /// A batch's commit empties the sweep's outbox, which was published before: once the tombstones in the sessions
    /// table have expired, an old boundary would bring a session back.
    fn empties_swept_outbox(&self) -> bool {
        let swept = self.memory.outbox(&Origin::Sweep);
        self.origin != Origin::Sweep && swept.is_some_and(|swept| !swept.entries.is_empty())
    }

    fn place_of(&mut self, user_id: &UserId, at_rest: &UsersAtRest) -> Option<usize> {
        if let Some(place) = self.places.get(user_id) {
            return Some(*place);
        }
        let entry = match self.memory.user(user_id) {
            Some(entry) => entry.clone(),
            None => at_rest.get(user_id)?.clone().unwrap_or_else(UserEntry::of_new_user),
        };
        Some(self.add_user(user_id.clone(), entry))
    }

    fn add_user(&mut self, user_id: UserId, entry: UserEntry) -> usize {
        let UserEntry { window, arrival_ms, has_item } = entry;
        self.places.insert(user_id.clone(), self.users.len());
        let draft = WindowDraft::on(window);
        self.users.push(ChangedUser { user_id, draft, arrival_ms, has_item, size: None, is_exact: false });
        self.users.len() - 1
    }

    fn drop_last_user(&mut self) {
        if let Some(user) = self.users.pop() {
            self.places.remove(&user.user_id);
        }
    }

    /// What `click` may add to the commit, in bytes: a session and its boundary; and where the user's sessions are not
    /// counted yet, all of them and their boundaries, since a late click may renumber them.
    fn bound_of(&self, place: usize, click: &Click) -> Size {
        let ChangedUser { user_id, draft, size, is_exact, .. } = &self.users[place];
        let of_click = session_bytes(user_id, &click.attributes, &click.columns);
        let of_click = Size { entries: of_click, boundaries: of_click };
        if size.is_some() && !is_exact {
            return of_click;
        }
        let bytes = |session: &Session| session_bytes(user_id, &session.attributes, &session.columns);
        let boundaries = draft.window().sessions.iter().map(bytes).sum();
        of_click + Size { entries: window_bytes(user_id, draft.window()), boundaries }
    }

    fn count(&mut self, place: usize, size: Size) {
        self.changed = self.changed + size;
        let user = &mut self.users[place];
        user.size = Some(user.size.unwrap_or_default() + size);
        user.is_exact = false;
    }

    /// Whether `size` more fits. The first change always does.
    fn has_room_for(&mut self, size: Size) -> bool {
        if self.changed == Size::default() || (self.changed + size).fits(self.room) {
            return true;
        }
        self.count_exactly();
        // Counting again pays only if it has made room for many more.
        let Room { all, boundaries } = self.room;
        (self.changed + size).fits(Room { all: all / 8 * 7, boundaries: boundaries / 8 * 7 })
    }

    /// How many bytes the boundaries of users who are told closed ahead of time may take.
    fn room_for_early_ends(&self) -> usize {
        let sure = self.rules.bounds.changed_bytes;
        let all = self.room.all.max(sure);
        all.saturating_sub(self.changed.all()).min(sure.saturating_sub(self.changed.boundaries))
    }

    /// Replaces bounds by what the users take by now.
    fn count_exactly(&mut self) {
        self.changed = Size::default();
        let rules = self.rules;
        for user in &mut self.users {
            let Some(size) = &mut user.size else { continue };
            if !user.is_exact {
                let touched = user.draft.touched();
                let version = self.version.number();
                let published = touched.iter().filter(|session| rules.publishes(session));
                *size = Size {
                    entries: user_entry_bytes(&user.user_id, user.draft.window(), user.arrival_ms),
                    boundaries: published.map(|session| boundary_bytes(&user.user_id, session, version)).sum(),
                };
                user.is_exact = true;
            }
            self.changed = self.changed + *size;
        }
    }

    fn apply_click(&mut self, place: usize, click: &BatchClick) {
        let user = &mut self.users[place];
        let last = user.draft.window().last().map(|last| last.end);
        let was_told_closed = user.draft.window().told_closed;
        match user.draft.apply(&click.click, self.rules.window) {
            Placement::Late => {
                self.report.late += 1;
                return;
            }
            Placement::Started => {
                self.report.started += 1;
                let is_last = last.is_some_and(|last| click.click.time > last);
                self.report.closed += u64::from(last.is_some() && !(is_last && was_told_closed));
            }
            Placement::Continued { reopened, merged } => {
                self.report.reopened += u64::from(reopened);
                self.report.merged += merged as u64;
            }
        }
        self.report.applied += 1;
        user.arrival_ms = user.arrival_ms.max(click.arrival_ms);
    }
}

impl UserEntry {
    /// A user of whom nothing is known.
    #[must_use]
    pub fn of_new_user() -> Self {
        Self { window: SessionWindow::default(), arrival_ms: 0, has_item: false }
    }
}

/// Bytes of a session, or of its boundary, at most.
fn session_bytes(user_id: &UserId, attributes: &Attributes, columns: &ColumnValues) -> usize {
    SESSION_BYTES + user_id.as_str().len() + attributes.len_bytes() + columns_bytes_at_most(columns)
}

/// Bytes of a user's entry, at most.
fn window_bytes(user_id: &UserId, window: &SessionWindow) -> usize {
    let bytes =
        |session: &Session| SESSION_BYTES + session.attributes.len_bytes() + columns_bytes_at_most(&session.columns);
    SESSION_BYTES + user_id.as_str().len() + window.sessions.iter().map(bytes).sum::<usize>()
}

/// Bytes of an entry, at most.
pub(super) fn entry_bytes(key: &LogKey, value: &LogValue) -> usize {
    key.encoded_bytes() + value.encoded_bytes()
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
