"""What the pages of earnings and payouts show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from console.format import Amount, Ident, Moment, Prefs, amount, ident, moment, money
from console.forms import FormState
from console.gateway import Answer
from console.payment.view import company
from console.sections import unanswered
from console.status import Status, status_of
from console.widgets import Confirmation, Failed, Link, Page


@dataclass(frozen=True, slots=True, kw_only=True)
class Payable:
    """What can be paid out of a currency: now, later, and not while a payment is disputed."""

    available: Amount
    pending: Amount
    frozen: Amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one agent has earned in one currency; `href` leads to the agent."""

    name: str
    href: str
    earned: Amount
    available: Amount
    pending: Amount
    frozen: Amount
    granted: Amount
    paid_out: Amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Payout:
    """One payout. `failure` says why it was not sent."""

    id: Ident
    at: Moment
    status: Status
    amount: Amount
    failure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    provider: str
    country: str
    ready: bool
    destination: str
    requirements: tuple[str, ...]
    held_until: Moment | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Earnings(Page):
    payable: tuple[Payable, ...]
    rows: tuple[Row, ...]
    next: str
    earnings_failed: Failed | None
    over_time: str
    asks_payouts: bool
    account: Account | None
    preview_failed: Failed | None
    refused: str
    connect: str
    connect_form: FormState
    pay_out: str
    convert: str
    payouts: tuple[Payout, ...]
    payouts_failed: Failed | None
    statements: str


#: What the API says with the call to make, for people who have the button for it.
_WHY_NOT = {
    "payout.no_account": "No payout account yet. Connect Stripe to open one.",
    "payout.account_not_ready": "Stripe does not pay out to this account yet. Complete the steps at Stripe.",
    "payout.tax_profile_missing": "Stripe needs your tax details. Enter them at Stripe.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Connect(Page):
    """What leads on to the provider's own page; a form may not redirect to another site."""

    url: str
    until: Moment


def page(
    answers: Mapping[str, Answer],
    form: FormState,
    prefs: Prefs,
    base: str,
    now: datetime,
    *,
    may_pay_out: bool,
    may_convert: bool,
) -> Earnings:
    here = f"{base}/earnings"
    earnings, preview, payouts = (answers.get(name) for name in ("earnings", "preview", "payouts"))
    assert earnings is not None
    whole: Mapping[str, Any] = earnings.body if earnings.ok else {"payable": (), "data": (), "next_cursor": None}
    said: Mapping[str, Any] = preview.body if preview and preview.ok else {"account": None, "refused": None}
    able = may_pay_out and preview is not None and preview.ok and said["refused"] is None
    return Earnings(
        title="Earnings",
        payable=tuple(_payable(each, prefs) for each in _payables(whole, preview)),
        rows=tuple(_row(each, prefs, base) for each in whole["data"]),
        next=f"{here}?{urlencode({'cursor': whole['next_cursor']})}" if whole["next_cursor"] else "",
        earnings_failed=unanswered("Earnings", earnings, here),
        account=_account(said["account"], prefs, now) if said["account"] else None,
        over_time=f"{base}/analytics/earnings",
        asks_payouts=preview is not None,
        preview_failed=unanswered("Payouts", preview, here) if preview else None,
        refused=_WHY_NOT.get(said["refused"], said["detail"] or "") if said["refused"] else "",
        connect=f"{here}/connect" if may_pay_out and _pays_out(answers["config"]) else "",
        connect_form=form,
        pay_out=f"{here}/payouts/new" if able else "",
        convert=f"{here}/conversions/new" if may_convert and whole["data"] else "",
        payouts=tuple(_payout(each, prefs) for each in (payouts.body["data"] if payouts and payouts.ok else ())),
        payouts_failed=unanswered("Payouts", payouts, here) if payouts else None,
        statements=f"{here}/statement.pdf",
    )


def _payables(earnings: Mapping[str, Any], preview: Answer | None) -> Sequence[Mapping[str, Any]]:
    """Return what can be paid out of all agents; the earnings sum up those of their page only."""
    found: Sequence[Mapping[str, Any]] = preview.body["payable"] if preview and preview.ok else earnings["payable"]
    return found


def _payable(body: Mapping[str, Any], prefs: Prefs) -> Payable:
    return Payable(**{part: amount(body[part], body["currency"], prefs) for part in ("available", "pending", "frozen")})


def _row(body: Mapping[str, Any], prefs: Prefs, base: str) -> Row:
    parts = ("earned", "available", "pending", "frozen", "granted", "paid_out")
    written = {part: amount(body[part], body["asset"], prefs) for part in parts}
    return Row(name=body["agent_name"], href=f"{base}/agents/{body['agent_id']}", **written)


def _payout(body: Mapping[str, Any], prefs: Prefs) -> Payout:
    return Payout(
        id=ident(body["id"]),
        at=moment(body["created_at"], prefs),
        status=status_of("payout", body["status"]),
        amount=amount(body["amount"], body["currency"], prefs),
        failure=body["failure"] or "",
    )


def _account(body: Mapping[str, Any], prefs: Prefs, now: datetime) -> Account:
    held = body["held_until"]
    last, currency = body["destination_last4"], body["destination_currency"] or ""
    return Account(
        provider=company(body["provider"]),
        country=body["country"],
        ready=body["transfers_enabled"] and body["payouts_enabled"],
        destination=f"•••• {last} {currency}".strip() if last else "",
        requirements=tuple(each.replace("_", " ").replace(".", ": ") for each in body["requirements"]),
        held_until=moment(held, prefs) if held and datetime.fromisoformat(held) > now else None,
    )


def _pays_out(config: Answer) -> bool:
    """Return whether accounts for payouts can be opened: they are Stripe's. What is not known is left to the API."""
    return not config.ok or any(each["name"] == "stripe" for each in config.body["providers"])


def connect(body: Mapping[str, Any], prefs: Prefs, base: str) -> Connect:
    return Connect(
        title="Continue at the provider",
        crumbs=(Link(label="Earnings", href=f"{base}/earnings"),),
        url=body["onboarding_url"],
        until=moment(body["expires_at"], prefs),
    )


def paying_out(preview: Mapping[str, Any], form: FormState, prefs: Prefs, base: str) -> Confirmation:
    """Return the page that asks before what is available is paid out: all that there is in the bank's currency."""
    here, account = f"{base}/earnings", preview["account"] or {}
    leaves = account.get("destination_currency") or "USD"
    able = [each for each in preview["payable"] if each["available"].strip("0.")]
    paid = [each for each in able if each["currency"] == leaves]
    others = [each for each in able if each["currency"] != leaves]
    effect = [
        "The amount leaves your earnings now, and is sent to your account.",
        "This cannot be undone.",
    ]
    if others:
        effect.insert(1, f"Your bank account is in {leaves}, so other currencies stay in your earnings.")
    return Confirmation(
        title="Pay out the available amount?",
        back=here,
        action=f"{here}/payouts/new",
        label="Pay out",
        kind="primary",
        form=form,
        facts=(
            *(("Available", money(each["available"], each["currency"], prefs)) for each in paid),
            *(("Stays pending", money(each["pending"], each["currency"], prefs)) for each in paid),
            *(("Stays in your earnings", money(each["available"], each["currency"], prefs)) for each in others),
            *((("Goes to", f"•••• {account['destination_last4']}"),) if account.get("destination_last4") else ()),
        ),
        fields=(("currency", leaves),),
        effect=tuple(effect),
    )
