// Counts down what is left, by a clock that nobody sets, from what the server said was left.

const ends = new WeakMap(); // of elements: when they are at 0, by performance.now()

// clock writes what units.Clock writes.
function clock(ms) {
  const s = Math.floor(ms / 1000);
  const two = (n) => String(n).padStart(2, '0');
  const text = `${two(Math.floor(s / 3600) % 24)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
  const days = Math.floor(s / 86400);
  if (!days) return text;
  return `${String(days).replace(/\B(?=(\d{3})+$)/g, '\u202f')}\u202f${document.body.dataset.d} ${text}`;
}

function tick() {
  for (const one of document.querySelectorAll('[data-runs]')) {
    if (!ends.has(one)) continue;
    const left = ends.get(one) - performance.now();
    const text = left <= 0 && one.dataset.over ? one.dataset.over : clock(Math.max(0, left));
    if (one.textContent !== text) one.textContent = text;
    if (left <= 0) {
      ends.delete(one);
      document.dispatchEvent(new Event('over'));
    }
  }
}

setInterval(tick, 250);

// resync sets what is left of the resource to what the daemon says now.
export function resync(ms) {
  const one = document.getElementById('countdown');
  if (one && ms !== undefined) ends.set(one, performance.now() + ms);
}

export function countDown(root) {
  for (const one of root.querySelectorAll('[data-runs]')) {
    const left = Number(one.dataset.left);
    if (left > 0) ends.set(one, performance.now() + left);
  }
  for (const one of root.querySelectorAll('time[data-local]')) {
    const at = new Date(one.dateTime);
    const format = new Intl.DateTimeFormat(document.documentElement.lang, {
      day: 'numeric', month: 'short', year: 'numeric', hour: 'numeric', minute: '2-digit', timeZoneName: 'short',
    });
    if (!Number.isNaN(at.getTime())) one.textContent = format.format(at);
  }
}
