"""The terms of a contract in words, for its own page and that of its escrow."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from console.format import Prefs, amount, duration, joined, percent
from domain.common.money import CREDIT


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    label: str
    value: str


def terms(contract: Mapping[str, Any], prefs: Prefs) -> tuple[Fact, ...]:
    threshold = contract["validation_threshold"]
    needed, names = contract["required_signatures"], contract["signatories"]
    pairs = [
        ("Price", amount(contract["price"], contract["currency"], prefs).text),
        ("Commission", percent(f"{Decimal(contract['commission_bps']).scaleb(-4):f}", prefs)),
        ("Minimum payout", _least(contract["least_payout"], prefs)),
        ("Fund within", duration(contract["fund_within"], prefs)),
        ("Deliver within", duration(contract["deliver_within"], prefs)),
        ("Review", f"{duration(contract['review_period'], prefs)}, then the money is released"),
        ("Signatures", f"{needed} of {len(names)}: {joined(names)}"),
        (
            "Score",
            "does not release the money"
            if threshold is None
            else f"{percent(threshold, prefs)} or more releases the money",
        ),
        ("Evidence", f"can be added for {duration(contract['evidence_period'], prefs)}"),
        ("Decision", f"within {duration(contract['decision_period'], prefs)} after that"),
        (
            "If nobody decides",
            f"{percent(contract['dispute_default_payee_share'], prefs)} to the payee, "
            f"{duration(contract['default_grace'], prefs)} later",
        ),
        ("Platform staff may approve", "yes, on a signatory's behalf" if contract["operator_approvals"] else "no"),
    ]
    if contract["currency"] == CREDIT:
        pairs.append(
            ("Granted credits", "accepted, not paid out" if contract["accepts_granted_credits"] else "not accepted")
        )
    return tuple(Fact(label=label, value=value) for label, value in pairs)


def _least(paid: Mapping[str, Any] | None, prefs: Prefs) -> str:
    return "none: your own agent" if paid is None else amount(paid["amount"], paid["currency"], prefs).text
