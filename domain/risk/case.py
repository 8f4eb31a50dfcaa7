"""Cases of suspected fraud: kinds, states and holds. Pure."""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum


class CaseKind(StrEnum):
    """What a case is about."""

    ACT = "act"  # acts of an organization that wait
    CARD_TESTING = "card_testing"
    TAKEOVER = "takeover"
    SYBIL = "sybil"
    RING = "ring"
    DELIVERY = "delivery"
    REFUND_ABUSE = "refund_abuse"
    REPUTATION = "reputation"
    APPEAL = "appeal"  # of a decision that blocked an act


class CaseStatus(StrEnum):
    """The status of a case."""

    OPEN = "open"
    ASSIGNED = "assigned"
    WAITING = "waiting"  # for the party's answer
    DECIDED = "decided"
    APPEALED = "appealed"
    CLOSED = "closed"


class HoldKind(StrEnum):
    """What a case holds."""

    RELEASE = "release"  # subject: the escrow, which is not released by silence
    EARNINGS = "earnings"  # subject: the organization, whose payouts are neither made nor sent
    SCORE = "score"  # subject: the agent, whose score does not count in prices
    PREPAY = "prepay"  # subject: the organization, which pays in advance only


class CaseResult(StrEnum):
    """How a case is decided."""

    RELEASE = "release"  # legitimate: held acts may take place
    REFUSE = "refuse"  # fraud: held acts are refused, held money returns to where it came from


#: After this time without a decision operators are alerted.
ALERT_AFTER = timedelta(days=3)
#: After this time without a decision the case is decided by `DEFAULT_RESULT`.
DEFAULT_AFTER = timedelta(days=7)
#: How long a decided case can be appealed.
APPEAL_WITHIN = timedelta(days=14)
#: The result without a decision in time. An act that waits has not taken place, so refusing it loses nothing.
DEFAULT_RESULT: Mapping[CaseKind, CaseResult] = {
    **dict.fromkeys(CaseKind, CaseResult.RELEASE),
    CaseKind.ACT: CaseResult.REFUSE,
    CaseKind.APPEAL: CaseResult.REFUSE,
}
