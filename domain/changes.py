"""What pages and agents follow without asking for everything again: topics, and the marks that say they changed. Pure.

A mark is a number that only grows, and grows whenever something of its topic happened. Two marks of one topic are
compared and mean nothing else.
"""

from collections.abc import Iterable, Mapping

from domain.access import Actor, Permission
from domain.errors import Unavailable
from domain.events.catalogue import CATALOGUE

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
    "payout": "payouts",
    "project": "projects",
    "deployment": "projects",
    "agent": "agents",
    "score": "agents",
    "organization": "organization",
    "webhook_endpoint": "webhook_endpoints",
    "alert": "alerts",
}
#: Families whose events can change what an organization has, owes or holds back.
_MONEY = frozenset(
    {
        *("escrow", "payment", "refund", "chargeback", "invoice", "credit_note"),
        *("credit_lot", "reservation", "spend", "purchase", "payout", "deployment"),
    }
)
#: Of these families, what moves nothing.
_STILL = frozenset(
    {
        *("escrow.opened", "escrow.delivered", "escrow.validated", "escrow.approved", "escrow.evidence_submitted"),
        *("escrow.cancel_requested", "escrow.decision_overdue", "escrow.disputed", "escrow.updated"),
        "escrow.review_extended",
        *("payment.created", "payment.requires_action", "payment.processing", "payment.unknown", "payment.updated"),
        *("payment.requires_capture", "payment.failed", "payment.expired"),
        *("invoice.created", "invoice.updated", "invoice.deleted"),
    }
)


def _topics_of(kind: str) -> tuple[str, ...]:
    family = kind.partition(".")[0]
    moves = family in _MONEY and kind not in _STILL
    return (_TOPICS[family], BALANCE) if moves else (_TOPICS[family],)


#: What an event says the news of, by its type.
TOPICS_OF: Mapping[str, tuple[str, ...]] = {kind: _topics_of(kind) for kind in CATALOGUE}
#: Every topic that there is.
TOPICS = frozenset(topic for topics in TOPICS_OF.values() for topic in topics)
#: What the platform's roles follow that do not operate it: they see jobs and nothing of anybody's money.
OF_JOBS = frozenset({"escrows", "contracts"})


class TooManyStreams(Unavailable):
    """Too many streams are open for another one; poll the marks, or try again later."""

    code = "changes.too_many_streams"


def topics_for(actor: Actor) -> frozenset[str]:
    """Return the topics that an actor may follow: for arbiters and validators of the platform, jobs alone."""
    return OF_JOBS if actor.is_platform and not actor.may(Permission.INSPECT) else TOPICS


def topics_of(kinds: Iterable[str]) -> set[str]:
    """Return what events of these types say the news of. A type that is not known here is news of nothing."""
    return {topic for kind in kinds for topic in TOPICS_OF.get(kind, ())}


def marks_of(places: Mapping[str, int], credits_version: int) -> dict[str, int]:
    """Return the mark of every topic.

    Args:
        places: how far the events of each type have come; each number grows with every one of them.
        credits_version: how often the credits account was posted to.
    """
    marks = dict.fromkeys(sorted(TOPICS), 0)
    marks[BALANCE] = credits_version
    for kind, place in places.items():
        for topic in TOPICS_OF.get(kind, ()):
            marks[topic] += place
    return marks
