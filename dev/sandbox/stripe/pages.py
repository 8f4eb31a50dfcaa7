"""The pages that a payer meets: checkout, 3-D Secure, and where to send money. Plain HTML."""

from html import escape
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from dev.sandbox.stripe import cards, checkout, intents, money, periods, transfers
from dev.sandbox.stripe.core import Context, Refusal, page
from dev.sandbox.stripe.operations import three_d_secure

JSON = dict[str, Any]

# What the checkout offers: ids of test cards and accounts, and what each shows.
SUGGESTED = (
    ("pm_card_visa", "succeeds"),
    ("pm_card_authenticationRequiredOnSetup", "asks for 3-D Secure"),
    ("pm_card_visa_chargeDeclined", "is declined"),
    ("pm_card_visa_chargeDeclinedInsufficientFunds", "has insufficient funds"),
    ("pm_card_createDispute", "succeeds, then is disputed"),
    ("pm_card_refundFail", "succeeds; a refund fails later"),
    ("pm_usBankAccount_success", "US bank debit, settles after days"),
    ("pm_usBankAccount_insufficientFunds", "US bank debit, fails after days"),
    ("pm_success_at", "SEPA debit, settles after days"),
)

_VERBS = {"payment": "Pay", "setup": "Store", "subscription": "Subscribe"}
_LAYOUT = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --line: #8884; --accent: #4b45c6; --bad: #c2293b; }}
* {{ box-sizing: border-box; }}
body {{ margin: 0; font: 16px/1.5 system-ui, sans-serif; background: Canvas; color: CanvasText; }}
header {{ padding: .6rem 1rem; text-align: center; background: #f4c4301f; border-bottom: 1px solid var(--line); }}
main {{ max-width: 26rem; margin: 0 auto; padding: 2rem 1.25rem; }}
h1 {{ font-size: 1.1rem; font-weight: 500; margin: 0; }}
.amount {{ font-size: 2.2rem; font-weight: 650; margin: .2rem 0 1.2rem; }}
ul {{ list-style: none; margin: 0 0 1.5rem; padding: 0; border-block: 1px solid var(--line); }}
li {{ display: flex; justify-content: space-between; gap: 1rem; padding: .55rem 0; }}
li > span:last-of-type {{ white-space: nowrap; }}
li + li {{ border-top: 1px solid var(--line); }}
label {{ display: block; font-size: .875rem; margin-bottom: .9rem; }}
input {{ display: block; width: 100%; margin-top: .25rem; padding: .65rem .75rem; font: inherit;
  border: 1px solid #8888; border-radius: .4rem; background: Field; color: FieldText; }}
.row {{ display: flex; gap: .9rem; }} .row > * {{ flex: 1; min-width: 0; }}
button, .button {{ display: block; width: 100%; margin-top: .6rem; padding: .75rem; font: inherit; font-weight: 600;
  text-align: center; text-decoration: none; border: 1px solid var(--accent); border-radius: .4rem; cursor: pointer;
  background: var(--accent); color: #fff; }}
.plain {{ background: none; color: inherit; border-color: var(--line); }}
:focus-visible {{ outline: 3px solid #8f8aff; outline-offset: 2px; }}
.error {{ padding: .6rem .8rem; border-left: 4px solid var(--bad); background: #c2293b14; }}
details {{ margin-top: 1.5rem; }} summary {{ cursor: pointer; padding: .4rem 0; }}
.number {{ width: auto; margin: 0; padding: .15rem .5rem; font-weight: 400; white-space: nowrap;
  font-variant-numeric: tabular-nums; }}
details li {{ align-items: center; font-size: .875rem; }}
.quiet {{ opacity: .75; font-size: .875rem; }}
</style>
</head>
<body>
<header class="quiet">Sandbox: no money moves here</header>
<main>
{body}
</main>
</body>
</html>
"""


@page("GET", "/pay/{session}")
async def show_checkout(request: Request) -> Response:
    """Show what is to be paid and a form; a session that has ended leads to where it ended."""
    async with request.app.state.sandbox.transaction() as ctx:
        session = ctx.store.get("checkout.session", request.path_params["session"])
        if session is None:
            return gone()
        return _checkout(ctx, session)


@page("POST", "/pay/{session}")
async def pay_checkout(request: Request) -> Response:
    """Pay with what was typed; a decline is shown above the form."""
    form = dict(parse_qsl((await request.body()).decode()))
    async with request.app.state.sandbox.transaction() as ctx:
        session = ctx.store.get("checkout.session", request.path_params["session"])
        if session is None:
            return gone()
        if session["status"] != "open":
            return _checkout(ctx, session)
        try:
            refusal = await checkout.pay(ctx, session, typed_method(ctx, form))
        except Refusal as raised:
            refusal = raised
        session = ctx.store.get("checkout.session", session["id"]) or session
        waiting = checkout.waits_for(ctx, session)
        if refusal is None and waiting is not None:
            return RedirectResponse(f"/3ds/{waiting['id']}", 303)
        return _checkout(ctx, session, form=form, error=refusal.message if refusal else None)


@page("GET", "/3ds/{intent}")
async def show_three_d_secure(request: Request) -> Response:
    """Ask the payer, in the place of their bank, whether it is they who pay."""
    async with request.app.state.sandbox.transaction() as ctx:
        intent = ctx.store.find(request.path_params["intent"])
        if intent is None or intent["status"] != "requires_action" or intents.waits_for_transfer(intent):
            return gone()
        asked = f"<p class='amount'>{_amount(intent)}</p>" if "amount" in intent else ""
        return html_page(
            "Confirm with your bank",
            f"<h1>Your bank asks: is it you who pays?</h1>{asked}<form method='post'>"
            "<button name='outcome' value='succeed'>Authorise</button>"
            "<button name='outcome' value='fail' class='plain'>Fail the authentication</button></form>",
        )


@page("POST", "/3ds/{intent}")
async def end_three_d_secure(request: Request) -> Response:
    """Do what the payer chose and lead them back to where they came from."""
    form = dict(parse_qsl((await request.body()).decode()))
    succeeds = form.get("outcome") == "succeed"
    async with request.app.state.sandbox.transaction() as ctx:
        intent = ctx.store.find(request.path_params["intent"])
        if intent is None or intent["status"] != "requires_action" or intents.waits_for_transfer(intent):
            return gone()
        action = intent["next_action"]
        ended = three_d_secure.finish(ctx, intent, succeeds=succeeds)
        back = (action.get("redirect_to_url") or {}).get("return_url")
        if back is None:
            return html_page("Thank you", "<h1>Thank you. You can close this page.</h1>")
        return RedirectResponse(_with_outcome(back, ended), 303)


@page("GET", "/bank_transfer/{intent}")
async def show_bank_transfer(request: Request) -> Response:
    """Show where to send what is missing, and a form that sends it."""
    async with request.app.state.sandbox.transaction() as ctx:
        return _transfer(ctx, request.path_params["intent"])


@page("POST", "/bank_transfer/{intent}")
async def send_bank_transfer(request: Request) -> Response:
    """Let a transfer of the typed amount arrive, which may be more or less than what is missing."""
    form = dict(parse_qsl((await request.body()).decode()))
    async with request.app.state.sandbox.transaction() as ctx:
        intent = ctx.store.get("payment_intent", request.path_params["intent"])
        amount = form.get("amount", "")
        if intent is None or not intents.waits_for_transfer(intent) or not amount.isdecimal() or len(amount) > 8:
            return gone()
        shown = intent["next_action"]["display_bank_transfer_instructions"]
        if int(amount):
            transfers.fund(ctx, intent["customer"], intent["currency"], int(amount), shown["reference"])
        return _transfer(ctx, intent["id"])


def _checkout(ctx: Context, session: JSON, *, form: dict[str, str] | None = None, error: str | None = None) -> Response:
    if session["status"] == "complete":
        back = (session["success_url"] or session["return_url"] or "").replace("{CHECKOUT_SESSION_ID}", session["id"])
        return RedirectResponse(back, 303) if back else html_page("Thank you", "<h1>Thank you.</h1>")
    if session["status"] == "expired":
        return html_page("Expired", "<h1>This page has expired.</h1>" + _cancel_link(session))
    intent = checkout.intent_of(ctx, session) or {}
    former = intent.get("last_payment_error") or intent.get("last_setup_error")
    error = error or (former["message"] if former else None)
    form = form or {}
    rows = "".join(
        f"<li><span>{escape(each['description'] or '')}{_times(each)}{_every(each)}</span>"
        f"<span>{money.written(each['amount_total'], each['currency'])}</span></li>"
        for each in checkout.lines(ctx, session)
    )
    is_setup = session["mode"] == "setup"
    head = (
        "<h1>Store a payment method</h1>"
        if is_setup
        else (f"<h1>To pay</h1><p class='amount'>{money.written(session['amount_total'], session['currency'])}</p>")
    )
    email = form.get("email") or session["customer_email"] or ""
    return html_page(
        "Checkout",
        f"{head}{f'<ul>{rows}</ul>' if rows else ''}"
        + card_form(email, form.get("number"), _VERBS[session["mode"]], error, _cancel_link(session)),
        status=402 if error and form else 200,
    )


def card_form(email: str, number: str | None, verb: str, error: str | None, link: str = "") -> str:
    """Return the form that a payer types a card into, with the numbers of test cards, as HTML; `link` is HTML."""
    suggested = "".join(
        f"<li><span>{escape(said)}</span><button type='button' class='plain number' "
        f"onclick='this.form.number.value=this.textContent'>{escape(_grouped(cards.CARDS[id].number))}</button></li>"
        for id, said in SUGGESTED
    )
    return (
        f"{f'<p class=error role=alert>{escape(error)}</p>' if error else ''}"
        "<form method='post'><label>E-mail"
        f"<input name='email' type='email' autocomplete='email' value='{escape(email)}'></label>"
        "<label>Card number, account number or IBAN<input name='number' required autocomplete='off' "
        f"value='{escape(number or '4242 4242 4242 4242')}'></label>"
        "<div class='row'>"
        "<label>Expiry<input name='expiry' value='12/34' pattern='\\d\\d ?/ ?\\d\\d' required></label>"
        "<label>Security code<input name='cvc' value='123' inputmode='numeric' required></label></div>"
        f"<button>{verb}</button>{link}"
        f"<details><summary class='quiet'>Test numbers</summary><ul>{suggested}</ul></details></form>"
    )


def _transfer(ctx: Context, id: str) -> Response:
    intent = ctx.store.get("payment_intent", id)
    if intent is not None and intent["status"] == "succeeded":
        return html_page("Thank you", "<h1>Thank you. Your transfer has arrived.</h1>")
    if intent is None or not intents.waits_for_transfer(intent):
        return gone()
    shown = intent["next_action"]["display_bank_transfer_instructions"]
    details = [("Reference", shown["reference"])] if shown["reference"] else []
    for address in shown["financial_addresses"]:
        parts = address[address["type"]].items()
        details += [(name.replace("_", " "), value) for name, value in parts if isinstance(value, str)]
    rows = "".join(f"<li><span>{escape(name)}</span><span>{escape(value)}</span></li>" for name, value in details)
    missing = shown["amount_remaining"]
    return html_page(
        "Bank transfer",
        f"<h1>To send</h1><p class='amount'>{money.written(missing, shown['currency'])}</p><ul>{rows}</ul>"
        "<form method='post'><label>Amount in the smallest unit"
        f"<input name='amount' inputmode='numeric' pattern='\\d{{1,8}}' required value='{missing}'></label>"
        "<button>Let it arrive</button></form>",
    )


def typed_method(ctx: Context, form: dict[str, str]) -> JSON:
    """Store the payment method that was typed into the form, and return it."""
    card = cards.by_number(form.get("number", ""))
    month, _, year = form.get("expiry", "12/34").partition("/")
    number = {"card": "number", "us_bank_account": "account_number", "sepa_debit": "iban"}
    kind = card.type if card else "card"
    details: JSON = {number[kind]: form.get("number", "")}
    if kind == "card" and month.strip().isdigit() and year.strip().isdigit():
        details |= {"exp_month": int(month), "exp_year": 2000 + int(year)}
    return cards.from_data(ctx, {"type": kind, kind: details, "billing_details": {"email": form.get("email") or None}})


def _with_outcome(back: str, intent: JSON) -> str:
    scheme, netloc, path, query, fragment = urlsplit(back)
    succeeded = intent["status"] in ("succeeded", "requires_capture", "processing", "requires_confirmation")
    kind = intent["object"]
    added = [
        (kind, intent["id"]),
        (f"{kind}_client_secret", intent["client_secret"]),
        ("redirect_status", "succeeded" if succeeded else "failed"),
    ]
    return urlunsplit((scheme, netloc, path, urlencode([*parse_qsl(query), *added]), fragment))


def _amount(intent: JSON) -> str:
    return money.written(intent["amount"], intent["currency"])


def _every(line: JSON) -> str:
    """Return what a line costs each period, if it does."""
    price = line["price"]
    if price["type"] != "recurring":
        return ""
    recurring, amount = price["recurring"], periods.priced(price, line["quantity"])
    return f"<br><span class='quiet'>{money.written(amount, price['currency'])} {periods.named(recurring)}</span>"


def _times(line: JSON) -> str:
    return f" &times; {line['quantity']}" if line["quantity"] != 1 else ""


def method_name(payment_method: JSON) -> str:
    """Return what a payer knows a method by, as HTML."""
    details = payment_method[payment_method["type"]]
    name = details.get("brand") or payment_method["type"].replace("_", " ")
    return escape(f"{name} •••• {details['last4']}")


def _grouped(number: str) -> str:
    return " ".join(number[at : at + 4] for at in range(0, len(number), 4))


def _cancel_link(session: JSON) -> str:
    url = session["cancel_url"]
    return f"<a class='button plain' href='{escape(url)}'>Back</a>" if url else ""


def gone() -> Response:
    """Return the page of what is not there, or not any more."""
    return html_page("Not here", "<h1>There is nothing to do here (any more).</h1>", status=404)


def html_page(title: str, body: str, *, status: int = 200) -> Response:
    """Return a page in the layout that all of them have; `body` is HTML."""
    return HTMLResponse(_LAYOUT.format(title=escape(title), body=body), status)
