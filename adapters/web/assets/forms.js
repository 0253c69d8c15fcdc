// Sends the forms of a page without leaving it, so that the key of the holder stays in its address.
import { load, whole } from './swap.js';
import { follow } from './live.js';
import { fragment } from './key.js';

async function send(form, button) {
  const url = button && button.hasAttribute('formaction') ? button.formAction : form.action;
  const page = await load(url, { method: 'POST', body: new URLSearchParams(new FormData(form, button)) });
  const before = location.pathname;
  whole(page.doc);
  const now = document.getElementById('resource');
  if (now) {
    const to = new URL(now.dataset.page, location.href);
    const address = to.href + fragment(now.dataset.id);
    if (to.pathname !== before) history.pushState(null, '', address);
    else history.replaceState(null, '', address);
  }
  follow();
  const first = document.querySelector('[role=alert], .done, #key-once h2, .pay h2, h1');
  if (first) {
    first.tabIndex = -1;
    first.focus({ preventScroll: true });
    first.scrollIntoView({ block: 'nearest' });
  }
}

// keepKey has links to the same resource keep the key, which the link past the navigation would take the place of.
function keepKey(event) {
  const link = event.target.closest('a[href]');
  if (!link) return;
  if (link.matches('.skip')) {
    event.preventDefault();
    document.getElementById('main').focus();
  } else if (link.pathname === location.pathname && link.origin === location.origin && !link.hash) {
    link.hash = fragment(decodeURIComponent(link.pathname.split('/').pop()));
  }
}

export function begin() {
  document.addEventListener('click', keepKey);
  document.addEventListener('submit', async (event) => {
    const form = event.target;
    if (form.method !== 'post' || form.getAttribute('aria-busy')) return;
    event.preventDefault();
    form.setAttribute('aria-busy', 'true');
    const buttons = [...form.querySelectorAll('button')];
    try {
      const sent = send(form, event.submitter);
      buttons.forEach((b) => { b.disabled = true; });
      await sent;
    } catch {
      buttons.forEach((b) => { b.disabled = false; });
      form.requestSubmit(event.submitter); // which is not taken here again: the browser says what is wrong
    } finally {
      form.removeAttribute('aria-busy');
      buttons.forEach((b) => { b.disabled = false; });
    }
  });
  addEventListener('popstate', () => location.reload());
}
