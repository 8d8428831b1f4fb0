// The bars and dots of one user's lane. A bar is a button; it keeps its element for as long as the session lasts, so
// that growing, closing and merging are movements and not replacements.

import { clockTime, counted, duration } from './store.js';

const ABSORBED_MS = 450;
const FLASH_MS = 1_600;

export class Bars {
  /** @param {Element} strip the element that moves with time; @param {(id: string) => void} onSelect */
  constructor(strip, onSelect) {
    this.strip = strip;
    this.onSelect = onSelect;
    this.bars = [];
    this.dots = new Map();
  }

  /**
   * Draws `sessions` and `marks` (clicks and rejected records) that are later than `fromMs`.
   * `x` maps event time to pixels.
   */
  reconcile(sessions, marks, fromMs, x) {
    const shown = sessions.filter((session) => session.end >= fromMs || session.status === 'open');
    const unused = new Set(this.bars);
    const take = (session, matches) => {
      const bar = [...unused].find((candidate) => matches(candidate.session));
      if (bar) unused.delete(bar);
      return bar;
    };
    const overlaps = (a, b) => a.start <= b.end && b.start <= a.end;
    const found = shown.map((session) => take(session, (drawn) => drawn.start === session.start));
    shown.forEach((session, index) => (found[index] ??= take(session, (drawn) => overlaps(drawn, session))));
    this.bars = shown.map((session, index) => {
      const bar = found[index] ?? this.#create();
      this.#update(bar, session, x);
      return bar;
    });
    for (const bar of unused) {
      const absorbing = this.bars.find((other) => overlaps(other.session, bar.session));
      if (absorbing) flash(absorbing.element, 'merged');
      this.#remove(bar, absorbing);
    }
    this.#drawDots(marks, fromMs, x);
    // Tab reaches one bar of each lane, arrow keys the others.
    const focused = this.bars.find((bar) => bar.element === document.activeElement) ?? this.bars.at(-1);
    for (const bar of this.bars) bar.element.tabIndex = bar === focused ? 0 : -1;
  }

  /** Moves what moves with time: where the gap runs out, up to what `goesOnUntil` says of a session's end. */
  tick(nowMs, goesOnUntil, scale) {
    for (const { session, gap } of this.bars) {
      const elapsed = session.status === 'open' ? Math.max(nowMs - session.end, 0) : 0;
      const wholeMs = goesOnUntil(session.end) - session.end;
      const width = `${Math.min(elapsed, wholeMs) * scale}px`;
      if (gap.style.width !== width) gap.style.width = width;
      gap.classList.toggle('over', elapsed >= wholeMs);
    }
  }

  #create() {
    const element = document.createElement('button');
    element.type = 'button';
    element.className = 'bar';
    const label = document.createElement('span');
    const gap = document.createElement('i');
    gap.className = 'running-out';
    const bar = { element, label, gap, session: undefined };
    element.append(label);
    element.addEventListener('click', () => this.onSelect(bar.session.id, element));
    this.strip.append(gap, element);
    return bar;
  }

  #update(bar, session, x) {
    const { element, label, gap } = bar;
    const wasOpen = bar.session?.status === 'open';
    const { id, status, start, end, clicks } = session;
    bar.session = session;
    element.style.left = `${x(start)}px`;
    element.style.width = `${x(end) - x(start)}px`;
    gap.style.left = `${x(end)}px`;
    element.dataset.id = id;
    element.dataset.status = status;
    element.dataset.start = start;
    element.dataset.end = end;
    element.dataset.clicks = clicks;
    if (wasOpen && status === 'closed') flash(element, 'shut');
    label.textContent = x(end) - x(start) > 24 ? clicks : '';
    const extent = `${counted(clicks, 'click')} in ${duration(end - start)}`;
    const name = `${id}, ${status}, ${extent}, from ${clockTime(start)} UTC`;
    if (element.title !== name) {
      element.title = name;
      element.setAttribute('aria-label', name);
    }
  }

  #remove(bar, absorbing) {
    const { element, gap } = bar;
    if (element === document.activeElement) (absorbing ?? this.bars.at(-1))?.element.focus();
    gap.remove();
    element.classList.add('absorbed');
    element.disabled = true;
    setTimeout(() => element.remove(), ABSORBED_MS);
  }

  #drawDots(marks, fromMs, x) {
    for (const [mark, dot] of this.dots) {
      if (mark.drawnAt >= fromMs && marks.includes(mark)) continue;
      dot.remove();
      this.dots.delete(mark);
    }
    for (const mark of marks) {
      if (mark.drawnAt < fromMs) continue;
      let dot = this.dots.get(mark);
      if (!dot) {
        dot = document.createElement('i');
        dot.className = mark.isRejected ? 'mark rejected' : mark.isLate ? 'mark late' : 'mark';
        if (mark.isRejected) dot.textContent = '×';
        this.strip.append(dot);
        this.dots.set(mark, dot);
      }
      dot.style.left = `${x(mark.drawnAt)}px`;
    }
  }
}

function flash(element, name) {
  element.classList.add(name);
  setTimeout(() => element.classList.remove(name), FLASH_MS);
}
