// A card's number, on the one page that lets Stripe's script in. Stripe shows it in frames of its own; it never comes here.
const form = document.getElementById("card-number");
const script = document.getElementById("stripe-js");
const wrong = document.getElementById("card-error");
const home = new URL(script.src);

// Stripe's script loads more of itself, by addresses of its own origin; it makes HTML of no text.
const theirs = ({ origin, protocol, hostname }) =>
  origin === home.origin || (protocol === "https:" && home.hostname === "js.stripe.com" && hostname.endsWith(".js.stripe.com"));
globalThis.trustedTypes?.createPolicy("default", {
  createScriptURL: (address) => (theirs(new URL(address, location.href)) ? address : null),
});

const tell = (text) => {
  wrong.textContent = text;
  wrong.hidden = false;
};

const begin = async () => {
  const stripe = globalThis.Stripe(form.dataset.key), issuingCard = form.dataset.card;
  const { nonce, error } = await stripe.createEphemeralKeyNonce({ issuingCard });
  if (error) return tell(error.message ?? form.dataset.unloaded);
  const body = new URLSearchParams(new FormData(form));
  body.set("nonce", nonce);
  const answer = await fetch(form.action, { method: "POST", body });
  const shown = await answer.json();
  if (!answer.ok) return tell(shown.error);
  // Their frames have no style of ours.
  const { color, fontSize } = getComputedStyle(document.body);
  const terms = { issuingCard, nonce, ephemeralKeySecret: shown.ephemeral_key, style: { base: { color, fontSize } } };
  const elements = stripe.elements();
  for (const [kind, place] of [["Number", "digits"], ["Expiry", "expiry"], ["Cvc", "code"]]) {
    elements.create(`issuingCard${kind}Display`, terms).mount(`#card-${place}`);
  }
};
const failed = () => tell(form.dataset.unloaded);
script.addEventListener("load", () => begin().catch(failed));
script.addEventListener("error", failed);
