"""Where an escrow stands: the stages of its life, who acts next, and what happens if nobody does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, localcontext
from typing import Any

from console.charts.scale import EXACT
from console.format import Amount, Moment, Prefs, amount, decimal, moment, percent, relative, seconds_until
from console.status import SHAPES, Tone, status_of
from console.texts import N_, _, ngettext
from domain.escrow.state import FINAL, EscrowStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A stage of an escrow's life: `at` is when it was reached; None if it was not, or the time is not known."""

    label: str
    at: Moment | None
    tone: Tone
    icon: str
    here: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """Effect of a deadline if nobody acts: `then` is a text to translate with `values`, `%(time)s` and `%(left)s`."""

    at: Moment
    left: str
    left_seconds: int
    then: str
    values: Mapping[str, Any]


_BACK = N_("on %(time)s (%(left)s), %(payer)s gets %(held)s back.")
_PAID = N_("on %(time)s (%(left)s), %(agent)s of %(payee)s gets %(held)s, less the commission.")
_ALL = N_("on %(time)s (%(left)s), %(agent)s of %(payee)s gets %(share)s of %(held)s, less the commission.")
_SHARED = N_(
    "on %(time)s (%(left)s), %(agent)s of %(payee)s gets %(share)s of %(held)s, less the commission; "
    "%(payer)s gets the rest back."
)


def held(escrow: Mapping[str, Any]) -> Decimal:
    with localcontext(EXACT):
        paid = decimal(escrow["released_amount"]) + decimal(escrow["commission_amount"])
        return decimal(escrow["funded_amount"]) - paid - decimal(escrow["refunded_amount"])


def stages(escrow: Mapping[str, Any], events: Sequence[Mapping[str, Any]], prefs: Prefs) -> tuple[Stage, ...]:
    """Return the stages in their order: those that were reached, the present one, and those to come."""
    status = EscrowStatus(escrow["status"])
    times = {each["kind"]: each["at"] for each in events}
    is_funded = bool(decimal(escrow["funded_amount"]))
    dispute, delivery = escrow["dispute"], escrow["delivery"]
    # After the release of a milestone the next one is waited for.
    delivered = delivery["delivered_at"] if delivery and status is not EscrowStatus.FUNDED else None
    reached = [(_("Agreed"), escrow["created_at"])]
    if is_funded:
        reached.append((_("Funded"), times.get("funded")))
    if delivered:
        reached.append((_("Delivered"), delivered))
    if dispute:
        reached.append((_("Disputed"), dispute["opened_at"]))
    if status in FINAL:
        reached.append((status_of("escrow", status.value).word, escrow["updated_at"]))
    ahead = [] if status in FINAL else [_("Decided and paid out")] if dispute else [_("Accepted and paid out")]
    if not dispute and status in {EscrowStatus.OPEN, EscrowStatus.FUNDED}:
        ahead = [_("Funded"), _("Delivered"), *ahead][status is EscrowStatus.FUNDED :]
    last = len(reached) - 1

    def done(index: int, label: str, at: str | None) -> Stage:
        tone = Tone.GOOD
        if index == last:
            tone = status_of("escrow", status.value).tone if status in FINAL else Tone.BUSY
        icon = SHAPES[Tone.GOOD if index < last else tone]
        return Stage(label=label, at=moment(at, prefs) if at else None, tone=tone, icon=icon, here=index == last)

    return (
        *(done(index, *each) for index, each in enumerate(reached)),
        *(Stage(label=label, at=None, tone=Tone.IDLE, icon="dash", here=False) for label in ahead),
    )


def summary(escrow: Mapping[str, Any], prefs: Prefs) -> str:
    if escrow["status"] == EscrowStatus.OPEN:
        return _("Not funded yet.")
    return _("%(amount)s held in escrow.", amount=_held(escrow, prefs))


