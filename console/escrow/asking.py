"""Page of one command: its effect in amounts, and its form."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from console.escrow.acts import OfferedCommand, act
from console.escrow.one import Dispute, dispute_of
from console.format import Amount, Prefs, amount, decimal, percent
from console.forms import FormState
from console.paying import COIN, Way
from console.texts import N_, _, gettext
from console.widgets import Link, Page
from domain.common.money import COINS, CREDIT
from domain.escrow.actions import EscrowAction

#: What is asked for, and how the API calls it.
ASKED: Mapping[EscrowAction, str] = {EscrowAction.RESOLVE: "payee_share", EscrowAction.REFUND: "amount"}
#: The field that it is typed into.
TYPED: Mapping[EscrowAction, str] = {EscrowAction.RESOLVE: "percent", EscrowAction.REFUND: "amount"}
NO_PERCENT = N_("Enter a percentage from 0 to 100, with at most two decimals.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking(Page):
    """The page of one command.

    Attributes:
        entry: the form that asks for the share or the amount, sent to the same address by GET; None without one.
        known: whether the command can be given: its share or amount is known and possible.
        change: where an amount is asked for again; empty for a command without.
        chosen: the share or the amount that the effect is of, as it was typed.
        shares: usual shares in percent, with links to them.
        dispute: what a decision is about; None for other commands.
        parties: the names of payer and payee.
        sources: what an escrow is funded from: triples of a value, its words and a hint.
        costs: what credits for the escrow cost that are paid from outside; None if it is in money, or not known.
        total: the same, as it is sent with the form; empty if it is not known.
        available: the payer's credits; None if they are not known or are not asked for.
    """

    act: OfferedCommand
    back: str
    entry: FormState | None
    known: bool
    change: str
    chosen: str
    shares: tuple[tuple[str, Link], ...]
    dispute: Dispute | None
    parties: tuple[str, str]
    sources: tuple[Way, ...]
    costs: Amount | None
    total: str
    available: Amount | None


def page(
    escrow: Mapping[str, Any],
    action: Mapping[str, Any],
    form: FormState,
    prefs: Prefs,
    here: str,
    *,
    now: datetime,
    chosen: str = "",
    entry: FormState | None,
    known: bool = True,
    balance: Mapping[str, Any] | None = None,
    ways: tuple[Way, ...] = (),
    quote: Mapping[str, Any] | None = None,
) -> Asking:
    """Return the page of a command that is allowed."""
    given = act(escrow, action, prefs, here, form)
    name = EscrowAction(given.name)
    decides = name is EscrowAction.RESOLVE
    if decides and known:
        given = replace(given, label=_("Decide: %(share)s to the payee", share=percent(chosen, prefs)))
    return Asking(
        title=_("Decide the dispute") if decides else _("Refund") if entry else given.label,
        crumbs=(Link(label=escrow["title"], href=here),),
        act=given,
        back=here,
        entry=entry,
        known=known,
        change=given.href if name is EscrowAction.REFUND else "",
        chosen=chosen,
        shares=tuple(
            (each, Link(label=gettext(label), href=f"{given.href}?percent={each}")) for each, label in _SHARES
        ),
        dispute=dispute_of(escrow, prefs, now) if decides and escrow["dispute"] else None,
        parties=(escrow["payer_name"], escrow["payee_name"]),
        sources=(*_sources(escrow["currency"]), *ways) if name is EscrowAction.FUND else (),
        costs=amount(quote["subtotal"], quote["currency"], prefs) if quote else None,
        total=quote["subtotal"] if quote else "",
        available=amount(balance["available"], balance["currency"], prefs) if balance else None,
    )


_SHARES = (("0", N_("Nothing")), ("25", "25%"), ("50", N_("Half")), ("75", "75%"), ("100", N_("Everything")))


def shifted(text: str, places: int) -> str:
    """Return a number times a power of ten, exactly, for a share that is typed in percent; other text as it is."""
    try:
        sign, digits, exponent = decimal(text).as_tuple()
    except ValueError:
        return text
    assert isinstance(exponent, int)
    whole, mark, rest = f"{Decimal((sign, digits, exponent + places)):f}".partition(".")
    rest = rest.rstrip("0")
    return f"{whole}{mark}{rest}" if rest else whole


def outside(currency: str, ways: tuple[Way, ...]) -> tuple[Way, ...]:
    if currency == CREDIT:
        return ways
    return tuple(way for way in ways if way[0] == f"{COIN}{currency}" or (currency not in COINS and COIN not in way[0]))


def _sources(currency: str) -> tuple[Way, ...]:
    if currency == CREDIT:
        return (("credits", _("Credits"), _("Moved from your credits into escrow now.")),)
    return (
        (
            "balance",
            _("Balance in %(currency)s", currency=currency),
            _("Moved from your balance into escrow now."),
        ),
    )
