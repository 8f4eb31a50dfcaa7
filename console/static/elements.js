// Stripe's own form, on the one page that lets Stripe's script in. What is typed there goes to Stripe and never here.
const form = document.getElementById("elements");
const script = document.getElementById("stripe-js");
const button = form.querySelector("button");
const wrong = document.getElementById("elements-error");
const home = new URL(script.src);

// Stripe's script loads more of itself, by addresses of its own origin; it makes HTML of no text.
const theirs = ({ origin, protocol, hostname }) =>
  origin === home.origin || (protocol === "https:" && home.hostname === "js.stripe.com" && hostname.endsWith(".js.stripe.com"));
globalThis.trustedTypes?.createPolicy("default", {
  createScriptURL: (address) => (theirs(new URL(address, location.href)) ? address : null),
});

const tell = (text) => {
  wrong.textContent = text;
  wrong.hidden = !text;
};
const busy = (is) => {
  button.disabled = is;
  button.toggleAttribute("aria-busy", is);
};

const begin = () => {
  const { theme } = document.documentElement.dataset;
  const night = theme === "dark" || (theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  const stripe = globalThis.Stripe(form.dataset.key);
  const elements = stripe.elements({ clientSecret: form.dataset.secret, appearance: { theme: night ? "night" : "stripe" } });
  const element = elements.create("payment");
  element.on("ready", () => busy(false));
  element.on("loaderror", (event) => tell(event.error?.message ?? form.dataset.unloaded));
  element.mount("#elements-form");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.disabled) return;
    tell("");
    busy(true);
    const back = new URL(form.dataset.back, location.href).href;
    const { error } = await stripe.confirmSetup({ elements, confirmParams: { return_url: back } });
    // Without an error Stripe leads away, to the bank or straight back.
    if (!error) return;
    tell(error.message ?? form.dataset.unloaded);
    busy(false);
  });
};
script.addEventListener("load", begin);
script.addEventListener("error", () => tell(form.dataset.unloaded));
