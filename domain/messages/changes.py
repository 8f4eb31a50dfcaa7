"""Topics that pages and agents can follow, and the marks that show changes. Pure.

A mark is a number that grows whenever something of its topic changes. It is only compared with another mark of the same
topic.
"""

from collections.abc import Iterable, Mapping

from domain.common.access import Actor, Permission
from domain.messages.events.catalogue import CATALOGUE

BALANCE = "balance"
#: The topic of each family of events, which is the first word of their types.
_TOPICS: Mapping[str, str] = {
    "escrow": "escrows",
    "contract": "contracts",
    "payment": "payments",
    "refund": "payments",
    "chargeback": "disputes",
    "invoice": "invoices",
    "credit_note": "invoices",
    "grant": "credits",
    "credit_lot": "credits",
    "reservation": "credits",
    "spend": "credits",
    "spend_control": "limits",
    "spend_limit": "limits",
    "subscription": "subscriptions",
    "purchase": "purchases",
    "purchase_order": "purchase_orders",
    "payout": "payouts",
    "project": "projects",
    "deployment": "projects",
    "agent": "agents",
    "score": "agents",
    "organization": "organization",
    "webhook_endpoint": "webhook_endpoints",
    "alert": "alerts",
    "report": "reports",
    "risk": "risk_cases",
}
#: Families whose events can change an organization's balances, debts or held-back earnings.
_MONEY = frozenset(
    {
        *("escrow", "payment", "refund", "chargeback", "invoice", "credit_note"),
        *("credit_lot", "reservation", "spend", "purchase", "payout", "deployment"),
    }
)
#: Types in these families that move nothing.
_STILL = frozenset(
    {
        *("escrow.opened", "escrow.delivered", "escrow.validated", "escrow.approved", "escrow.evidence_submitted"),
        *("escrow.cancel_requested", "escrow.decision_overdue", "escrow.disputed", "escrow.updated"),
        *("escrow.review_extended", "escrow.default_extended", "escrow.delivery_extended"),
        "escrow.funding_extended",
        *("payment.created", "payment.requires_action", "payment.processing", "payment.unknown", "payment.updated"),
        *("payment.requires_capture", "payment.failed", "payment.expired"),
        *("invoice.created", "invoice.updated", "invoice.deleted"),
    }
)


def _topics_of(kind: str) -> tuple[str, ...]:
    family = kind.partition(".")[0]
    moves = family in _MONEY and kind not in _STILL
    return (_TOPICS[family], BALANCE) if moves else (_TOPICS[family],)


#: The topics of an event, by its type.
TOPICS_OF: Mapping[str, tuple[str, ...]] = {kind: _topics_of(kind) for kind in CATALOGUE}
#: All topics.
TOPICS = frozenset(topic for topics in TOPICS_OF.values() for topic in topics)
#: Topics of the platform's roles other than operators, which see jobs but no money.
JOB_TOPICS = frozenset({"escrows", "contracts"})


#: Topics that need the permission `read_billing`.
BILLING_TOPICS = frozenset(
    {
        "payments",
        "disputes",
        "invoices",
        "subscriptions",
        "payouts",
        "alerts",
        "reports",
        "webhook_endpoints",
        "risk_cases",
    }
)


def topics_for(actor: Actor) -> frozenset[str]:
    """Return the topics that an actor may follow: for arbiters and validators of the platform, jobs alone."""
    if actor.is_platform and not actor.may(Permission.INSPECT):
        return JOB_TOPICS
    return TOPICS if actor.may(Permission.READ_BILLING) else TOPICS - BILLING_TOPICS


def topics_of(kinds: Iterable[str]) -> set[str]:
    """Return the topics of events of these types; an unknown type has none."""
    return {topic for kind in kinds for topic in TOPICS_OF.get(kind, ())}


def marks_of(places: Mapping[str, int], credits_version: int) -> dict[str, int]:
    """Return the mark of every topic.

    Args:
        places: a number for each type that grows with every event of it.
        credits_version: the version of the credits account.
    """
    marks = dict.fromkeys(sorted(TOPICS), 0)
    marks[BALANCE] = credits_version
    for kind, place in places.items():
        for topic in TOPICS_OF.get(kind, ()):
            marks[topic] += place
    return marks
