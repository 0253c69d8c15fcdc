// Puts what the server renders in the place of what is shown. The server alone knows how a page looks.

const parts = [];
const served = new Map(); // by id: the parts that live, as they came, before the scripts changed anything of them

function remember(root) {
  for (const part of root.querySelectorAll('[data-live]')) served.set(part.id, part.innerHTML);
}

remember(document);

// pages counts the pages that were shown whole: what was asked for before one is no news of it.
export let pages = 0;

// each has a part of the script look after what is shown now, and after whatever takes its place.
export function each(part) {
  parts.push(part);
  part(document);
}

const run = (root) => parts.forEach((part) => part(root));

// load fetches a page of ours. It throws where the network fails.
export async function load(url, options = {}) {
  const answer = await fetch(url, {
    cache: 'no-store', credentials: 'omit', headers: { Accept: 'text/html' }, signal: AbortSignal.timeout(30_000), ...options,
  });
  const text = await answer.text();
  return {
    doc: new DOMParser().parseFromString(text, 'text/html'),
    ok: answer.ok, status: answer.status, url: answer.url,
    wait: 1000 * Number(answer.headers.get('Retry-After') || 0),
  };
}

// whole shows all of another page. It throws where that is none of ours, as when a proxy answers by itself.
export function whole(doc) {
  const main = doc.getElementById('main');
  if (!main) throw new Error('it is no page');
  pages += 1;
  document.getElementById('main').replaceWith(main);
  document.title = doc.title;
  remember(main);
  run(main);
}

// used reports whether somebody is filling in a form of a part: the key of the holder is filled in by a script.
function used(part) {
  return part.contains(document.activeElement) || [...part.querySelectorAll('input, textarea')].some((field) => (
    field.type === 'radio' ? field.checked !== field.defaultChecked
      : !field.matches('[data-key], [type=range], [type=checkbox]') && field.value !== field.defaultValue
  ));
}

// living shows what is new of the parts that live, and leaves alone what is being filled in.
export function living(doc) {
  for (const old of document.querySelectorAll('[data-live]')) {
    const now = doc.getElementById(old.id);
    if (!now || ('typed' in old.dataset && used(old))) continue;
    for (const { name, value } of [...now.attributes]) old.setAttribute(name, value);
    if (served.get(old.id) === now.innerHTML) continue;
    served.set(old.id, now.innerHTML);
    const focused = old.contains(document.activeElement);
    const open = [...old.querySelectorAll('details')].map((d) => d.open);
    old.replaceChildren(...now.childNodes);
    old.querySelectorAll('details').forEach((d, i) => { d.open = open[i] || false; });
    run(old);
    if (focused) old.focus();
  }
  document.title = doc.title;
}
