// Connects to the pipeline's events and draws what they change.

import { drawShop, listen } from './controls.js';
import { Details } from './details.js';
import { Lanes } from './lanes.js';
import { Announcer, drawCounters, drawPublished, drawTable } from './lists.js';
import { Store, clockTime, duration } from './store.js';

/** The choices of how much time the picture shows, in gaps. */
const WINDOWS = [6, 12, 30, 90];
const DEFAULT_WINDOW = 12;
const FRAME_MS = 50;
const CALM_FRAME_MS = 1_000;
const LISTS_EVERY_MS = 250;
const TABLE_EVERY_MS = 1_000;

const settings = await (await fetch('/settings')).json();
document.getElementById('settings').textContent =
  `Gap ${duration(settings.gap_ms)}, grace ${duration(settings.grace_ms)}: `
  + `a session closes ${duration(settings.gap_ms + settings.grace_ms)} after its last click.`
  + (settings.cut_offset_ms === null ? '' : ` None goes on after ${midnight(settings.cut_offset_ms)} UTC.`);

document.getElementById('controls').hidden = !settings.takes_clicks;

const store = new Store(settings.gap_ms, settings.cut_offset_ms);
const details = new Details(store);
const lanes = new Lanes(document.getElementById('lanes'), store, (id, opener) => details.open(id, opener));
const announcer = new Announcer();
const windows = document.getElementById('window');
for (const gaps of WINDOWS) {
  windows.add(new Option(duration(gaps * settings.gap_ms), gaps * settings.gap_ms, false, gaps === DEFAULT_WINDOW));
}
listen();
connect();
draw();

/** The time of day in UTC at which it is midnight on a clock that is so far ahead of UTC. */
function midnight(offsetMs) {
  return clockTime(((-offsetMs % 86_400_000) + 86_400_000) % 86_400_000);
}

function connect() {
  const connection = document.getElementById('connection');
  const show = (state, text) => {
    connection.dataset.state = state;
    connection.textContent = text;
  };
  const events = new EventSource('/events');
  let isPast = true; // what happened before this page was opened is not read aloud
  events.addEventListener('open', () => show('live', 'live'));
  events.addEventListener('error', () => {
    const isOver = events.readyState === EventSource.CLOSED;
    show('lost', isOver ? 'refused: too many pages are open, or serve has ended' : 'connection lost, trying again');
  });
  const on = (name, handle) => events.addEventListener(name, (event) => handle(JSON.parse(event.data)));
  on('start-over', () => {
    isPast = true;
    store.startOver();
  });
  on('click', (click) => store.addClick(click));
  on('boundary', (published) => {
    const what = store.addBoundary(published);
    if (!isPast) announcer.add(`${published.boundary.session_id} ${what}`);
  });
  on('rejected', (rejection) => {
    store.addRejected(rejection);
    if (!isPast) announcer.add(`a record was rejected: ${rejection.reason}`);
  });
  on('counters', (counters) => {
    isPast = false;
    drawCounters(counters);
    drawShop(counters.producing);
  });
}

function draw() {
  const calm = matchMedia('(prefers-reduced-motion: reduce)');
  const table = document.getElementById('table-details');
  const last = { frame: 0, lists: 0, table: 0 };
  const isDue = (name, now, every) => {
    if (now - last[name] < every) return false;
    last[name] = now;
    return true;
  };
  const frame = (now) => {
    if (isDue('frame', now, calm.matches ? CALM_FRAME_MS : FRAME_MS)) lanes.draw(Date.now(), Number(windows.value));
    if (isDue('lists', now, LISTS_EVERY_MS)) {
      drawPublished(store);
      details.draw();
    }
    if (table.open && isDue('table', now, TABLE_EVERY_MS)) {
      drawTable(store, lanes.users, (id, opener) => details.open(id, opener));
    }
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}
