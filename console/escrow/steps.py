"""The timeline of an escrow in words."""

from collections.abc import Mapping, Sequence

from console.filters import moment, percent
from console.format import short_id, titled
from console.noun import Json
from console.status import Tone
from console.texts import N_, _, gettext
from console.widgets import Step

#: What each event is called, its tone and its symbol.
EVENTS: Mapping[str, tuple[str, Tone, str]] = {
    "opened": (N_("Opened"), Tone.IDLE, "plus"),
    "funded": (N_("Funded"), Tone.GOOD, "lock"),
    "delivered": (N_("Delivered"), Tone.BUSY, "delivery"),
    "validated": (N_("Scored"), Tone.BUSY, "star"),
    "approved": (N_("Signed"), Tone.GOOD, "check"),
    "disputed": (N_("Disputed"), Tone.WARN, "dispute"),
    "evidence_submitted": (N_("Evidence added"), Tone.BUSY, "list"),
    "resolved": (N_("Decided"), Tone.GOOD, "scale"),
    "refunded": (N_("Refunded"), Tone.IDLE, "undo"),
    "partially_refunded": (N_("Partially refunded"), Tone.IDLE, "undo"),
    "cancel_requested": (N_("Cancellation requested"), Tone.WARN, "cross"),
    "cancelled": (N_("Cancelled"), Tone.IDLE, "cross"),
    "funding_expired": (N_("Not funded in time: cancelled"), Tone.IDLE, "clock"),
    "delivery_expired": (N_("Not delivered in time: refunded"), Tone.WARN, "clock"),
    "review_expired": (N_("Released: no objection in time"), Tone.GOOD, "clock"),
    "funding_extended": (N_("Time to fund extended"), Tone.WARN, "clock"),
    "delivery_extended": (N_("Time to deliver extended"), Tone.WARN, "clock"),
    "review_extended": (N_("Review extended"), Tone.WARN, "clock"),
    "default_extended": (N_("Default postponed"), Tone.WARN, "clock"),
    "decision_overdue": (N_("Not decided in time: operators alerted"), Tone.WARN, "bell"),
    "default_applied": (N_("Not decided in time: the default was applied"), Tone.WARN, "clock"),
}
#: What moves the payer's money alone: the payee cannot see the transfer.
OF_THE_PAYER = frozenset(
    {"funded", "refunded", "partially_refunded", "cancelled", "funding_expired", "delivery_expired"}
)


def steps(events: Sequence[Json], escrow: Json, transfers: str, *, by_payee: bool = False) -> tuple[Step, ...]:
    """Return what happened, oldest first.

    Args:
        events: of the timeline.
        escrow: whose they are.
        transfers: where the pages of transfers begin; empty for readers who have none.
        by_payee: whether the reader is the payee alone.
    """
    return tuple(_step(each, escrow, "" if by_payee and each["kind"] in OF_THE_PAYER else transfers) for each in events)


def _step(event: Json, escrow: Json, transfers: str) -> Step:
    title, tone, icon = EVENTS.get(event["kind"], (titled(event["kind"]), Tone.IDLE, "dash"))
    return Step(
        title=gettext(title),
        at=moment(event["at"]),
        tone=tone,
        icon=icon,
        detail=_detail(event["details"]),
        who=who(event["actor"], escrow),
        href=f"{transfers}/{event['transfer_id']}" if transfers and event["transfer_id"] else "",
    )


def _detail(details: Json) -> str:
    """Return what an event held: a score, a share, what people wrote."""
    said = []
    if isinstance(score := details.get("score"), str):
        said.append(_("Score %(score)s.", score=percent(score)))
    if isinstance(share := details.get("payee_share"), str):
        said.append(
            _("%(share)s to the payee.", share=percent(share)),
        )
    if details.get("milestone"):
        said.append(_("Milestone %(name)s.", name=details["milestone"]))
    if details.get("on_behalf"):
        said.append(_("On behalf of %(name)s.", name=details.get("signatory")))
    return "\n".join((*said, *(str(details[name]) for name in ("reason", "note") if details.get(name))))


def who(actor: str, escrow: Json) -> str:
    """Name who acted: the principal and its organization, by the names that the escrow has for both sides."""
    if actor == "timer":
        return _("Automatically")
    org_id, slash, principal = actor.rpartition("/")
    if principal.startswith("payment:"):
        return _("Payment %(name)s", name=short_id(principal.removeprefix("payment:")))
    names = {escrow["payee_org_id"]: escrow["payee_name"], escrow["payer_org_id"]: escrow["payer_name"]}
    if not slash:
        return str(names.get(principal, principal))
    return _("%(principal)s of %(name)s", principal=principal, name=names.get(org_id, short_id(org_id)))
