"""External revenue: report, confirmation by a person or a statement, reversal; and attribution of revenue.

Reported revenue counts once it is confirmed. Revenue in the ledger needs no confirmation, and follows its transfers
automatically.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.access import Actor, refuse_by_link, refuse_operator_issued
from domain.common.errors import Invalid, NotFound, RevenueExists, RevenueStale, WrongRevenueState
from domain.common.money import format_amount
from domain.returns.revenue_event import (
    ALL_BPS,
    RequestedShare,
    RevenueShare,
    RevenueSource,
    RevenueStatus,
    ShareRule,
    check_confirmer,
    check_report,
    check_source,
    compute_shares,
    status_of,
)
from domain.usage.run import RunCost, cost_of
from models.returns.revenue_event import Attribution, RevenueEvent
from repositories.billing import project as projects
from repositories.marketplace import agent as agents
from repositories.returns import revenue_event as events
from repositories.tenants import api_key as keys, audit
from repositories.usage import usage_report
from runtime.identity import new_id

#: The maximum number of a run's usage sums for its shares.
_RUN_PARTS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RevenueReport:
    """Reported external revenue; the amount is in minor units of `currency`."""

    org_id: str
    source: RevenueSource
    reference: str
    amount_minor: int
    currency: str
    occurred_at: datetime
    agent_id: str | None = None
    project_id: str | None = None
    run_id: str | None = None
    evidence: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementLine:
    """Line of a statement: reference, amount, and amount reversed so far (None: not stated)."""

    reference: str
    currency: str
    amount_minor: int
    reversed_minor: int | None = None


@dataclass(frozen=True, slots=True)
class StatementResult:
    """Result of a statement: confirmed or changed events, and unmatched references."""

    changed: tuple[RevenueEvent, ...]
    unknown: tuple[str, ...]


async def report(session: AsyncSession, actor: Actor, wanted: RevenueReport, *, now: datetime) -> RevenueEvent:
    """Record reported external revenue, which counts once it is confirmed. Idempotent.

    Without a project, it belongs to the agent's project, as the agent's costs do.

    Args:
        session: of the platform.
        actor: the reporter.
        wanted: the report.
        now: the time.

    Raises:
        Invalid: the source is in the ledger, or the time is not allowed.
        NotFound: the organization has no such agent or project.
    """
    check_report(wanted.source, wanted.occurred_at, now)
    await _check_whose(session, wanted.org_id, [(wanted.agent_id, wanted.project_id)])
    known = await events.of_reference(session, wanted.org_id, wanted.source, wanted.reference)
    if known is not None:
        names = ("agent_id", "currency", *(("project_id",) if wanted.project_id else ()))
        same = (known.reported_minor, *(getattr(known, name) for name in names))
        if same != (wanted.amount_minor, *(getattr(wanted, name) for name in names)):
            raise RevenueExists(
                "Another report has this reference. Ask a person who confirms revenue to correct it.",
                extra={"revenue_id": known.id},
            )
        return known
    homes = await events.projects_of(session, wanted.org_id, [wanted.agent_id])
    row = RevenueEvent(
        id=new_id(events.PREFIX),
        org_id=wanted.org_id,
        agent_id=wanted.agent_id,
        project_id=wanted.project_id or homes.get(wanted.agent_id),
        run_id=wanted.run_id,
        source=wanted.source.value,
        reference=wanted.reference,
        currency=wanted.currency,
        reported_minor=wanted.amount_minor,
        amount_minor=wanted.amount_minor,
        commission_minor=0,
        reversed_minor=0,
        shares_version=0,
        status=RevenueStatus.REPORTED.value,
        evidence=wanted.evidence,
        occurred_at=wanted.occurred_at,
        reported_by=actor.qualified(),
        reporter_agent_id=actor.agent_id,
        created_at=now,
    )
    session.add(row)
    await session.flush()
    await _note(session, actor, "revenue.report", row)
    return row


async def confirm(
    session: AsyncSession, actor: Actor, event_id: str, *, amount_minor: int | None, now: datetime
) -> RevenueEvent:
    """Confirm reported revenue with the received amount; None for the reported one.

    Idempotent for the same principal. Needs the platform's session, as do the functions below.

    Raises:
        NotFound: there is none.
    """
    row = await _decided(session, actor, event_id, RevenueStatus.CONFIRMED, amount_minor)
    if row.status == RevenueStatus.CONFIRMED:
        return row
    _confirm(row, actor, row.amount_minor if amount_minor is None else amount_minor, now)
    await _note(session, actor, "revenue.confirm", row)
    return row


async def reject(session: AsyncSession, actor: Actor, event_id: str, *, now: datetime) -> RevenueEvent:
    """Reject reported revenue: it never counts. Raises as `confirm`."""
    row = await _decided(session, actor, event_id, RevenueStatus.REJECTED)
    if row.status == RevenueStatus.REJECTED:
        return row
    row.status, row.confirmed_by, row.confirmed_at = RevenueStatus.REJECTED.value, actor.qualified(), now
    await _note(session, actor, "revenue.reject", row)
    return row


async def note_reversal(session: AsyncSession, actor: Actor, event_id: str, *, reversed_minor: int) -> RevenueEvent:
    """Record the refunded or charged-back total of confirmed external revenue.

    Raises:
        NotFound: there is none.
        Invalid: it is more than was received.
    """
    refuse_by_link(actor, "change revenue")
    row = await _of(session, actor, event_id)
    if row.transfer_id is not None or row.status not in {RevenueStatus.CONFIRMED, RevenueStatus.REVERSED}:
        raise WrongRevenueState(
            "Only confirmed external revenue can be reversed manually.", extra={"state": row.status}
        )
    _take_back(row, reversed_minor)
    await _note(session, actor, "revenue.reverse", row)
    return row


async def apply_statement(
    session: AsyncSession,
    actor: Actor,
    org_id: str,
    source: RevenueSource,
    lines: Sequence[StatementLine],
    *,
    now: datetime,
) -> StatementResult:
    """Confirm reported revenue of a source by the lines of its statement, and record reversals. Idempotent.

    Lines without a matching event, by reference and currency, and lines about rejected ones change nothing.

    Raises:
        Invalid: the source is in the ledger; a reference is there twice, or more is reversed than was received.
    """
    refuse_by_link(actor, "confirm revenue")
    check_source(source)
    if len({line.reference for line in lines}) < len(lines):
        raise Invalid("A reference is in the statement twice. Add its lines up.", extra={"field": "lines"})
    line_of_key = await keys.issuer_chain(session, actor)
    refuse_operator_issued(actor, line_of_key, "confirm revenue")
    changed, unknown = [], []
    # In one order, so that two statements at once do not wait for each other.
    for line in sorted(lines, key=lambda each: each.reference):
        row = await events.of_reference(session, org_id, source, line.reference)
        if row is None or row.currency != line.currency or row.status == RevenueStatus.REJECTED:
            unknown.append(line.reference)
            continue
        before = (row.status, row.amount_minor, row.reversed_minor)
        if row.status == RevenueStatus.REPORTED:
            check_confirmer(row.reported_by or "", by_agent=row.reporter_agent_id is not None, confirms=line_of_key)
            _confirm(row, actor, line.amount_minor, now)
        if line.reversed_minor is not None:
            _take_back(row, line.reversed_minor)
        if (row.status, row.amount_minor, row.reversed_minor) != before:
            changed.append(row)
            await _note(session, actor, "revenue.confirm", row)
    return StatementResult(tuple(changed), tuple(unknown))


async def set_shares(
    session: AsyncSession,
    actor: Actor,
    event_id: str,
    rule: ShareRule,
    wanted: Sequence[RequestedShare],
    *,
    expected_version: int | None,
    now: datetime,
) -> tuple[RevenueEvent, Attribution]:
    """Set the shares of agents and projects in a revenue event, as a new version if they differ.

    A share of an agent without a project belongs to the agent's project.

    Raises:
        NotFound: there is none, or the organization has no such agent or project.
        Invalid: as `domain.returns.revenue_event.compute_shares`.
    """
    refuse_by_link(actor, "share revenue")
    row = await _of(session, actor, event_id)
    run = await _run(session, row) if rule is ShareRule.RUN else None
    agent_ids = {row.agent_id, *(part.agent_id for part in wanted), *(() if run is None else run.by_agent)}
    homes = await events.projects_of(session, row.org_id, agent_ids)
    wanted = [replace(part, project_id=part.project_id or homes.get(part.agent_id)) for part in wanted]
    own = RevenueShare(agent_id=row.agent_id, project_id=row.project_id, bps=ALL_BPS)
    parts = compute_shares(rule, wanted, own, run)
    parts = tuple(replace(part, project_id=part.project_id or homes.get(part.agent_id)) for part in parts)
    await _check_whose(session, row.org_id, [(part.agent_id, part.project_id) for part in wanted])
    stored = [{"agent_id": part.agent_id, "project_id": part.project_id, "bps": part.bps} for part in parts]
    before = (await events.attributions(session, [row])).get(row.id)
    if before is not None and (before.rule, before.parts) == (rule, stored):
        return row, before
    if expected_version not in {None, row.shares_version}:
        raise RevenueStale("The shares were set meanwhile. Read them again.", extra={"version": row.shares_version})
    made = Attribution(
        event_id=row.id,
        version=row.shares_version + 1,
        org_id=row.org_id,
        rule=rule.value,
        parts=stored,
        set_by=actor.qualified(),
        set_at=now,
    )
    session.add(made)
    row.shares_version = made.version
    await session.flush()
    await audit.record(session, actor, "revenue.share", row.id, {"rule": rule.value, "parts": made.parts}, row.org_id)
    return row, made


async def _run(session: AsyncSession, row: RevenueEvent) -> RunCost | None:
    if row.run_id is None:
        return None
    return cost_of(await usage_report.run_parts(session, row.org_id, row.run_id, _RUN_PARTS))


async def _of(session: AsyncSession, actor: Actor, event_id: str) -> RevenueEvent:
    row = await events.get(session, event_id, lock=True)
    if actor.org_id not in {None, row.org_id}:
        raise NotFound(events.MISSING)
    return row


async def _decided(
    session: AsyncSession, actor: Actor, event_id: str, as_: RevenueStatus, amount_minor: int | None = None
) -> RevenueEvent:
    """Lock and return reported revenue that the actor may decide on, or has already decided in the same way."""
    refuse_by_link(actor, "confirm or reject revenue")
    row = await _of(session, actor, event_id)
    wanted = row.reported_minor if amount_minor is None else amount_minor
    if (row.status, row.confirmed_by, row.amount_minor) == (as_, actor.qualified(), wanted):
        return row
    if row.status != RevenueStatus.REPORTED:
        raise WrongRevenueState(f"This revenue is {row.status}and needs no confirmation.", extra={"state": row.status})
    by_agent, line = row.reporter_agent_id is not None, await keys.issuer_chain(session, actor)
    refuse_operator_issued(actor, line, "confirm or reject revenue")
    check_confirmer(row.reported_by or "", by_agent=by_agent, confirms=line)
    return row


def _confirm(row: RevenueEvent, actor: Actor, amount_minor: int, now: datetime) -> None:
    row.amount_minor, row.status = amount_minor, RevenueStatus.CONFIRMED.value
    row.confirmed_by, row.confirmed_at = actor.qualified(), now


def _take_back(row: RevenueEvent, reversed_minor: int) -> None:
    if reversed_minor > row.amount_minor:
        raise Invalid(
            f"{row.reference}: the maximum reversal is {format_amount(row.amount_minor, row.currency)} {row.currency}.",
            extra={"field": "reversed_amount"},
        )
    row.reversed_minor = reversed_minor
    row.status = status_of(row.amount_minor, reversed_minor).value


async def _note(session: AsyncSession, actor: Actor, act: str, row: RevenueEvent) -> None:
    await session.flush()
    details: dict[str, Any] = {
        "source": row.source,
        "reference": row.reference,
        "amount": format_amount(row.amount_minor, row.currency),
        "currency": row.currency,
    }
    if row.reversed_minor:
        details["reversed_amount"] = format_amount(row.reversed_minor, row.currency)
    await audit.record(session, actor, act, row.id, details, row.org_id)


async def _check_whose(session: AsyncSession, org_id: str, named: Sequence[tuple[str | None, str | None]]) -> None:
    """Refuse agents and projects of others."""
    for agent_id in sorted({agent for agent, _ in named if agent is not None}):
        if (await agents.get(session, agent_id)).org_id != org_id:
            raise NotFound(agents.MISSING)
    of = {project for _, project in named if project is not None}
    if await events.own_projects(session, org_id, of) != of:
        raise NotFound(projects.MISSING)
