"""Revenue of agents: sources, confirmation, and attribution. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from domain.common.errors import ApprovalOwn, Invalid
from domain.common.money import allocate
from domain.usage.run import RunCost

#: The sum of the shares of a revenue event, in basis points.
ALL_BPS = 10_000
#: The maximum number of shares, and of statement lines, in a request.
MOST_PARTS, MOST_LINES = 100, 500
#: The maximum age of reported revenue, and the tolerance for clocks that are ahead.
_OLDEST, _AHEAD = timedelta(days=400), timedelta(minutes=5)


class RevenueSource(StrEnum):
    """Source of revenue: escrows and the marketplace are in the ledger, the others are reported."""

    ESCROW = "escrow"
    MARKETPLACE = "marketplace"
    APP_STORE = "app_store"
    ADS = "ads"
    SERVICE = "service"
    OTHER = "other"


#: Sources that can be reported.
REPORTABLE = frozenset(RevenueSource) - {RevenueSource.ESCROW, RevenueSource.MARKETPLACE}


class RevenueStatus(StrEnum):
    """Status of revenue; only confirmed revenue counts, less reversals."""

    REPORTED = "reported"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    REVERSED = "reversed"  # all of it was taken back


class ShareRule(StrEnum):
    """Rule of attribution."""

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
    """A requested share; the weight is basis points for `fixed`, any number for `manual`, else None."""

    agent_id: str | None
    project_id: str | None
    weight: int | None = None


def compute_shares(
    rule: ShareRule, wanted: Sequence[RequestedShare], own: RevenueShare, run: RunCost | None = None
) -> tuple[RevenueShare, ...]:
    """Compute shares by a rule; they add up to 10,000 basis points, by largest remainder.

    Args:
        rule: the rule of attribution.
        wanted: the requested shares, for all rules but `direct` and `run`.
        own: a share of everything for the event's own agent and project.
        run: the costs of the run.

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
    """Add costs of the run without an agent to the revenue's own agent."""
    found = {agent: cost for agent, cost in costs.items() if agent}
    if costs.get(""):
        found[own.agent_id or ""] = found.get(own.agent_id or "", 0) + costs[""]
    return found


def divide_by_shares(
    amount_minor: int, reversed_minor: int, commission_minor: int, parts: Sequence[RevenueShare]
) -> list[tuple[int, int, int]]:
    """Divide revenue, its reversals and its commission by shares; each adds up to its whole.

    The net amount is divided itself, so no part is below zero. The commission is divided in proportion to it.
    """
    shares_bps, kept_minor = [part.bps for part in parts], amount_minor - reversed_minor
    kept, back = _allocated(kept_minor, shares_bps), _allocated(reversed_minor, shares_bps)
    commission = _allocated(commission_minor, kept if kept_minor > 0 else shares_bps)
    return [(left + gone, gone, paid) for left, gone, paid in zip(kept, back, commission, strict=True)]


def _allocated(amount_minor: int, weights: Sequence[int]) -> list[int]:
    return [each if amount_minor >= 0 else -each for each in allocate(abs(amount_minor), weights)]


def check_source(source: RevenueSource) -> None:
    """Refuse a source that is in the ledger.

    Raises:
        Invalid: it names the field.
    """
    if source not in REPORTABLE:
        raise Invalid(
            "Revenue of escrows and the marketplace comes from the ledger. Report revenue from outside.",
            extra={"field": "source"},
        )


def check_report(source: RevenueSource, occurred_at: datetime, now: datetime) -> None:
    """Refuse a report that is too old or in the future, and as `check_source`.

    Raises:
        Invalid: it names the field.
    """
    check_source(source)
    if not now - _OLDEST <= occurred_at <= now + _AHEAD:
        raise Invalid(
            f"Report revenue of the last {_OLDEST.days} days, not of the future.", extra={"field": "occurred_at"}
        )


def check_confirmer(reported_by: str, *, by_agent: bool, confirms: frozenset[str]) -> None:
    """Refuse that a principal confirms what it, or an agent's key of its line, has reported.

    Args:
        reported_by: the qualified principal.
        by_agent: whether the reporting key belongs to an agent.
        confirms: the deciding principal and those of its key's line, in lower case.

    Raises:
        Forbidden: `approval.own`.
    """
    if by_agent and reported_by.lower() in confirms:
        raise ApprovalOwn("Somebody else has to confirm what an agent reported, not who holds its key.")


def status_of(amount_minor: int, reversed_minor: int) -> RevenueStatus:
    """Return the status of confirmed revenue after a reversal."""
    return RevenueStatus.REVERSED if reversed_minor >= amount_minor else RevenueStatus.CONFIRMED


def _refused(why: str, *, field: str = "parts") -> Invalid:
    return Invalid(why, extra={"field": field})
