// Shows what the search finds below its field, as it is typed: pages, acts, objects. Without scripts the page of the search does.
const field = document.getElementById("seek");
const hits = document.getElementById("hits");
let waiting;

const close = () => {
  hits.replaceChildren();
  hits.hidden = true;
};

const find = async () => {
  const text = field.value.trim();
  if (text.length < 2) return close();
  const address = `/console/search?q=${encodeURIComponent(text)}`;
  const answer = await fetch(address, { headers: { "X-Background": "1" }, redirect: "manual" }).catch(() => undefined);
  if (!answer?.ok || field.value.trim() !== text) return undefined;
  const found = [...parsed(await answer.text()).querySelectorAll("#found a.row")].slice(0, 12);
  const list = document.createElement("ul");
  list.append(
    ...found.map((link) => {
      const item = document.createElement("li");
      const own = document.createElement("a");
      own.href = link.getAttribute("href");
      own.textContent = link.textContent;
      item.append(own);
      return item;
    }),
  );
  hits.replaceChildren(list);
  hits.hidden = !found.length;
  return undefined;
};

field?.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(find, 150);
});

field?.form.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !hits.hidden) {
    event.preventDefault();
    close();
    field.focus();
  }
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
  const links = [...hits.querySelectorAll("a")];
  if (!links.length) return;
  event.preventDefault();
  const at = links.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1);
  (links[at] ?? field).focus();
});

document.addEventListener("focusin", (event) => {
  if (field && !field.form.contains(event.target)) close();
});
document.addEventListener("click", (event) => {
  if (field && !field.form.contains(event.target)) close();
});
