// The picture: a lane for each of the users who clicked last, under one axis of time that ends now.

import { Bars } from './bars.js';
import { clockTime, counted } from './store.js';

const MAX_LANES = 12;
const STEPS_MS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200, 21_600, 86_400].map((s) => s * 1_000);
const MAX_AXIS_LABELS = 8;

export class Lanes {
  constructor(root, store, onSelect) {
    this.root = root;
    this.store = store;
    this.onSelect = onSelect;
    this.lanes = new Map();
    this.originMs = Date.now();
    this.windowMs = 0;
    this.axis = document.createElement('div');
    this.axis.className = 'axis';
    this.axis.setAttribute('aria-hidden', 'true');
    this.axisStrip = document.createElement('div');
    this.axisStrip.className = 'strip';
    this.axis.append(this.axisStrip);
    root.append(this.axis);
    this.labels = new Map();
    root.addEventListener('keydown', (event) => this.#move(event));
  }

  /** The users that have a lane. */
  get users() {
    return [...this.lanes.keys()].map((name) => this.store.users.get(name)).filter(Boolean);
  }

  draw(nowMs, windowMs) {
    const width = this.axis.clientWidth;
    const isRescaled = width !== this.width || windowMs !== this.windowMs;
    this.width = width;
    this.windowMs = windowMs;
    const scale = width / windowMs;
    this.#chooseLanes();
    const offset = (shift) => `translateX(${(this.originMs - shift - nowMs + windowMs) * scale}px)`;
    this.#drawAxis(nowMs, scale, isRescaled, offset(0));
    for (const lane of this.lanes.values()) this.#drawLane(lane, nowMs, scale, isRescaled, offset);
    this.root.classList.toggle('rescaled', isRescaled);
  }

  #chooseLanes() {
    if (this.revision === this.store.revision) return;
    this.revision = this.store.revision;
    const byRecency = [...this.store.users.values()].sort((a, b) => b.lastAt - a.lastAt);
    const shown = new Set(byRecency.slice(0, MAX_LANES));
    for (const [name, lane] of this.lanes) {
      if (shown.has(this.store.users.get(name))) continue;
      lane.row.remove();
      this.lanes.delete(name);
    }
    for (const user of [...shown].reverse()) {
      if (!this.lanes.has(user.name)) this.#addLane(user);
    }
    const more = byRecency.length - shown.size;
    document.getElementById('more-users').textContent =
      more > 0 ? `${counted(more, 'more user')} clicked before these.` : '';
    document.getElementById('empty').hidden = shown.size > 0;
  }

  #addLane(user) {
    const row = document.createElement('div');
    row.className = 'lane';
    row.setAttribute('role', 'group');
    row.setAttribute('aria-label', `user ${user.name}`);
    const name = document.createElement('span');
    name.className = 'name';
    name.textContent = user.name;
    name.title = user.name;
    const track = document.createElement('div');
    track.className = 'track';
    const strip = document.createElement('div');
    strip.className = 'strip';
    const note = document.createElement('span');
    note.className = 'note';
    track.append(strip, note);
    row.append(name, track);
    this.root.append(row);
    this.lanes.set(user.name, { name: user.name, row, strip, note, bars: new Bars(strip, this.onSelect) });
  }

  #drawLane(lane, nowMs, scale, isRescaled, offset) {
    const user = this.store.users.get(lane.name);
    if (!user) return;
    const shift = this.store.shiftOf(user);
    lane.strip.style.transform = offset(-shift);
    const fromMs = nowMs - shift - this.windowMs * 1.05;
    // Redrawn after a change, and once a second for what has left the picture.
    const isDue = isRescaled || lane.revision !== user.revision || lane.rejected !== user.rejected.length
      || !(nowMs - lane.drawnAt < 1_000);
    if (isDue) {
      lane.revision = user.revision;
      lane.rejected = user.rejected.length;
      lane.drawnAt = nowMs;
      for (const click of user.clicks) click.drawnAt = click.time;
      for (const rejection of user.rejected) {
        rejection.drawnAt = rejection.at - shift;
        rejection.isRejected = true;
      }
      while (user.rejected[0]?.drawnAt < fromMs) user.rejected.shift();
      const x = (ms) => (ms - this.originMs) * scale;
      lane.bars.reconcile(this.store.sessionsOf(user), [...user.clicks, ...user.rejected], fromMs, x);
      const date = new Date(nowMs - shift).toISOString().slice(0, 10);
      const note = shift === 0 ? '' : `drawn at the time of arrival, event time is on ${date}`;
      if (lane.note.textContent !== note) lane.note.textContent = note;
    }
    lane.bars.tick(nowMs - shift, (endMs) => this.store.goesOnUntil(endMs), scale);
  }

  #drawAxis(nowMs, scale, isRescaled, transform) {
    this.axisStrip.style.transform = transform;
    const step = STEPS_MS.find((candidate) => this.windowMs / candidate <= MAX_AXIS_LABELS) ?? STEPS_MS.at(-1);
    const fromMs = nowMs - this.windowMs;
    const wanted = new Set();
    for (let ms = Math.ceil(fromMs / step) * step; ms <= nowMs; ms += step) wanted.add(ms);
    for (const [ms, label] of this.labels) {
      if (wanted.has(ms)) continue;
      label.remove();
      this.labels.delete(ms);
    }
    for (const ms of wanted) {
      let label = this.labels.get(ms);
      if (label && !isRescaled) continue;
      if (!label) {
        label = document.createElement('span');
        label.textContent = clockTime(ms);
        this.axisStrip.append(label);
        this.labels.set(ms, label);
      }
      label.style.left = `${(ms - this.originMs) * scale}px`;
    }
  }

  /** Arrow keys move between bars: left and right in a lane, up and down to the nearest bar of the next lane. */
  #move(event) {
    const bar = event.target.closest('.bar');
    if (!bar || event.altKey || event.ctrlKey || event.metaKey) return;
    const rows = [...this.root.querySelectorAll('.lane')];
    const byStart = (a, b) => a.dataset.start - b.dataset.start;
    const barsOf = (row) => [...row.querySelectorAll('.bar:not(:disabled)')].sort(byStart);
    const row = bar.closest('.lane');
    const bars = barsOf(row);
    const place = bars.indexOf(bar);
    const nearest = (candidates) => {
      const middle = (element) => element.getBoundingClientRect().left + element.getBoundingClientRect().width / 2;
      return candidates.sort((a, b) => Math.abs(middle(a) - middle(bar)) - Math.abs(middle(b) - middle(bar)))[0];
    };
    const inLane = (from, direction) => {
      for (let at = from + direction; at >= 0 && at < rows.length; at += direction) {
        const found = nearest(barsOf(rows[at]));
        if (found) return found;
      }
      return undefined;
    };
    const targets = {
      ArrowLeft: () => bars[place - 1],
      ArrowRight: () => bars[place + 1],
      Home: () => bars[0],
      End: () => bars.at(-1),
      ArrowUp: () => inLane(rows.indexOf(row), -1),
      ArrowDown: () => inLane(rows.indexOf(row), 1),
    };
    const target = targets[event.key]?.();
    if (!target) return;
    event.preventDefault();
    bar.tabIndex = -1;
    target.tabIndex = 0;
    target.focus();
  }
}
