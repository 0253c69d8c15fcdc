// Buttons that copy. Over plain HTTP, as with an onion address, the clipboard is reached in the old way alone.

async function copy(text, element) {
  if (navigator.clipboard && isSecureContext) return navigator.clipboard.writeText(text);
  const range = document.createRange();
  range.selectNodeContents(element);
  getSelection().removeAllRanges();
  getSelection().addRange(range);
  if (!document.execCommand('copy')) throw new Error('it is selected, and not copied');
}

export function copyButtons(root) {
  for (const link of root.querySelectorAll('[data-link]')) link.textContent = location.origin + link.dataset.link;
  for (const button of root.querySelectorAll('[data-copy]')) {
    button.hidden = false;
    button.addEventListener('click', async () => {
      const element = document.getElementById(button.dataset.copy);
      const verb = button.textContent;
      try {
        await copy(element.textContent, element);
        button.textContent = button.dataset.done;
        setTimeout(() => { button.textContent = verb; }, 2000);
      } catch {
        element.focus(); // it is selected
      }
    });
  }
}
