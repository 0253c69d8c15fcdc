((what, name, near) => {
  const kinds = {
    control: "a, button, input[type=submit], summary, label, [role=button], [role=tab]",
    field: "input:not([type=submit]):not([type=hidden]), textarea, select",
  };
  const called = new RegExp("^(?:" + name + ")$", "is");
  const names = (e) =>
    [e.getAttribute("aria-label"), e.innerText, e.matches("input[type=submit]") ? e.value : "", e.title, e.placeholder]
      .concat([...(what === "field" ? (e.labels ?? []) : [])].map((l) => l.innerText))
      .filter(Boolean)
      .map((text) => text.trim().replace(/\s+/g, " "));
  const all = [...document.querySelectorAll(kinds[what])].filter((e) => names(e).some((text) => called.test(text)));
  const beside = (e) => !near || e.closest("li")?.innerText.includes(near);
  const seen = all.filter(beside).filter((e) => e.checkVisibility({ visibilityProperty: true }) && !e.disabled);
  if (seen.length === 0) {
    return { Why: all.length > 0 ? "it is hidden or disabled" : "it is not there" };
  }
  const e = seen[0];
  e.scrollIntoView({ block: "center", behavior: "instant" });
  const box = e.getClientRects()[0] ?? e.getBoundingClientRect();
  const at = { X: box.x + box.width / 2, Y: box.y + box.height / 2, Why: "" };
  const top = document.elementFromPoint(at.X, at.Y);
  if (!top || !(e.contains(top) || top.contains(e) || [...(e.labels ?? [])].some((l) => l.contains(top)))) {
    return { Why: "something else is in front of it: " + top?.outerHTML.slice(0, 80) };
  }
  return at;
})
