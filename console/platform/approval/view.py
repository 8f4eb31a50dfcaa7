"""What the page of approvals shows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.format import Moment, moment
from console.forms import FormState, blank
from console.lists import ListPage, ListResult
from console.mentions import Naming, Sentence
from console.status import Status, status_of
from domain.common.approval import ApprovalAction

PLACE = "/console/platform/approvals"
_WORDS: Mapping[str, str] = {
    ApprovalAction.PAYOUT_GIVE_UP: "Abandon a payout",
    ApprovalAction.INVOICE_VOID: "Void an invoice",
    ApprovalAction.INVOICE_GIVE_UP: "Mark an invoice uncollectible",
    ApprovalAction.INVOICE_CREDIT: "Credit an invoice",
    ApprovalAction.TERMS: "Set billing terms",
    ApprovalAction.CREATOR_SHARE: "Set a creator's share",
    ApprovalAction.TIER: "Change a plan",
    ApprovalAction.TAX_DECISION: "Decide on a tax profile",
    ApprovalAction.CREDIT_GRANT: "Grant credits",
    ApprovalAction.SPEND_REFUND: "Refund used credits",
    ApprovalAction.PAYMENT_REFUND: "Refund a payment",
    ApprovalAction.USAGE_VOID: "Void a charge of usage",
    ApprovalAction.ACTION_COST: "Set an organization's price of an action",
    ApprovalAction.PRICING_RULE: "Set a pricing rule for one organization or agent",
    ApprovalAction.COMMISSION: "Set the commission of a contract",
    ApprovalAction.EARNINGS_WAIVE: "Waive an organization's earnings",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One request. `approve` and `reject` are None if the reader may not; `own` says that it is the reader's.

    One that was approved and not used can be rejected still.
    """

    action: str
    subject: Sentence
    content: tuple[tuple[str, Sentence], ...]
    status: Status
    by: str
    at: Moment
    until: Moment
    decided_by: str
    decided: Moment | None
    own: bool
    approve: FormState | None
    reject: FormState | None
    href: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Approvals(ListPage):
    """What waits for a second operator, and what was decided. `form` is a command's that was refused."""

    waiting: tuple[Row, ...]
    decided: tuple[Row, ...]
    form: FormState


def page(found: ListResult, form: FormState, principal: str, naming: Naming, *, may: bool) -> Approvals:
    """Return the page; operators cannot approve their own requests, and other roles only read."""
    rows = [(_row(each, principal, naming, may=may), each["status"] == "requested") for each in found.rows]
    return Approvals(
        title="Approvals",
        listed=found.listed("Approvals", {}),
        waiting=tuple(row for row, waiting in rows if waiting),
        decided=tuple(row for row, waiting in rows if not waiting),
        form=form,
    )


def _row(body: Mapping[str, Any], principal: str, naming: Naming, *, may: bool) -> Row:
    prefs = naming.prefs
    own, waits = body["requested_by"] == principal, may and body["status"] == "requested"
    is_open = waits or (may and body["status"] == "approved")
    return Row(
        action=_WORDS.get(body["action"], body["action"]),
        subject=naming(body["subject"]),
        content=tuple((name.replace("_", " "), naming(_text(value))) for name, value in body["content"].items()),
        status=status_of("approval", body["status"]),
        by=body["requested_by"],
        at=moment(body["requested_at"], prefs),
        until=moment(body["expires_at"], prefs),
        decided_by=body["decided_by"] or "",
        decided=moment(body["decided_at"], prefs) if body["decided_at"] else None,
        own=own,
        approve=blank() if waits and not own else None,
        reject=blank() if is_open else None,
        href=f"{PLACE}/{body['id']}",
    )


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_text(each)}" for name, each in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_text(each) for each in value)
    return "none" if value is None else str(value)
