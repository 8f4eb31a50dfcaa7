// What is typed into a form marked data-draft survives signing in again: kept in this tab, never for secrets.
const place = (form) => `draft:${form.getAttribute("action") || location.pathname}`;
const kept = (field) => field.name && !["hidden", "password", "submit", "file"].includes(field.type);
const forms = [...document.querySelectorAll("form[data-draft]")];

// A command was done: what was typed has arrived.
if (document.querySelector("[data-done]")) {
  for (const key of Object.keys(sessionStorage)) if (key.startsWith("draft:")) sessionStorage.removeItem(key);
}

for (const form of forms) {
  const fields = () => [...form.elements].filter(kept);
  const written = sessionStorage.getItem(place(form));
  // What the server shows, as after a refusal, is newer than what was kept.
  if (written && !form.querySelector(".errors")) {
    const values = JSON.parse(written);
    fields().forEach((field, index) => {
      const value = values[index];
      if (!value || value.name !== field.name) return;
      if (field.type === "checkbox" || field.type === "radio") field.checked = value.checked;
      else if (field.value === field.defaultValue || field.tagName === "SELECT") field.value = value.value;
    });
  }
  form.addEventListener("input", () => {
    const values = fields().map((field) => ({ name: field.name, value: field.value, checked: field.checked }));
    sessionStorage.setItem(place(form), JSON.stringify(values));
  });
}
