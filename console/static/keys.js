// Keys: / and Ctrl K search, ? lists them, g and a letter go, j and k walk the rows, Enter opens one.
const single = document.documentElement.dataset.shortcuts !== "off";
const typing = (at) => at.matches?.("input, textarea, select, [contenteditable]") || at.closest?.("dialog[open]");
let going = 0;

const seek = (event) => {
  const field = document.getElementById("seek");
  if (!field) return;
  event.preventDefault();
  field.focus();
  field.select();
};

const walk = (step) => {
  const rows = [...document.querySelectorAll("main tbody a.row, main [data-row] a")];
  if (!rows.length) return;
  const at = rows.indexOf(document.activeElement);
  rows[at < 0 ? 0 : Math.min(Math.max(at + step, 0), rows.length - 1)].focus();
};

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key === "k") {
    seek(event);
    return;
  }
  if (!single || event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
  if (Date.now() - going < 1500) {
    going = 0;
    const link = document.querySelector(`[data-go="${CSS.escape(event.key)}"]`);
    if (link) {
      event.preventDefault();
      link.click();
    }
    return;
  }
  if (event.key === "g") going = Date.now();
  else if (event.key === "/") seek(event);
  else if (event.key === "?") document.getElementById("shortcuts")?.showModal();
  else if (event.key === "j") walk(1);
  else if (event.key === "k") walk(-1);
});
