// Tooltips of charts: by pointer, and by arrow keys. What they say is read from the table below each chart.
const tips = new WeakMap();

function rowsOf(canvas) {
  return [...canvas.closest("figure").querySelectorAll("tbody tr")];
}

function element(name, className, text) {
  const made = document.createElement(name);
  made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function partsOf(canvas) {
  if (!tips.has(canvas)) tips.set(canvas, { at: element("div", "at"), tip: element("div", "tip"), index: 0 });
  return tips.get(canvas);
}

function show(canvas, index) {
  const rows = rowsOf(canvas);
  if (!rows.length) return;
  const parts = partsOf(canvas);
  const { at, tip } = parts;
  parts.index = Math.max(0, Math.min(rows.length - 1, index));
  const [label, ...cells] = [...rows[parts.index].cells].map((cell) => cell.textContent.trim());
  const heads = [...canvas.closest("figure").querySelectorAll("thead th")].slice(1).map((head) => head.textContent.trim());
  tip.ariaHidden = "true";
  tip.replaceChildren(element("p", "when", label));
  cells.forEach((cell, number) => {
    const line = element("p", "");
    line.append(element("span", "dim", heads[number]), element("span", "money", cell));
    tip.append(line);
  });
  const share = (parts.index + 0.5) / rows.length;
  at.style.insetInlineStart = `${share * 100}%`;
  tip.style.insetInlineStart = share > 0.5 ? "auto" : `calc(${share * 100}% + 0.5rem)`;
  tip.style.insetInlineEnd = share > 0.5 ? `calc(${(1 - share) * 100}% + 0.5rem)` : "auto";
  canvas.append(at, tip);
  canvas.setAttribute("aria-valuenow", parts.index + 1);
  canvas.setAttribute("aria-valuetext", [label, ...cells.map((cell, number) => `${heads[number]} ${cell}`)].join(", "));
}

function hide(canvas) {
  const parts = tips.get(canvas);
  parts?.at.remove();
  parts?.tip.remove();
}

// A chart can be reached with the keyboard only where scripts run, so the element becomes a slider here.
function prepare(root) {
  const texts = document.getElementById("said").dataset;
  for (const canvas of root.querySelectorAll(".chart .canvas:not([role])")) {
    const count = rowsOf(canvas).length;
    if (!count) continue;
    const attributes = {
      role: "slider", tabindex: "0", "aria-label": texts.values,
      "aria-valuemin": 1, "aria-valuemax": count, "aria-valuenow": 1, "aria-valuetext": texts.press,
    };
    for (const [name, value] of Object.entries(attributes)) canvas.setAttribute(name, value);
  }
}

document.addEventListener("pointermove", (event) => {
  const canvas = event.target.closest?.(".chart .canvas");
  for (const other of document.querySelectorAll(".canvas:has(.tip)")) {
    if (other !== canvas && other !== document.activeElement) hide(other);
  }
  if (!canvas) return;
  const box = canvas.getBoundingClientRect();
  show(canvas, Math.floor(((event.clientX - box.left) / box.width) * rowsOf(canvas).length));
}, { passive: true });

document.addEventListener("focusin", (event) => {
  if (event.target.matches(".chart .canvas")) show(event.target, partsOf(event.target).index);
});
document.addEventListener("focusout", (event) => {
  if (event.target.matches(".chart .canvas")) hide(event.target);
});
document.addEventListener("keydown", (event) => {
  if (!event.target.matches?.(".chart .canvas")) return;
  const { index } = partsOf(event.target), last = rowsOf(event.target).length - 1;
  const to = { ArrowLeft: index - 1, ArrowDown: index - 1, ArrowRight: index + 1, ArrowUp: index + 1, Home: 0, End: last,
    PageUp: index + 10, PageDown: index - 10 }[event.key];
  if (event.key === "Escape") hide(event.target);
  if (to === undefined) return;
  event.preventDefault();
  show(event.target, to);
});

prepare(document);
document.addEventListener("bursar:shown", (event) => prepare(event.target));
