// How much is bought: presets, a slider and a field that say the same, and about what it costs, or buys.

const units = { min: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

// length writes a time as units.Time does.
function length(ms) {
  const { d, h, m, s } = document.body.dataset;
  const words = [];
  for (const [one, name] of [[units.d, d], [units.h, h], [units.min, m], [1000, s]]) {
    const many = Math.floor(ms / one);
    if (many) words.push(`${many}\u202f${name}`);
    else if (words.length) break;
    ms %= one;
  }
  return words.slice(0, 2).join(' ');
}

function wire(box) {
  const slider = box.querySelector('[data-slider]');
  const n = box.querySelector('[name=n]');
  const unit = box.querySelector('[name=unit]');
  const cost = box.querySelector('[data-cost]');
  const presets = [...box.querySelectorAll('[name=time]')];
  const { msat, per, min, max } = Object.fromEntries(Object.entries(box.dataset).map(([k, v]) => [k, Number(v)]));
  const least = Math.max(min, 60_000);
  const top = Math.max(least, Math.min(max, 365 * units.d));

  const show = (ms) => {
    const sat = Math.ceil((msat * ms) / per / 1000);
    const other = unit.value === 'sat' ? length(Math.round(ms)) : `${sat.toLocaleString(document.documentElement.lang)} sat`;
    cost.textContent = sat > 0 && other ? `≈ ${other}` : '';
  };
  const typed = () => Number(n.value.replace(',', '.')) * (unit.value === 'sat' ? (1000 * per) / msat : units[unit.value]);
  const slideTo = (ms) => {
    if (top > least) slider.value = (1000 * Math.log(Math.min(Math.max(ms, least), top) / least)) / Math.log(top / least);
  };

  slider.hidden = top <= least;
  slider.addEventListener('input', () => {
    const ms = least * (top / least) ** (slider.value / 1000);
    const name = ms >= 2 * units.d ? 'd' : ms >= 2 * units.h ? 'h' : 'min';
    unit.value = name;
    n.value = Math.min(Math.max(Math.round(ms / units[name]), Math.ceil(least / units[name])), Math.floor(top / units[name]));
    presets.forEach((p) => { p.checked = false; });
    show(typed());
  });
  const own = () => {
    if (n.value !== '') presets.forEach((p) => { p.checked = false; });
    show(typed());
    if (typed() > 0) slideTo(typed());
  };
  n.addEventListener('input', own);
  unit.addEventListener('change', own);
  for (const preset of presets) {
    preset.addEventListener('change', () => {
      n.value = '';
      cost.textContent = '';
      slideTo(Number(preset.value));
    });
    if (preset.checked) slideTo(Number(preset.value));
  }
}

export function amounts(root) {
  root.querySelectorAll('.amounts').forEach(wire);
}
