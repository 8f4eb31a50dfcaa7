"""Revenue of agents: where it comes from, whether it counts, and how it is shared. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from domain.common.errors import ApprovalOwn, Invalid
from domain.common.money import allocate
from domain.usage.run import RunCost

#: The basis points of all shares of one piece of revenue.
ALL_BPS = 10_000
#: How many shares, and lines of a statement, one request may have.
MOST_PARTS, MOST_LINES = 100, 500
#: How long ago what is reported may have happened, and how far ahead clocks may be.
_OLDEST, _AHEAD = timedelta(days=400), timedelta(minutes=5)


class RevenueSource(StrEnum):
    """Where revenue comes from: the first two are of the books, and the others are reported."""

    ESCROW = "escrow"
    MARKETPLACE = "marketplace"
    APP_STORE = "app_store"
    ADS = "ads"
    SERVICE = "service"
    OTHER = "other"


#: What can be reported.
REPORTABLE = frozenset(RevenueSource) - {RevenueSource.ESCROW, RevenueSource.MARKETPLACE}


class RevenueStatus(StrEnum):
    """Whether revenue counts: only what is confirmed does, less what was taken back of it."""

    REPORTED = "reported"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    REVERSED = "reversed"  # all of it was taken back


class ShareRule(StrEnum):
    """How the shares of revenue are found."""

    DIRECT = "direct"  # all of it is of its own agent and project
    RUN = "run"  # by what each agent cost in its run
    FIXED = "fixed"  # by basis points
    EQUAL = "equal"
    MANUAL = "manual"  # by weights


@dataclass(frozen=True, slots=True, kw_only=True)
class RevenueShare:
    """A share of revenue in basis points."""

    agent_id: str | None
    project_id: str | None
    bps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedShare:
    """Who is to have a share, and its weight: basis points for `fixed`, any number for `manual`, else none."""

    agent_id: str | None
    project_id: str | None
    weight: int | None = None


def compute_shares(
    rule: ShareRule, wanted: Sequence[RequestedShare], own: RevenueShare, run: RunCost | None = None
) -> tuple[RevenueShare, ...]:
    """Return the shares by a rule; their basis points make 10,000, the remainders largest first.

    Args:
        rule: how they are found.
        wanted: who has a share, for all rules but `direct` and `run`.
        own: all of it, for its own agent and project.
        run: what the run cost.

    Raises:
        Invalid: parts are missing, named twice or too many, weights do not suit the rule, or the run has no cost.
    """
    if rule in {ShareRule.DIRECT, ShareRule.RUN} and wanted:
        raise _refused(f"The rule {rule} names its shares itself. Leave parts out.")
    if rule is ShareRule.DIRECT:
        return (own,)
    if rule is ShareRule.RUN:
        wanted = _of_run(run, own)
    elif not wanted or len(wanted) > MOST_PARTS:
        raise _refused(f"Name 1 to {MOST_PARTS} parts.")
    if len({(part.agent_id, part.project_id) for part in wanted}) < len(wanted):
        raise _refused("Two parts name the same agent and project. Add them up.")
    has_weights = rule is not ShareRule.EQUAL
    if any((part.weight is not None) is not has_weights for part in wanted):
        raise _refused("Each part needs its weight." if has_weights else "Equal parts have no weight.")
    weights = [1 if part.weight is None else part.weight for part in wanted]
    if sum(weights) <= 0 or (rule is ShareRule.FIXED and sum(weights) != ALL_BPS):
        raise _refused(f"The weights of fixed shares are basis points that make {ALL_BPS}; others are above zero.")
    found = zip(wanted, allocate(ALL_BPS, weights), strict=True)
    return tuple(RevenueShare(agent_id=one.agent_id, project_id=one.project_id, bps=bps) for one, bps in found if bps)


def _of_run(run: RunCost | None, own: RevenueShare) -> list[RequestedShare]:
    currencies = set() if run is None else set(run.total.pico)
    if run is None or len(currencies) != 1 or not run.total.pico[next(iter(currencies))]:
        raise _refused("The run of this revenue has no cost in one currency. Choose another rule.", field="rule")
    [currency] = currencies
    costs = {agent: cost.pico.get(currency, 0) for agent, cost in run.by_agent.items()}
    return [
        RequestedShare(agent_id=agent or own.agent_id, project_id=own.project_id, weight=cost)
        for agent, cost in sorted(_merged(costs, own).items())
    ]


def _merged(costs: Mapping[str, int], own: RevenueShare) -> dict[str, int]:
    """Add what no agent of the run cost to the revenue's own agent."""
    found = {agent: cost for agent, cost in costs.items() if agent}
    if costs.get(""):
        found[own.agent_id or ""] = found.get(own.agent_id or "", 0) + costs[""]
    return found


def divide_by_shares(
    amount_minor: int, reversed_minor: int, commission_minor: int, parts: Sequence[RevenueShare]
) -> list[tuple[int, int, int]]:
    """Divide revenue, what was taken back of it, and its commission by shares; each adds up to its whole.

    What is left is divided itself, so it is below zero for none. Who has more of it pays more of the commission.
    """
    shares_bps, kept_minor = [part.bps for part in parts], amount_minor - reversed_minor
    kept, back = _allocated(kept_minor, shares_bps), _allocated(reversed_minor, shares_bps)
    commission = _allocated(commission_minor, kept if kept_minor > 0 else shares_bps)
    return [(left + gone, gone, paid) for left, gone, paid in zip(kept, back, commission, strict=True)]


def _allocated(amount_minor: int, weights: Sequence[int]) -> list[int]:
    return [each if amount_minor >= 0 else -each for each in allocate(abs(amount_minor), weights)]


def check_source(source: RevenueSource) -> None:
    """Refuse what the books say themselves.

    Raises:
        Invalid: it names the field.
    """
    if source not in REPORTABLE:
        raise Invalid(
            "Revenue of escrows and the marketplace comes from the books. Report revenue from outside.",
            extra={"field": "source"},
        )


def check_report(source: RevenueSource, occurred_at: datetime, now: datetime) -> None:
    """Refuse a report of another time, and as `check_source`.

    Raises:
        Invalid: it names the field.
    """
    check_source(source)
    if not now - _OLDEST <= occurred_at <= now + _AHEAD:
        raise Invalid(
            f"Report revenue of the last {_OLDEST.days} days, not of the future.", extra={"field": "occurred_at"}
        )


def check_confirmer(reported_by: str, *, by_agent: bool, confirms: frozenset[str]) -> None:
    """Refuse that what an agent's key has reported is confirmed by the same principal or by its keys.

    Args:
        reported_by: the qualified principal.
        by_agent: whether the reporter's key is attributed to an agent.
        confirms: the principal who decides, and those of the line of its key, in lower case.

    Raises:
        Forbidden: `approval.own`.
    """
    if by_agent and reported_by.lower() in confirms:
        raise ApprovalOwn("Somebody else has to confirm what an agent reported, not who holds its key.")


def status_of(amount_minor: int, reversed_minor: int) -> RevenueStatus:
    """Return the status of confirmed revenue after a part of it was taken back."""
    return RevenueStatus.REVERSED if reversed_minor >= amount_minor else RevenueStatus.CONFIRMED


def _refused(why: str, *, field: str = "parts") -> Invalid:
    return Invalid(why, extra={"field": field})
