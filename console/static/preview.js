// What is typed into a form[data-preview] is tried at once: its page is asked for, and what that would do takes the place
// of what is shown. Nothing can be sent meanwhile, and the value that is sent comes with the words that are shown.
const form = document.querySelector("form[data-preview]");
const SHOWN = ["previewed", "decided"];
let turn = 0, waiting;

const wrong = (text) => {
  const place = form.querySelector("[data-wrong]");
  place.textContent = text;
  place.hidden = !text;
};

const preview = async (mine) => {
  const address = new URL(form.action);
  address.search = new URLSearchParams(new FormData(form));
  const answer = await fetch(address, { redirect: "manual", headers: { "X-Background": "1" } }).catch(() => undefined);
  const page = answer && answer.type !== "opaqueredirect" ? parsed(await answer.text()) : undefined;
  if (mine !== turn) return;
  const own = page?.querySelector("form[data-preview]");
  const fresh = SHOWN.map((id) => page?.getElementById(id));
  if (own && fresh.every(Boolean)) {
    fresh.forEach((part, at) => document.getElementById(SHOWN[at])?.replaceWith(document.importNode(part, true)));
    wrong("");
  } else wrong(own?.querySelector(".error:not([data-wrong])")?.textContent ?? form.dataset.unanswered);
};

const soon = () => {
  clearTimeout(waiting);
  const mine = ++turn;
  for (const button of document.querySelectorAll("#decided button")) button.disabled = true;
  waiting = setTimeout(preview, 250, mine);
};

form?.addEventListener("input", soon);
form?.addEventListener("click", (event) => {
  const usual = event.target.closest("[data-typed]");
  if (!usual || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  form.querySelector("input").value = usual.dataset.typed;
  soon();
});
