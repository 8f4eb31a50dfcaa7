"""The timeline of an escrow in words."""

from collections.abc import Mapping, Sequence
from typing import Any

from console.format import Prefs, moment, percent, short_id, titled
from console.status import Tone
from console.widgets import Step

#: What each event is called, its tone and its symbol.
EVENTS: Mapping[str, tuple[str, Tone, str]] = {
    "opened": ("Opened", Tone.IDLE, "plus"),
    "funded": ("Funded", Tone.GOOD, "lock"),
    "delivered": ("Delivered", Tone.BUSY, "delivery"),
    "validated": ("Scored", Tone.BUSY, "star"),
    "approved": ("Signed", Tone.GOOD, "check"),
    "disputed": ("Disputed", Tone.WARN, "dispute"),
    "evidence_submitted": ("Evidence added", Tone.BUSY, "list"),
    "resolved": ("Decided", Tone.GOOD, "scale"),
    "refunded": ("Refunded", Tone.IDLE, "undo"),
    "partially_refunded": ("Partially refunded", Tone.IDLE, "undo"),
    "cancel_requested": ("Cancellation requested", Tone.WARN, "cross"),
    "cancelled": ("Cancelled", Tone.IDLE, "cross"),
    "funding_expired": ("Not funded in time: cancelled", Tone.IDLE, "clock"),
    "delivery_expired": ("Not delivered in time: refunded", Tone.WARN, "clock"),
    "review_expired": ("Released: no objection in time", Tone.GOOD, "clock"),
    "funding_extended": ("Time to fund extended", Tone.WARN, "clock"),
    "delivery_extended": ("Time to deliver extended", Tone.WARN, "clock"),
    "review_extended": ("Review extended", Tone.WARN, "clock"),
    "default_extended": ("Default postponed", Tone.WARN, "clock"),
    "decision_overdue": ("Not decided in time: operators alerted", Tone.WARN, "bell"),
    "default_applied": ("Not decided in time: the default was applied", Tone.WARN, "clock"),
}
#: What moves the payer's money alone: the payee cannot see the transfer.
OF_THE_PAYER = frozenset(
    {"funded", "refunded", "partially_refunded", "cancelled", "funding_expired", "delivery_expired"}
)


def steps(
    events: Sequence[Mapping[str, Any]], escrow: Mapping[str, Any], prefs: Prefs, href: str, *, by_payee: bool = False
) -> tuple[Step, ...]:
    """Return what happened, oldest first."""
    return tuple(
        _step(each, escrow, prefs, "" if by_payee and each["kind"] in OF_THE_PAYER else href) for each in events
    )


def _step(event: Mapping[str, Any], escrow: Mapping[str, Any], prefs: Prefs, href: str) -> Step:
    kind, transfer = event["kind"], event["transfer_id"]
    title, tone, icon = EVENTS.get(kind, (titled(kind), Tone.IDLE, "dash"))
    return Step(
        title=title,
        at=moment(event["at"], prefs),
        tone=tone,
        icon=icon,
        detail=_detail(event["details"], prefs),
        who=who(event["actor"], escrow),
        href=href.replace("{id}", transfer) if transfer else "",
    )


def _detail(details: Mapping[str, Any], prefs: Prefs) -> str:
    """Say what an event held beside its kind: what people wrote, a score, a share."""
    said = []
    if isinstance(score := details.get("score"), str):
        said.append(f"Score {percent(score, prefs)}.")
    if isinstance(share := details.get("payee_share"), str):
        said.append(f"{percent(share, prefs)} to the payee.")
    if details.get("milestone"):
        said.append(f"Milestone {details['milestone']}.")
    if details.get("on_behalf"):
        said.append(f"On behalf of {details.get('signatory')}.")
    said += [str(details[name]) for name in ("reason", "note") if details.get(name)]
    return "\n".join(said)


def who(actor: str, escrow: Mapping[str, Any]) -> str:
    """Name who acted: the principal and its organization, by the names that the escrow has for both sides."""
    if actor == "timer":
        return "Automatically"
    org_id, slash, principal = actor.rpartition("/")
    if principal.startswith("payment:"):
        return f"Payment {short_id(principal.removeprefix('payment:'))}"
    if not slash and principal not in {escrow["payee_org_id"], escrow["payer_org_id"]}:
        return principal
    names = {escrow["payee_org_id"]: escrow["payee_name"], escrow["payer_org_id"]: escrow["payer_name"]}
    if not slash:
        return str(names[principal])
    return f"{principal} of {names.get(org_id, short_id(org_id))}"
