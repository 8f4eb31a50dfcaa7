"""Acts that take two operators: one asks for it, another one approves or rejects it."""

from collections.abc import Mapping
from typing import Any

from console.lists import ListResult
from console.noun import Json, Noun
from console.noun_page import tab
from console.platform.desk import operators
from console.texts import N_, _, gettext
from console.visit import Visit
from domain.common.access import Permission
from domain.common.approval import ApprovalAction

_WORDS: Mapping[str, str] = {
    ApprovalAction.PAYOUT_GIVE_UP: N_("Abandon a payout"),
    ApprovalAction.INVOICE_VOID: N_("Void an invoice"),
    ApprovalAction.INVOICE_GIVE_UP: N_("Mark an invoice uncollectible"),
    ApprovalAction.INVOICE_CREDIT: N_("Credit an invoice"),
    ApprovalAction.TERMS: N_("Set billing terms"),
    ApprovalAction.CREATOR_SHARE: N_("Set a creator's share"),
    ApprovalAction.TIER: N_("Change a plan"),
    ApprovalAction.TAX_DECISION: N_("Decide on a tax profile"),
    ApprovalAction.CREDIT_GRANT: N_("Grant credits"),
    ApprovalAction.SPEND_REFUND: N_("Refund used credits"),
    ApprovalAction.PAYMENT_REFUND: N_("Refund a payment"),
    ApprovalAction.USAGE_VOID: N_("Void a charge of usage"),
    ApprovalAction.ACTION_COST: N_("Set an organization's price of an action"),
    ApprovalAction.PRICING_RULE: N_("Set a pricing rule for one organization or agent"),
    ApprovalAction.COMMISSION: N_("Set the commission of a contract"),
    ApprovalAction.EARNINGS_WAIVE: N_("Waive an organization's earnings"),
    ApprovalAction.RISK_RULE: N_("Switch on a rule against fraud"),
    ApprovalAction.RISK_DECISION: N_("Decide a case of suspected fraud"),
}
APPROVALS = Noun(
    "/approvals", title=N_("Approvals"), folder="platform/approval", change=Permission.OPERATE, site=operators
)


def content(approval: Json) -> list[tuple[str, str]]:
    """Return names and texts of what is asked for."""
    return [(name.replace("_", " "), _text(value)) for name, value in approval["content"].items()]


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_text(each)}" for name, each in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_text(each) for each in value)
    return _("not set") if value is None else str(value)


async def of_list(visit: Visit, found: ListResult) -> dict[str, Any]:
    return {
        "naming": await visit.naming(found.rows, "subject", "content"),
        "content": content,
        "acts": {name: gettext(words) for name, words in _WORDS.items()},
        "own": visit.me.principal,
    }


APPROVALS.list(
    tab("status"),
    tabs=(("", N_("Waiting")), ("approved,used,rejected,expired", N_("Decided"))),
    asks=lambda visit: {"status": "requested", **visit.chosen("status")},
    values=of_list,
    create="",
)
APPROVALS.command("approve", "approval.approved")
APPROVALS.command("reject", "approval.rejected")
ROUTES = APPROVALS.routes
