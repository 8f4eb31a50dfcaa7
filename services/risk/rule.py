"""Versions of rules against fraud. Every process compiles them again at its next decision."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.access import Actor
from domain.common.errors import NotFound, RiskRuleExists, RiskTooManyRules
from domain.risk.rule import Compile, Mode, Rule, compiled
from domain.tenants.metadata import Precondition
from models.risk.rule import RiskRule
from repositories.common.command import row_of_command
from repositories.risk import rule as rows
from repositories.tenants import audit

#: The maximum number of rules: each decision evaluates those of its point.
MAX_RULES = 200


async def create(
    session: AsyncSession, actor: Actor, rule: Rule, *, command_id: str, now: datetime, compiler: Compile
) -> RiskRule:
    """Add a rule, or return the one of the command.

    Raises:
        RiskRuleExists: a rule or a default has the name.
        RiskTooManyRules: there are as many rules as a decision may evaluate.
    """
    compiled(rule, compiler)
    await rows.lock(session)
    if (done := await row_of_command(session, RiskRule, command_id)) is not None:
        return done
    others = await rows.current(session)
    if rule.name in others:
        raise RiskRuleExists(f"There is a rule {rule.name}. Replace it by a new version.")
    if len(others) >= MAX_RULES:
        raise RiskTooManyRules(f"There are {MAX_RULES} rules. Replace one that is off.")
    return await _add(session, actor, "risk.rule_create", rule, 1, command_id, now)


async def change(
    session: AsyncSession,
    actor: Actor,
    rule: Rule,
    expected: Precondition,
    *,
    command_id: str,
    now: datetime,
    compiler: Compile,
) -> RiskRule:
    """Write a new version of a rule, or return the one of the command.

    Raises:
        NotFound: there is no such rule.
    """
    compiled(rule, compiler)
    await rows.lock(session)
    if (done := await row_of_command(session, RiskRule, command_id)) is not None:
        return done
    before = (await rows.current(session)).get(rule.name)
    if before is None:
        raise NotFound("There is no such rule.")
    expected.judge(before.version)
    return await _add(session, actor, "risk.rule_change", rule, before.version + 1, command_id, now)


async def activate(
    session: AsyncSession, actor: Actor, name: str, mode: Mode, version: int, *, command_id: str, now: datetime
) -> tuple[Rule, RiskRule | None]:
    """Change the mode of a rule by a new version, or return the one of the command; the row is None for a default.

    Raises:
        NotFound: there is no such rule.
    """
    await rows.lock(session)
    if (done := await row_of_command(session, RiskRule, command_id)) is not None:
        return rows.rule_of(done), done
    (before, row), *_ = await rows.versions(session, name)
    Precondition(frozenset({version})).judge(before.version)
    if before.mode is mode:
        return before, row
    rule = replace(before, mode=mode)
    row = await _add(session, actor, "risk.rule_activate", rule, before.version + 1, command_id, now)
    return rows.rule_of(row), row


async def _add(
    session: AsyncSession, actor: Actor, act: str, rule: Rule, version: int, command_id: str, now: datetime
) -> RiskRule:
    row = RiskRule(
        **content_of(rule), version=version, created_by=actor.qualified(), command_id=command_id, created_at=now
    )
    session.add(row)
    await session.flush()
    await audit.record(session, actor, act, rule.name, {**content_of(rule), "version": version})
    return row


def content_of(rule: Rule) -> dict[str, object]:
    """Return the content of a rule, as it is stored."""
    return {
        "name": rule.name,
        "points": sorted(point.value for point in rule.points),
        "expression": rule.expression,
        "action": rule.action.value,
        "priority": rule.priority,
        "mode": rule.mode.value,
        "sentence": rule.sentence,
    }
