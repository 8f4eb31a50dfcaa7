"""A stand-in for Stripe.js, as far as its Payment Element stores a payment method and Issuing Elements show a card.

Not Stripe's script: a small one of our own with the same functions, `Stripe(key).elements(…).create("payment")` and
`confirmSetup`, `createEphemeralKeyNonce` and `create("issuingCardNumberDisplay")`. Like Stripe's it loads a second
script, by an address of its own, and asks for the card, or shows it, in a frame of its own origin, so that the page
around it never has the number.
"""

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from dev.sandbox.stripe.core import page

_SCRIPT = """(() => {
const home = new URL(document.currentScript.src).origin;
const more = new Promise((done, failed) => {
  const script = document.createElement("script");
  script.onload = () => done(globalThis.StripeSandboxFrame);
  script.onerror = () => failed(new Error("The sandbox did not serve its second script."));
  script.src = `${home}/elements/frame.js`;
  document.head.append(script);
});
const shown = { issuingCardNumberDisplay: "number", issuingCardExpiryDisplay: "expiry", issuingCardCvcDisplay: "cvc" };
const issuing = (place, what) => new Promise((answered, failed) => {
  const frame = document.createElement("iframe"), channel = new MessageChannel();
  channel.port1.onmessage = ({ data }) => data.error ? failed(new Error(data.error)) : answered(data);
  frame.title = "Card at Stripe's sandbox";
  frame.src = `${home}/elements/issuing`;
  frame.style.cssText = "display: block; border: 0; inline-size: 100%; block-size: 1.5rem";
  frame.hidden = !what.show;
  frame.onload = () => frame.contentWindow.postMessage(what, home, [channel.port2]);
  if (what.show) place.replaceChildren(frame); else place.append(frame);
});
globalThis.Stripe = (key) => ({
  createEphemeralKeyNonce: async ({ issuingCard }) => {
    try {
      return await issuing(document.body, { card: issuingCard });
    } catch (error) {
      return { error };
    }
  },
  elements: ({ clientSecret, appearance = {} } = {}) => {
    const heard = {};
    const elements = {
      clientSecret,
      create: (kind, { issuingCard, nonce, ephemeralKeySecret, style } = {}) => {
        if (kind in shown) {
          const what = { show: shown[kind], card: issuingCard, nonce, key: ephemeralKeySecret, style: style?.base };
          return {
            on: (event, does) => { heard[event] = does; },
            mount: (selector) => issuing(document.querySelector(selector), what).then(
              () => heard.ready?.({ elementType: kind }), (error) => heard.loaderror?.({ error })),
          };
        }
        if (kind !== "payment") throw new Error(`This sandbox does not have the element ${kind}.`);
        return {
          on: (event, does) => { heard[event] = does; },
          mount: async (selector) => {
            try {
              elements.frame = await (await more)(home, document.querySelector(selector), appearance.theme);
              heard.ready?.({});
            } catch (error) {
              heard.loaderror?.({ error });
            }
          },
        };
      },
    };
    return elements;
  },
  confirmSetup: async ({ elements, confirmParams }) => {
    const { error, setup_intent: intent } = await elements.frame.ask({
      key, secret: elements.clientSecret, back: confirmParams.return_url,
    });
    if (error) return { error };
    const back = new URL(confirmParams.return_url);
    back.searchParams.set("setup_intent", intent.id);
    back.searchParams.set("setup_intent_client_secret", intent.client_secret);
    back.searchParams.set("redirect_status", "succeeded");
    location.assign(intent.next_action?.redirect_to_url?.url ?? back.href);
    return new Promise(() => {});
  },
});
})();
"""
_FRAME_SCRIPT = """globalThis.StripeSandboxFrame = (home, place, theme) => new Promise((done) => {
  const frame = document.createElement("iframe");
  frame.title = "Card details at Stripe's sandbox";
  frame.src = `${home}/elements/frame?theme=${theme === "night" ? "dark" : "light"}`;
  frame.style.cssText = "display: block; border: 0; inline-size: 100%; block-size: 9.5rem";
  const ask = (what) => new Promise((answered) => {
    const channel = new MessageChannel();
    channel.port1.onmessage = (event) => answered(event.data);
    frame.contentWindow.postMessage(what, home, [channel.port2]);
  });
  frame.onload = () => done({ ask });
  place.replaceChildren(frame);
});
"""
_ISSUING = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Card</title>
<style>body { margin: 0; font: 16px/1.5 system-ui, sans-serif; } p { margin: 0; white-space: nowrap; }</style>
</head>
<body>
<p></p>
<script>
addEventListener("message", async (event) => {
  const { show, style, ...sent } = event.data;
  const answer = await fetch(`/elements/issuing/${show ? "card" : "nonce"}`, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(sent),
  });
  const found = await answer.json();
  if (!answer.ok || !show) return event.ports[0].postMessage(answer.ok ? found : { error: "This card is not shown." });
  const place = document.querySelector("p");
  place.textContent = found[show].replace(/(.{4})(?=.{4})/g, "$1 ");
  place.style.color = style?.color ?? "";
  place.style.fontSize = style?.fontSize ?? "";
  event.ports[0].postMessage({});
});
</script>
</body>
</html>
"""
_FRAME = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Card details</title>
<style>
:root {{ color-scheme: {theme}; }}
* {{ box-sizing: border-box; }}
body {{ margin: 0; font: 15px/1.5 system-ui, sans-serif; background: Canvas; color: CanvasText; }}
label {{ display: block; font-size: .875rem; margin-bottom: .75rem; }}
input {{ display: block; width: 100%; padding: .6rem .7rem; font: inherit; border: 1px solid #8888;
  border-radius: .4rem; background: Field; color: FieldText; }}
.row {{ display: flex; gap: .75rem; }} .row > * {{ flex: 1; min-width: 0; }}
</style>
</head>
<body>
<label>Card number<input id="number" inputmode="numeric" autocomplete="cc-number"></label>
<div class="row">
<label>Expiry (MM/YY)<input id="expiry" value="12/34" autocomplete="cc-exp"></label>
<label>Security code<input id="cvc" value="123" inputmode="numeric" autocomplete="cc-csc"></label>
</div>
<script>
const value = (name) => document.getElementById(name).value.trim();
addEventListener("message", async (event) => {{
  const {{ key, secret, back }} = event.data;
  const [month, year] = value("expiry").split("/");
  const post = async (path, fields) => {{
    const headers = {{ Authorization: `Bearer ${{key}}` }};
    const answer = await fetch(`/v1/${{path}}`, {{ method: "POST", headers, body: new URLSearchParams(fields) }});
    const found = await answer.json();
    if (!answer.ok) throw found.error;
    return found;
  }};
  try {{
    const method = await post("payment_methods", {{
      type: "card",
      "card[number]": value("number"),
      "card[exp_month]": Number(month),
      "card[exp_year]": 2000 + Number(year),
      "card[cvc]": value("cvc"),
    }});
    const path = `setup_intents/${{secret.split("_secret_")[0]}}/confirm`;
    const intent = await post(path, {{ client_secret: secret, payment_method: method.id, return_url: back }});
    event.ports[0].postMessage({{ setup_intent: intent }});
  }} catch (error) {{
    event.ports[0].postMessage({{ error: {{ type: error.type, code: error.code, message: error.message }} }});
  }}
}});
</script>
</body>
</html>
"""


@page("GET", "/{release}/stripe.js")
async def serve_script(_: Request) -> Response:
    """Serve the script."""
    return Response(_SCRIPT, media_type="text/javascript")


@page("GET", "/elements/frame.js")
async def serve_second_script(_: Request) -> Response:
    """Serve what the script loads as it goes."""
    return Response(_FRAME_SCRIPT, media_type="text/javascript")


@page("GET", "/elements/issuing")
async def show_card(_: Request) -> Response:
    """Show what a page asks for of a card, where its key allows it."""
    return HTMLResponse(_ISSUING)


@page("GET", "/elements/frame")
async def show_frame(request: Request) -> Response:
    """Show the fields of the card, which confirm over the API with the publishable key of the page around them."""
    return HTMLResponse(_FRAME.format(theme="dark" if request.query_params.get("theme") == "dark" else "light"))
