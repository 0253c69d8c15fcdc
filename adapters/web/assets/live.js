// Follows the life of the resource that is shown. An event says that something is new; the page is then read again.
import { load, living, pages } from './swap.js';
import { resync } from './countdown.js';

let source, id, again, reading, missed, hidden, heard;

const shown = () => document.getElementById('resource');
const second = (t) => (t || '').slice(0, 19);

// print is what resourceView.Print makes of the same.
function print(r) {
  const found = r.found ? r.found.state : '';
  return [r.status, second(r.since), second(r.paid_until), r.lots.length, !!r.warned, found, r.address || '',
    ...r.pending.map((p) => `${p.key}:${p.status}:${p.confirmations ?? -1}`)].join('|');
}

// connection tells whether the daemon is heard.
function connection(lost) {
  const line = document.getElementById('connection');
  if (!line) return;
  line.hidden = !lost;
  line.textContent = lost ? line.dataset.text : '';
}

// refresh reads the page again: once at a time, and later where it comes too often.
export async function refresh(stalled = false) {
  if (reading) { missed = true; return; }
  reading = true;
  missed = false;
  let wait = 0;
  const of = pages;
  try {
    const page = await load(location.pathname + location.search);
    if (of !== pages) missed = true; // it was of the page before
    else if (page.ok) {
      heard = performance.now();
      const before = shown() && shown().dataset.print;
      living(page.doc);
      if (stalled && shown() && shown().dataset.print !== before) open();
    } else wait = page.wait || 5000;
  } catch {
    wait = 5000;
  }
  reading = false;
  if (wait || missed) setTimeout(() => refresh(), wait && wait + 2000 * Math.random());
}

function close() {
  clearTimeout(again);
  if (source) source.close();
  source = undefined;
}

function open() {
  close();
  const now = shown();
  id = now && now.dataset.id;
  if (!id) return;
  source = new EventSource(`${document.body.dataset.api}/resources/${encodeURIComponent(id)}/live`);
  source.addEventListener('open', () => connection(false));
  source.addEventListener('resource', (event) => {
    connection(false);
    heard = performance.now();
    const r = JSON.parse(event.data);
    resync(r.status === 'running' ? r.remaining_ms : undefined);
    if (shown() && print(r) !== shown().dataset.print) refresh();
    if (r.status === 'released') close();
  });
  source.addEventListener('error', () => {
    connection(true);
    if (!source || source.readyState !== EventSource.CLOSED) return; // the browser tries by itself
    close();
    again = setTimeout(() => { refresh(); open(); }, 10_000 + 5000 * Math.random());
  });
}

// follow follows what is shown by now.
export function follow() {
  if (!source || (shown() && shown().dataset.id) !== id) open();
}

// comeBack begins anew where the page was away for long: its stream may be dead, and nothing told.
function comeBack() {
  if (document.visibilityState !== 'visible') {
    hidden = performance.now();
    return;
  }
  if (!shown()) return;
  if (!source || source.readyState !== EventSource.OPEN || performance.now() - hidden > 10_000) open();
  refresh();
}

// look looks by itself now and then: a stream whose connection is gone without a word brings nothing more.
function look() {
  const now = shown();
  if (!now || document.visibilityState !== 'visible' || performance.now() - heard < 1000 * Number(now.dataset.every)) return;
  heard = performance.now();
  refresh(true);
}

export function begin() {
  const now = shown();
  if (now && !location.search.includes('pay=')) history.replaceState(null, '', now.dataset.page + location.hash);
  heard = performance.now();
  open();
  setInterval(look, 5000);
  addEventListener('pagehide', close);
  addEventListener('pageshow', (event) => { if (event.persisted) comeBack(); });
  addEventListener('online', comeBack);
  document.addEventListener('visibilitychange', comeBack);
  document.addEventListener('over', () => setTimeout(() => refresh(), 1000));
}
