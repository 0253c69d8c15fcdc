// What a page does by itself: its forms, the countdown, the key of the holder, and what the daemon tells.
import { begin as beginForms } from './forms.js';
import { begin as beginLive } from './live.js';
import { each } from './swap.js';
import { countDown } from './countdown.js';
import { copyButtons } from './copy.js';
import { amounts } from './amount.js';
import { keys } from './key.js';

function printButtons(root) {
  for (const button of root.querySelectorAll('button.print')) {
    button.hidden = false;
    button.addEventListener('click', () => print());
  }
}

for (const part of [countDown, copyButtons, amounts, keys, printButtons]) each(part);
beginForms();
beginLive();
