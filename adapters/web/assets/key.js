// The key of the holder: from the fragment, which no server sees, or from this browser if it was to keep it.

let known; // the key that belongs into the address of this page, and of what

const shown = () => document.getElementById('resource');
const place = () => `sandglass:${document.body.dataset.api}:${shown().dataset.id}`;

function kept() {
  try { return localStorage.getItem(place()) || ''; } catch { return ''; }
}

function keep(key) {
  try {
    if (key) localStorage.setItem(place(), key);
    else localStorage.removeItem(place());
  } catch { /* this browser keeps nothing */ }
}

export function keys(root) {
  if (!shown()) {
    document.body.classList.remove('has-key');
    return;
  }
  const once = document.getElementById('key-once');
  const inFragment = new URLSearchParams(location.hash.slice(1)).get('key');
  const key = (once && once.dataset.key) || inFragment || kept();
  if (once || inFragment) known = { key, id: shown().dataset.id };
  if (key) {
    for (const field of root.querySelectorAll('[data-key][name=key]')) field.value = key;
    document.body.classList.add('has-key');
  }
  for (const box of root.querySelectorAll('[data-remember]')) {
    box.closest('.remember').hidden = !key;
    box.checked = kept() !== '';
    box.addEventListener('change', () => {
      keep(box.checked ? key : '');
      for (const other of document.querySelectorAll('[data-remember]')) other.checked = box.checked;
    });
  }
}

// fragment is what the address of a page of that resource ends with: once the key is there it stays, from page to page.
export function fragment(id) {
  return known && known.id === id ? '#key=' + encodeURIComponent(known.key) : '';
}
