"""Where an escrow stands: the stages of its life, who acts next, and what happens if nobody does."""

from collections.abc import Mapping, Sequence
from decimal import Decimal, localcontext
from typing import Any, NamedTuple

from console.charts import Segment, segments
from console.charts.scale import EXACT
from console.filters import is_some, moment, money, past, percent
from console.format import amount, decimal
from console.noun import Json
from console.reader import reader
from console.status import SHAPES, Tone, status_of
from console.texts import N_, _, ngettext
from domain.escrow.state import FINAL, EscrowStatus as S


class Stage(NamedTuple):
    """A stage of an escrow's life: `at` is when it was reached; None if it was not, or the time is not known."""

    label: str
    at: str | None = None
    tone: Tone = Tone.IDLE
    here: bool = False

    @property
    def icon(self) -> str:
        return SHAPES[self.tone]


class Due(NamedTuple):
    """Effect of a deadline if nobody acts: `then` is a text to translate with `values`, `%(time)s` and `%(left)s`."""

    at: str
    then: str
    values: Mapping[str, Any]


_CANCELLED = N_("on %(time)s (%(left)s), the escrow is cancelled. No money moves.")
_BACK = N_("on %(time)s (%(left)s), %(payer)s gets %(held)s back.")
_PAID = N_("on %(time)s (%(left)s), %(agent)s of %(payee)s gets %(held)s, less the commission.")
_ALL = N_("on %(time)s (%(left)s), %(agent)s of %(payee)s gets %(share)s of %(held)s, less the commission.")
_SHARED = N_(
    "on %(time)s (%(left)s), %(agent)s of %(payee)s gets %(share)s of %(held)s, less the commission; "
    "%(payer)s gets the rest back."
)


def held(escrow: Json) -> Decimal:
    with localcontext(EXACT):
        paid = decimal(escrow["released_amount"]) + decimal(escrow["commission_amount"])
        return decimal(escrow["funded_amount"]) - paid - decimal(escrow["refunded_amount"])


def bar(escrow: Json) -> tuple[Segment, ...]:
    """Divide what was funded: held, paid, commission, returned."""
    parts = (
        (_("Held"), f"{held(escrow):f}", "busy"),
        (_("To %(name)s", name=escrow["agent_name"]), escrow["released_amount"], "good"),
        (_("Commission"), escrow["commission_amount"], "idle"),
        (_("Refund to %(payer)s", payer=escrow["payer_name"]), escrow["refunded_amount"], "warn"),
    )
    currency, prefs = escrow["currency"], reader().prefs
    return segments([(label, amount(value, currency, prefs), decimal(value), tone) for label, value, tone in parts])


def stages(escrow: Json, events: Sequence[Json]) -> list[Stage]:
    """Return the stages in their order: those that were reached, the present one, and those to come."""
    status, dispute, delivery = S(escrow["status"]), escrow["dispute"], escrow["delivery"]
    times, shown = {each["kind"]: each["at"] for each in events}, status_of("escrow", status)
    reached = [(_("Agreed"), escrow["created_at"])]
    if is_some(escrow["funded_amount"]):
        reached.append((_("Funded"), times.get("funded")))
    # After the release of a milestone the next one is waited for.
    if delivery and status is not S.FUNDED:
        reached.append((_("Delivered"), delivery["delivered_at"]))
    if dispute:
        reached.append((_("Disputed"), dispute["opened_at"]))
    if status in FINAL:
        reached.append((shown.word, escrow["updated_at"]))
    ahead = [] if status in FINAL else [_("Decided and paid out")] if dispute else [_("Accepted and paid out")]
    if not dispute and status in {S.OPEN, S.FUNDED}:
        ahead = [_("Funded"), _("Delivered"), *ahead][status is S.FUNDED :]
    *before, present = reached
    return [
        *(Stage(*each, Tone.GOOD) for each in before),
        Stage(*present, shown.tone if status in FINAL else Tone.BUSY, here=True),
        *(Stage(label) for label in ahead),
    ]


def summary(escrow: Json) -> str:
    if escrow["status"] in FINAL:
        return str(escrow["story"])
    if escrow["status"] == S.OPEN:
        return _("Not funded yet.")
    return _("%(amount)s held in escrow.", amount=_money(escrow, held(escrow)))


def awaited(escrow: Json) -> str:
    """Return who acts next."""
    match escrow["status"]:
        case S.OPEN:
            return _("%(payer)s has to fund it.", payer=escrow["payer_name"])
        case S.FUNDED:
            return _("%(agent)s has to deliver.", agent=escrow["agent_name"])
        case S.DELIVERED:
            return _releases(escrow)
        case S.DISPUTED if takes_evidence(escrow):
            return _("Both parties can add evidence. Then an arbiter decides.")
        case S.DISPUTED if not past(escrow["dispute"]["decide_by"]):
            return _("An arbiter has to decide by %(time)s.", time=moment(escrow["dispute"]["decide_by"]))
        case S.DISPUTED:
            return _("An arbiter has to decide.")
    return _("No action is needed.")


def _releases(escrow: Json) -> str:
    left, by_score = escrow["required_signatures"] - len(escrow["signatures"]), escrow["validation_threshold"]
    if left > 0 and by_score is not None:
        return ngettext(
            "%(left)s more signature or a score at the threshold releases the money.",
            "%(left)s more signatures or a score at the threshold releases the money.",
            left,
        ) % {"left": left}
    if left > 0:
        return ngettext(
            "%(left)s more signature releases the money.", "%(left)s more signatures releases the money.", left
        ) % {"left": left}
    if by_score is not None:
        return _("A score at the threshold releases the money.")
    return _("The delivery is under review.")


def takes_evidence(escrow: Json) -> bool:
    dispute = escrow["dispute"]
    return bool(dispute) and escrow["status"] not in FINAL and not past(dispute["evidence_until"])


def deadline(escrow: Json) -> str | None:
    """Return when something happens without an act; None if nothing does."""
    if escrow["status"] == S.DISPUTED:
        return str(escrow["dispute"]["default_at"])
    by = {S.OPEN: "fund_by", S.FUNDED: "deliver_by", S.DELIVERED: "review_by"}.get(escrow["status"])
    found: str | None = escrow["deadlines"][by] if by else None
    return found


def due(escrow: Json) -> Due | None:
    """Return what happens at the deadline if nobody acts, and to whom the money goes; None if there is none."""
    at, now_held, then, share = deadline(escrow), held(escrow), _CANCELLED, ""
    match escrow["status"]:
        case S.FUNDED:
            then = _BACK
        case S.DELIVERED:
            then, now_held = _PAID, _reviewed(escrow)
        case S.DISPUTED:
            default = escrow["dispute"]["default_payee_share"]
            then = _BACK if not is_some(default) else _ALL if decimal(default) == 1 else _SHARED
            share = percent(default)
    names = {name: escrow[f"{name}_name"] for name in ("payer", "agent", "payee")}
    return Due(at, then, {**names, "held": _money(escrow, now_held), "share": share}) if at else None


def _reviewed(escrow: Json) -> Decimal:
    """Return what the delivery under review is worth: its milestone's price, or all that is held."""
    prices = {each["name"]: decimal(each["amount"]) for each in escrow["milestones"]}
    name = escrow["delivery"]["milestone"] if escrow["delivery"] else None
    return min(prices.get(name or "", held(escrow)), held(escrow))


def _money(escrow: Json, value: Decimal) -> str:
    return money(f"{value:f}", escrow["currency"])
