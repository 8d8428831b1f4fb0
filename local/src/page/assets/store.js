// What the page knows: users, their clicks, and every boundary of each session. Bounded, like the server's history.

const MAX_USERS = 500;
const MAX_CLICKS_OF_USER = 400;
const MAX_SESSIONS_OF_USER = 100;
const MAX_VERSIONS = 50;
const MAX_LISTED = 40;
/** Beyond this difference between event time and arrival, a user's lane is shifted to when the clicks arrived. */
const MAX_UNSHIFTED_MS = 120_000;
const DAY_MS = 86_400_000;

export class Store {
  /**
   * @param {number} gapMs the inactivity that ends a session
   * @param {?number} cutOffsetMs how far the clock whose midnights end sessions is ahead of UTC; null if none do
   */
  constructor(gapMs, cutOffsetMs) {
    this.gapMs = gapMs;
    this.cutOffsetMs = cutOffsetMs;
    this.startOver();
  }

  /** Forgets everything: the server sends its history from the beginning. */
  startOver() {
    this.users = new Map();
    /** The latest boundaries and rejected records, newest first. */
    this.listed = [];
    this.revision = (this.revision ?? 0) + 1;
  }

  addClick({ user: name, time, at, name: event, is_late: isLate }) {
    const user = this.#user(name, at);
    const click = { time, at, event, isLate };
    const place = user.clicks.findLastIndex((known) => known.time <= time) + 1;
    user.clicks.splice(place, 0, click);
    if (user.clicks.length > MAX_CLICKS_OF_USER) user.clicks.shift();
    if (place >= user.clicks.length - 1) user.aheadMs = at - time;
    this.#changed(user);
  }

  /** Returns what happened to the session, in a word: "open", "closed", "merged" or "reopened". */
  addBoundary({ at, boundary }) {
    const user = this.#user(String(boundary.user_id), at);
    const id = String(boundary.session_id);
    const session = user.sessions.get(id) ?? { id, user: user.name, versions: [] };
    const before = session.versions.at(-1)?.boundary;
    const isRepeated = session.versions.some((known) => known.boundary.version === boundary.version);
    if (!isRepeated) {
      session.versions.push({ at, boundary });
      session.versions.sort((a, b) => (a.boundary.version ?? 0) - (b.boundary.version ?? 0));
      if (session.versions.length > MAX_VERSIONS) session.versions.shift();
    }
    user.sessions.set(id, session);
    if (user.sessions.size > MAX_SESSIONS_OF_USER) user.sessions.delete(user.sessions.keys().next().value);
    if (user.aheadMs === undefined) user.aheadMs = at - (boundary.session_end ?? boundary.session_timestamp);
    const status = boundary.status ?? 'open';
    const isReopened = status === 'open' && before?.status === 'closed';
    const what = status === 'retracted' ? 'merged' : isReopened ? 'reopened' : status;
    this.#list({ at, what, id, boundary });
    this.#changed(user);
    return what;
  }

  addRejected(rejection) {
    this.users.get(rejection.partition_key)?.rejected.push(rejection);
    this.#list({ at: rejection.at, what: 'rejected', rejection });
  }

  /** A user's sessions by start, as far as is known: an open one lasts until its last click. */
  sessionsOf(user) {
    if (user.sessionsRevision === user.revision) return user.drawn;
    const drawn = [...user.sessions.values()]
      .map((session) => ({ session, boundary: session.versions.at(-1).boundary }))
      .filter(({ boundary }) => boundary.status !== 'retracted')
      .map(({ session, boundary }) => ({
        id: session.id,
        user: user.name,
        versions: session.versions,
        status: boundary.status ?? 'open',
        start: boundary.session_timestamp,
        end: boundary.session_end ?? boundary.session_timestamp,
        clicks: boundary.event_count ?? 1,
      }))
      .sort((a, b) => a.start - b.start);
    drawn.forEach((session, index) => {
      if (session.status === 'open') this.#extend(session, user.clicks, drawn[index + 1]?.start ?? Infinity);
    });
    user.drawn = drawn;
    user.sessionsRevision = user.revision;
    return drawn;
  }

  /** How far a user's lane is shifted, because event time and arrival are far apart. */
  shiftOf(user) {
    return Math.abs(user.aheadMs ?? 0) > MAX_UNSHIFTED_MS ? user.aheadMs : 0;
  }

  /** Until when a click continues a session whose last one is at `ms`: a gap later, or at midnight if that is first. */
  goesOnUntil(ms) {
    if (this.cutOffsetMs === null) return ms + this.gapMs;
    const midnight = (Math.floor((ms + this.cutOffsetMs) / DAY_MS) + 1) * DAY_MS - this.cutOffsetMs;
    return Math.min(ms + this.gapMs, midnight);
  }

  #extend(session, clicks, nextStart) {
    let count = 0;
    for (const { time } of clicks) {
      if (time < session.start) continue;
      if (time >= nextStart || time >= this.goesOnUntil(session.end)) break;
      session.end = time;
      count += 1;
    }
    session.clicks = Math.max(count, 1);
  }

  #user(name, at) {
    let user = this.users.get(name);
    if (!user) {
      user = { name, clicks: [], sessions: new Map(), rejected: [], revision: 0, lastAt: at };
      if (this.users.size >= MAX_USERS) {
        const quietest = [...this.users.values()].reduce((a, b) => (a.lastAt <= b.lastAt ? a : b));
        this.users.delete(quietest.name);
      }
      this.users.set(name, user);
    }
    user.lastAt = Math.max(user.lastAt, at);
    return user;
  }

  #list(entry) {
    const place = this.listed.findIndex((known) => known.at <= entry.at);
    this.listed.splice(place === -1 ? this.listed.length : place, 0, entry);
    if (this.listed.length > MAX_LISTED) this.listed.pop();
  }

  #changed(user) {
    user.revision += 1;
    this.revision += 1;
  }
}

/** `14:03:05`, in UTC as in the boundaries. */
export function clockTime(ms) {
  return new Date(ms).toISOString().slice(11, 19);
}

/** `10 s`, `30 min`, `2 h`. */
export function duration(ms) {
  if (ms < 120_000) return `${Math.round(ms / 100) / 10} s`;
  if (ms < 7_200_000) return `${Math.round(ms / 6_000) / 10} min`;
  return `${Math.round(ms / 360_000) / 10} h`;
}

export function counted(count, noun) {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
