"""Rules against fraud, for operators: versions, backtests and activation."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from starlette.responses import Response

from api.approvals import require_two_operators
from api.auth import require
from api.deps import Deps, DepsDep
from api.errors import errors
from api.fields import etag
from api.idempotency import Command, MayRepeat
from api.metadata import PreconditionDep, required_precondition
from api.routing import Resource
from api.v1.risk.schemas import (
    RiskBacktestCreate,
    RiskBacktestView,
    RiskRuleActivate,
    RiskRuleCreate,
    RiskRuleHistoryView,
    RiskRulesView,
    RiskRuleView,
    RiskRuleWrite,
)
from domain.common import errors as refusals
from domain.common.access import Actor, Permission
from domain.common.approval import ApprovalAction
from domain.common.errors import Invalid, NotFound
from domain.risk.rule import DEFAULTS, Mode
from domain.tenants.metadata import PreconditionFailed
from providers.expressions import compile_rule
from repositories.risk import rule as rows
from services.risk import backtest, rule as rules

router = Resource(tags=["risk_rules"])

#: The time over which the effect of a rule is judged before it is switched on.
JUDGED_OVER = timedelta(days=30)
LONGEST_BACKTEST = timedelta(days=90)


@router.get("/risk/rules")
async def list_risk_rules(deps: DepsDep, actor: Actor = require(Permission.RISK_READ)) -> RiskRulesView:
    """List the current version of every rule, with the defaults."""
    async with deps.session_for(actor) as session:
        stored = await rows.newest(session)
    defaults = [RiskRuleView.of(rule, None) for rule in DEFAULTS if rule.name not in stored]
    found = [*defaults, *(RiskRuleView.of(rows.rule_of(row), row) for row in stored.values())]
    return RiskRulesView(data=sorted(found, key=lambda each: (each.priority, each.name)))


@router.post(
    "/risk/rules",
    status_code=201,
    response_model=RiskRuleView,
    responses=errors(refusals.RiskRuleInvalid, refusals.RiskRuleExists, refusals.RiskTooManyRules),
)
async def create_risk_rule(
    body: RiskRuleCreate, deps: DepsDep, *, actor: Actor = require(Permission.RISK_RULES), command: MayRepeat
) -> Response:
    """Add a rule that is off or in shadow. Activate it to switch it on."""
    async with command, deps.database.platform() as session:
        row = await rules.create(
            session,
            actor,
            body.rule(body.name),
            command_id=command.command_id,
            now=datetime.now(UTC),
            compiler=compile_rule,
        )
        command.version = row.version
        return command.answer(RiskRuleView.of(rows.rule_of(row), row))


@router.get("/risk/rules/{name}")
async def get_risk_rule(
    name: str, deps: DepsDep, response: Response, actor: Actor = require(Permission.RISK_READ)
) -> RiskRuleHistoryView:
    """Read a rule with its versions. The `ETag` is its current version."""
    async with deps.session_for(actor) as session:
        found = [RiskRuleView.of(rule, row) for rule, row in await rows.versions(session, name)]
    response.headers.update(etag(found[0].version))
    return RiskRuleHistoryView(**found[0].model_dump(), versions=found)


@router.put("/risk/rules/{name}", response_model=RiskRuleView, responses=errors(NotFound, refusals.RiskRuleInvalid))
async def change_risk_rule(
    name: str,
    body: RiskRuleWrite,
    deps: DepsDep,
    expected: PreconditionDep,
    *,
    actor: Actor = require(Permission.RISK_RULES),
    command: MayRepeat,
) -> Response:
    """Write a new version of a rule, off or in shadow.

    It replaces the earlier version at once. Activate it to switch it on.
    `If-Match` names the version to replace, `"0"` for a default; the response has the new one as its `ETag`.
    """
    match = required_precondition(expected)
    async with command, deps.database.platform() as session:
        row = await rules.change(
            session,
            actor,
            body.rule(name),
            match,
            command_id=command.command_id,
            now=datetime.now(UTC),
            compiler=compile_rule,
        )
        command.version = row.version
        return command.answer(RiskRuleView.of(rows.rule_of(row), row))


@router.post(
    "/risk/rules/{name}/activate",
    response_model=RiskRuleView,
    responses=errors(NotFound, PreconditionFailed, refusals.ApprovalRequired, refusals.ApprovalSameOperator),
)
async def activate_risk_rule(
    name: str,
    body: RiskRuleActivate,
    deps: DepsDep,
    *,
    actor: Actor = require(Permission.RISK_RULES),
    command: MayRepeat,
) -> Response:
    """Change a rule's mode; this is a new version.

    Switching a rule on takes two operators if a backtest over the last 30 days changes more than one percent of the
    decisions of its points, or those of more than ten organizations.
    """
    async with command:
        if body.mode is Mode.ON:
            await _by_two(deps, actor, command, name, body.version)
        async with deps.database.platform() as session:
            rule, row = await rules.activate(
                session,
                actor,
                name,
                body.mode,
                body.version,
                command_id=command.command_id,
                now=datetime.now(UTC),
            )
            command.version = rule.version
            return command.answer(RiskRuleView.of(rule, row))


async def _by_two(deps: Deps, actor: Actor, command: Command, name: str, version: int) -> None:
    """Require a second operator for a rule with a large effect. A version never changes, so it is what is approved."""
    now = datetime.now(UTC)
    async with deps.asking(actor, None) as session:
        rule = await rows.version(session, name, version)
        if rule.mode is Mode.ON:
            return
        found = await backtest.run(session, rule, compile_rule, now - JUDGED_OVER, now)
    if found.is_large:
        content = {**rules.content_of(rule), "version": version}
        await require_two_operators(deps, actor, command, ApprovalAction.RISK_RULE, name, content, is_used_here=True)


@router.post(
    "/risk/rules/{name}/backtest",
    response_model=RiskBacktestView,
    responses=errors(NotFound, refusals.RiskRuleInvalid, refusals.RateLimited),
)
async def backtest_risk_rule(
    name: str,
    body: RiskBacktestCreate,
    deps: DepsDep,
    *,
    actor: Actor = require(Permission.RISK_RULES),
    command: MayRepeat,
) -> Response:
    """Test a rule over stored decisions, with the facts that they saw. Nothing changes.

    At most 200,000 decisions are read, the newest first; `is_cut` says whether there were more.
    """
    async with command:
        if not body.since < body.until <= body.since + LONGEST_BACKTEST:
            raise Invalid(f"to must be within {LONGEST_BACKTEST.days} days after from.", extra={"field": "to"})
        async with deps.asking(actor, None) as session:
            rule = await rows.version(session, name, body.version)
            if body.expression is not None:
                rule = replace(rule, expression=body.expression)
            found = await backtest.run(session, rule, compile_rule, body.since, body.until)
        version = None if body.expression is not None else rule.version
        return command.answer(RiskBacktestView.of(rule, version, found, deps.risk.settings.price.currency))
