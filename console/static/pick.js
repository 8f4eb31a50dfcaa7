// Suggests names for a field that picks an object among more than are listed: those that hold what is typed.
let waiting;
document.addEventListener("input", (event) => {
  const field = event.target;
  if (!field.dataset?.pick) return;
  clearTimeout(waiting);
  waiting = setTimeout(async () => {
    const text = field.value.trim();
    const address = `${field.dataset.pick}?q=${encodeURIComponent(text)}`;
    const answer = text && (await fetch(address, { headers: { "X-Background": "1" } }).catch(() => undefined));
    if (!answer?.ok || field.value.trim() !== text) return;
    const names = await answer.json();
    field.list.replaceChildren(
      ...names.map((name) => {
        const option = document.createElement("option");
        option.value = name;
        return option;
      }),
    );
  }, 200);
});