def awaited(escrow: Mapping[str, Any], prefs: Prefs, now: datetime) -> str:
    match escrow["status"]:
        case EscrowStatus.OPEN:
            return _("%(payer)s has to fund it.", payer=escrow["payer_name"])
        case EscrowStatus.FUNDED:
            return _("%(agent)s has to deliver.", agent=escrow["agent_name"])
        case EscrowStatus.DELIVERED:
            return _releases(escrow)
        case EscrowStatus.DISPUTED if takes_evidence(escrow, now):
            return _("Both parties can add evidence. Then an arbiter decides.")
        case EscrowStatus.DISPUTED if seconds_until(escrow["dispute"]["decide_by"], now) > 0:
            return _("An arbiter has to decide by %(time)s.", time=moment(escrow["dispute"]["decide_by"], prefs))
        case EscrowStatus.DISPUTED:
            return _("An arbiter has to decide.")
    return _("No action is needed.")


def _releases(escrow: Mapping[str, Any]) -> str:
    left, by_score = (
        escrow["required_signatures"] - len(escrow["signatures"]),
        escrow["validation_threshold"] is not None,
    )
    if left > 0 and by_score:
        return ngettext(
            "%(left)s more signature or a score at the threshold releases the money.",
            "%(left)s more signatures or a score at the threshold releases the money.",
            left,
        ) % {"left": left}
    if left > 0:
        return ngettext(
            "%(left)s more signature releases the money.", "%(left)s more signatures releases the money.", left
        ) % {"left": left}
    return _("A score at the threshold releases the money.") if by_score else _("The delivery is under review.")


def takes_evidence(escrow: Mapping[str, Any], now: datetime) -> bool:
    dispute = escrow["dispute"]
    return bool(dispute) and escrow["status"] not in FINAL and seconds_until(dispute["evidence_until"], now) > 0


def due(escrow: Mapping[str, Any], prefs: Prefs, now: datetime) -> tuple[Due, ...]:
    """Return what happens at the deadlines if nobody acts, the next first: when, and to whom the money goes."""
    deadlines, dispute = escrow["deadlines"], escrow["dispute"]
    values = {
        "payer": escrow["payer_name"],
        "agent": escrow["agent_name"],
        "payee": escrow["payee_name"],
        "held": _held(escrow, prefs),
    }
    found: list[tuple[str | None, str]] = []
    match escrow["status"]:
        case EscrowStatus.OPEN:
            found = [(deadlines["fund_by"], N_("on %(time)s (%(left)s), the escrow is cancelled. No money moves."))]
        case EscrowStatus.FUNDED:
            found = [(deadlines["deliver_by"], _BACK)]
        case EscrowStatus.DELIVERED:
            values["held"] = _reviewed(escrow, prefs)
            found = [(deadlines["review_by"], _PAID)]
        case EscrowStatus.DISPUTED if dispute:
            share = dispute["default_payee_share"]
            values["share"] = percent(share, prefs)
            part = _ALL if decimal(share) == 1 else _SHARED
            found = [(dispute["default_at"], part if decimal(share) else _BACK)]
    return tuple(
        Due(
            at=moment(at, prefs),
            left=relative(at, now, prefs),
            left_seconds=seconds_until(at, now),
            then=then,
            values=values,
        )
        for at, then in found
        if at
    )


def _held(escrow: Mapping[str, Any], prefs: Prefs) -> Amount:
    return amount(f"{held(escrow):f}", escrow["currency"], prefs)


def _reviewed(escrow: Mapping[str, Any], prefs: Prefs) -> Amount:
    """Return what the delivery under review is worth: its milestone's price, or all that is held."""
    prices = {each["name"]: decimal(each["amount"]) for each in escrow["milestones"]}
    name = escrow["delivery"]["milestone"] if escrow["delivery"] else None
    least = min(prices.get(name or "", held(escrow)), held(escrow))
    return amount(f"{least:f}", escrow["currency"], prefs)
