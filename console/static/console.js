// What every page has: dialogs, busy buttons, copying, asking again. All of it works without, by pages of its own.
const all = (selector, within = document) => [...within.querySelectorAll(selector)];

// What scripts say, in the reader's language.
const texts = document.getElementById("said")?.dataset ?? {};

// For times on pages of a person who has saved no time zone.
const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
const attributes = `path=/console; max-age=31536000; samesite=lax${location.protocol === "https:" ? "; secure" : ""}`;
document.cookie = `bursar_zone=${timeZone}; ${attributes}`;

// Browsers keep the clipboard from pages of plain http: the buttons are not seen there, and their room stays.
if (!navigator.clipboard) document.documentElement.dataset.clipboard = "none";

document.addEventListener("click", (event) => {
  const target = event.target.closest("[data-dialog], [data-close], [data-copy]");
  if (!target || event.defaultPrevented || event.metaKey || event.ctrlKey || event.shiftKey) return;
  if (target.dataset.copy !== undefined) {
    navigator.clipboard.writeText(target.dataset.copy).then(() => say(texts.copied));
    return;
  }
  if (target.dataset.close !== undefined) {
    target.closest("dialog")?.close();
    return;
  }
  const dialog = document.getElementById(target.dataset.dialog);
  if (dialog) {
    event.preventDefault();
    dialog.showModal();
  }
});

// The first form of the page that a link leads to, in a dialog of this one; where that is not to be had, the link leads on.
document.addEventListener("click", async (event) => {
  const link = event.target.closest("a[data-pull]");
  if (!link || event.defaultPrevented || event.metaKey || event.ctrlKey || event.shiftKey) return;
  const dialog = document.getElementById(link.dataset.pull);
  if (!dialog || link.pathname === location.pathname) return;
  event.preventDefault();
  const answer = await fetch(link.href, { redirect: "manual" }).catch(() => undefined);
  const form = answer?.ok && parsed(await answer.text()).querySelector("main form[method=get]");
  if (!form) {
    location.assign(link.href);
    return;
  }
  const own = document.importNode(form, true);
  // The page may have fields of the same names, and an id is that of one element.
  for (const name of ["id", "for", "aria-describedby"]) {
    for (const part of all(`[${name}]`, own)) part.setAttribute(name, part.getAttribute(name).replace(/\S+/g, "pulled-$&"));
  }
  dialog.querySelector("[data-pulled]").replaceChildren(own);
  dialog.showModal();
});

// Units of amounts whose currency is chosen in the same form.
for (const unit of all("[data-of]")) {
  const choice = document.getElementById(unit.dataset.of);
  const show = () => {
    unit.textContent = choice.value === "CREDIT" ? unit.dataset.credits : choice.value;
  };
  choice.addEventListener("change", show);
  show();
}

// A form is sent once. The key in it would make a second one harmless; this spares the wait.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || event.defaultPrevented) return;
  if (form.dataset.sent !== undefined) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "";
  setTimeout(() => {
    for (const button of all("button[type=submit]", form)) {
      button.setAttribute("aria-disabled", "true");
      button.setAttribute("aria-busy", "true");
    }
  }, 300);
});
// Back shows the page as it was left, with forms that may be sent again.
addEventListener("pageshow", () => {
  for (const form of all("form[data-sent]")) {
    delete form.dataset.sent;
    for (const button of all("button[aria-busy]", form)) {
      button.removeAttribute("aria-disabled");
      button.removeAttribute("aria-busy");
    }
  }
});

for (const form of all("form[data-again]")) setTimeout(() => form.requestSubmit(), Number(form.dataset.again) * 1000);
const wrong = document.getElementById("errors");
(wrong?.closest("dialog") ?? document.querySelector("dialog[data-open]"))?.showModal();
wrong?.focus();

globalThis.say = (text) => {
  const place = document.getElementById("said");
  if (place) place.textContent = text;
};
