// The picture in words: counters, the latest boundaries and rejected records, the table, and what is read aloud.

import { clockTime, counted, duration } from './store.js';

const LISTED = 14;
const ANNOUNCE_EVERY_MS = 5_000;
const MAX_ANNOUNCED = 3;
const MAX_ROWS_OF_USER = 8;

export function drawCounters(counters) {
  const set = (id, value) => {
    const element = document.getElementById(id);
    const text = value.toLocaleString('en');
    if (element.textContent !== text) element.textContent = text;
  };
  set('count-clicks', counters.clicks);
  set('count-open', counters.open);
  set('count-closed', counters.closed);
  set('count-late', counters.late);
  set('count-merged', counters.merged);
  set('count-rejected', Object.values(counters.rejected).reduce((sum, count) => sum + count, 0));
  const byCount = Object.entries(counters.rejected).sort(([, a], [, b]) => b - a);
  const reasons = byCount.map(([reason, count]) => `${reason} ${count}`);
  if (counters.has_more_rejected) reasons.push('and more rejected records');
  if (counters.too_late > 0) reasons.push(`${counted(counters.too_late, 'click')} too late for a session`);
  if (counters.is_incomplete) reasons.push('too many sessions to count all of them');
  document.getElementById('remarks').replaceChildren(...reasons.map((text) => item(text)));
}

export function drawPublished(store) {
  document.getElementById('published').replaceChildren(
    ...store.listed.slice(0, LISTED).map((entry) => {
      const row = item('');
      row.dataset.kind = entry.what;
      row.append(span('time', clockTime(entry.at)), span('what', entry.what), span('about', about(entry)));
      return row;
    }),
  );
}

function about({ what, id, boundary, rejection }) {
  if (what === 'rejected') return `${rejection.reason}: ${rejection.message}`;
  if (what === 'closed') return `${id}: ${counted(boundary.event_count, 'click')} in ${duration(boundary.duration_ms)}`;
  if (what === 'merged') return `${id} is no longer used: two sessions are one`;
  return `${id}: ${boundary.event_name ?? 'a click'} on ${boundary.device_type ?? 'an unknown device'}`;
}

/** The sessions of the users who have lanes. */
export function drawTable(store, users, onSelect) {
  const rows = users.flatMap((user) => store.sessionsOf(user).slice(-MAX_ROWS_OF_USER).reverse());
  const body = document.getElementById('table-body');
  const focused = body.contains(document.activeElement) ? document.activeElement.dataset.id : undefined;
  body.replaceChildren(
    ...rows.map((session) => {
      const row = document.createElement('tr');
      const select = document.createElement('button');
      select.type = 'button';
      select.className = 'link';
      select.textContent = session.id;
      select.dataset.id = session.id;
      select.addEventListener('click', () => onSelect(session.id, select));
      const seconds = ((session.end - session.start) / 1_000).toFixed(1);
      row.append(cell(session.user), cell(select), cell(session.status), cell(clockTime(session.start)));
      row.append(cell(clockTime(session.end)), cell(seconds, 'number'), cell(session.clicks, 'number'));
      return row;
    }),
  );
  if (focused !== undefined) body.querySelector(`[data-id="${CSS.escape(focused)}"]`)?.focus();
}

/** Reads aloud what happened, but not more often than can be listened to. */
export class Announcer {
  constructor() {
    this.element = document.getElementById('announcements');
    this.waiting = [];
    this.more = 0;
    setInterval(() => this.#announce(), ANNOUNCE_EVERY_MS);
  }

  add(text) {
    if (this.waiting.length < MAX_ANNOUNCED) this.waiting.push(text);
    else this.more += 1;
  }

  #announce() {
    if (this.waiting.length === 0) return;
    const more = this.more > 0 ? ` And ${counted(this.more, 'more event')}.` : '';
    this.element.textContent = `${this.waiting.join('. ')}.${more}`;
    this.waiting = [];
    this.more = 0;
  }
}

function item(text) {
  const element = document.createElement('li');
  element.textContent = text;
  return element;
}

function span(name, text) {
  const element = document.createElement('span');
  element.className = name;
  element.textContent = text;
  return element;
}

function cell(content, name = '') {
  const element = document.createElement('td');
  element.className = name;
  element.append(content);
  return element;
}
