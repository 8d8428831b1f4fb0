// Every boundary that was published of one session, version by version, with whatever keys it has.

import { clockTime } from './store.js';

const EARLIEST_TIME_MS = 100_000_000_000;
const LATEST_TIME_MS = 253_402_300_800_000;

export class Details {
  constructor(store) {
    this.store = store;
    this.heading = document.getElementById('details-heading');
    this.hint = document.getElementById('details-hint');
    this.table = document.getElementById('details-table');
    this.closing = document.getElementById('details-close');
    this.closing.addEventListener('click', () => this.close());
    document.getElementById('details').addEventListener('keydown', (event) => {
      if (event.key === 'Escape') this.close();
    });
  }

  /** Shows a session, and moves the focus there. `opener` gets it back. */
  open(id, opener) {
    this.id = id;
    this.opener = opener;
    this.drawn = undefined;
    this.draw();
    this.heading.focus();
  }

  close() {
    if (this.id === undefined) return;
    this.id = undefined;
    this.heading.textContent = 'Boundaries of a session';
    this.hint.hidden = false;
    this.closing.hidden = true;
    this.table.replaceChildren();
    if (this.opener?.isConnected) this.opener.focus();
  }

  draw() {
    if (this.id === undefined || this.drawn === this.store.revision) return;
    this.drawn = this.store.revision;
    const sessions = [...this.store.users.values()].map((user) => user.sessions.get(this.id));
    const versions = sessions.find(Boolean)?.versions ?? [];
    const isSame = versions.length === this.shown?.length && versions.at(-1) === this.shown.at(-1);
    if (isSame && this.table.firstChild) return;
    this.shown = [...versions];
    this.heading.textContent = `Boundaries of ${this.id}`;
    this.hint.hidden = true;
    this.closing.hidden = false;
    this.table.replaceChildren(tableOf(versions));
  }
}

/** A row for each key, a column for each version; what differs from the version before is marked. */
function tableOf(versions) {
  const table = document.createElement('table');
  const keys = new Set(versions.flatMap(({ boundary }) => Object.keys(boundary)));
  const head = table.createTHead().insertRow();
  head.append(headerCell('published', 'col'), ...versions.map(({ at }) => headerCell(clockTime(at), 'col')));
  const body = table.createTBody();
  for (const key of keys) {
    const row = body.insertRow();
    row.append(headerCell(key, 'row'));
    versions.forEach(({ boundary }, index) => {
      const cell = row.insertCell();
      cell.dataset.key = key;
      const text = shown(boundary[key]);
      cell.textContent = text;
      const time = readable(boundary[key]);
      if (time) {
        const small = document.createElement('small');
        small.textContent = time;
        cell.append(' ', small);
      }
      if (index > 0 && text !== shown(versions[index - 1].boundary[key])) cell.className = 'changed';
    });
  }
  return table;
}

function headerCell(text, scope) {
  const cell = document.createElement('th');
  cell.scope = scope;
  cell.textContent = text;
  return cell;
}

function shown(value) {
  if (value === undefined) return '–';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function readable(value) {
  const isTime = typeof value === 'number' && value >= EARLIEST_TIME_MS && value < LATEST_TIME_MS;
  return isTime ? clockTime(value) : '';
}
