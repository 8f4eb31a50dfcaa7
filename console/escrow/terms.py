"""The terms of a contract in words, for its own page and that of its escrow."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from console.format import Prefs, amount, duration, joined, percent
from console.texts import _
from domain.common.money import CREDIT


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    label: str
    value: str


def terms(contract: Mapping[str, Any], prefs: Prefs) -> tuple[Fact, ...]:
    threshold = contract["validation_threshold"]
    needed, names = contract["required_signatures"], contract["signatories"]

    def period(name: str) -> str:
        return duration(contract[name], prefs)

    score = _("does not release the money")
    if threshold is not None:
        score = _("%(score)s or more releases the money", score=percent(threshold, prefs))
    share = percent(contract["dispute_default_payee_share"], prefs)
    pairs = [
        (_("Price"), amount(contract["price"], contract["currency"], prefs).text),
        (_("Commission"), percent(f"{Decimal(contract['commission_bps']).scaleb(-4):f}", prefs)),
        (_("Minimum payout"), _least(contract["least_payout"], prefs)),
        (_("Fund within"), period("fund_within")),
        (_("Deliver within"), period("deliver_within")),
        (_("Review"), _("%(time)s, then the money is released", time=period("review_period"))),
        (
            _("Signatures"),
            _("%(needed)s of %(number)s: %(names)s", needed=needed, number=len(names), names=joined(names)),
        ),
        (_("Score"), score),
        (_("Evidence"), _("can be added for %(time)s", time=period("evidence_period"))),
        (_("Decision"), _("within %(time)s after that", time=period("decision_period"))),
        (
            _("If nobody decides"),
            _("%(share)s to the payee, %(time)s later", share=share, time=period("default_grace")),
        ),
        (
            _("Platform staff may approve"),
            _("yes, on a signatory's behalf") if contract["operator_approvals"] else _("no"),
        ),
    ]
    if contract["currency"] == CREDIT:
        is_accepted = contract["accepts_granted_credits"]
        pairs.append((_("Granted credits"), _("accepted, not paid out") if is_accepted else _("not accepted")))
    return tuple(Fact(label=label, value=value) for label, value in pairs)


def _least(paid: Mapping[str, Any] | None, prefs: Prefs) -> str:
    return _("none: your own agent") if paid is None else amount(paid["amount"], paid["currency"], prefs).text
