"""Creation, change and deletion of alert rules, and change of built-in ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.access import Actor
from domain.common.errors import AlertRuleExists, AlertRuleLimitReached, Invalid, NotFound
from domain.common.ids import is_id
from domain.messages.alert import rules
from domain.messages.alert.conditions import RequestedCondition, condition_of
from domain.messages.alert.escalation import EscalationStep
from domain.messages.alert.metrics import metric_of
from domain.messages.alert.rules import BUILT_IN, MAX_RULES, BuiltIn, Rule
from domain.payments.payment.options import CREDITS, CRYPTO, PAYPAL, STRIPE
from models.credits.spend_control import SpendControl
from models.messages.alert_rule import AlertRule
from repositories.common.command import lock_command, other_request, require_same_request, row_of_command
from repositories.credits import department as departments, spend_control
from repositories.marketplace import agent as agents
from repositories.messages import alert, alert_rule, notification
from repositories.tenants import audit, organization
from runtime.identity import new_id

_PROVIDERS = frozenset({STRIPE, PAYPAL, CRYPTO, CREDITS})
#: The defaults of a rule.
WINDOW, COOL_DOWN, SEVERITY = timedelta(days=1), timedelta(hours=1), "warning"
#: The columns of a rule that requests set, besides its name.
_ASKED = (
    *("metric", "filters", "condition", "window_seconds", "cool_down_seconds", "severity", "description", "channels"),
    *("ladder", "enabled"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleRequest:
    """A requested rule; None for absent fields."""

    metric: str | None = None
    filters: Mapping[str, str] | None = None
    condition: RequestedCondition | None = None
    window: timedelta | None = None
    cool_down: timedelta | None = None
    severity: str | None = None
    channels: tuple[str, ...] | None = None
    ladder: tuple[EscalationStep, ...] | None = None
    description: str | None = None
    enabled: bool = True


async def create(
    session: AsyncSession,
    actor: Actor,
    org_id: str | None,
    name: str,
    wanted: RuleRequest,
    *,
    command_id: str,
    now: datetime,
) -> AlertRule:
    """Create a rule, or return the one that its command created.

    Raises:
        Invalid: names the wrong field.
    """
    rules.check_name(name)
    await _lock(session, org_id)
    made = await row_of_command(session, AlertRule, command_id)
    if made is not None:
        if (made.org_id, made.name) != (org_id, name):
            raise other_request()
        # A rule that was changed since cannot be compared with the command's request.
        if made.updated_at == made.created_at:
            asked = AlertRule()
            _fill(asked, await _checked(session, actor, org_id, name, wanted), wanted, now)
            require_same_request(made, asked, _ASKED)
        return made
    if await alert_rule.named(session, org_id, name) is not None:
        raise AlertRuleExists(f"There is already a rule named {name}.")
    if await alert_rule.count(session, org_id) >= MAX_RULES:
        raise AlertRuleLimitReached(
            f"There are already {MAX_RULES} rules. Delete one first.", extra={"limit": MAX_RULES}
        )
    row = AlertRule(id=new_id("rul"), org_id=org_id, name=name, created_by=actor.qualified(), command_id=command_id)
    _fill(row, await _checked(session, actor, org_id, name, wanted), wanted, now)
    made = await alert_rule.add(session, row)
    await audit.record(session, actor, "alert_rule.create", made.id, audit_view(made), org_id)
    return made


async def change(session: AsyncSession, actor: Actor, rule_id: str, wanted: RuleRequest, *, now: datetime) -> AlertRule:
    """Replace a rule, and reset its state; its open alerts are resolved.

    Raises:
        Invalid, NotFound: as in `create`.
    """
    org_id = (await alert_rule.get(session, rule_id)).org_id
    await _lock(session, org_id)
    row = await alert_rule.get(session, rule_id)
    _fill(row, await _checked(session, actor, org_id, row.name, wanted), wanted, now)
    row.updated_at = now
    await session.flush()
    await _begin_anew(session, row.id, actor)
    await audit.record(session, actor, "alert_rule.change", row.id, audit_view(row), org_id)
    return row


async def change_built_in(
    session: AsyncSession,
    actor: Actor,
    org_id: str | None,
    rule: BuiltIn,
    wanted: RuleRequest,
    *,
    command_id: str,
    now: datetime,
) -> AlertRule:
    """Set a built-in rule's severity, channels and escalation, and whether it is enabled.

    Raises:
        Invalid: the request has a field that a built-in rule does not have.
    """
    for field in ("metric", "filters", "condition", "window", "cool_down", "description"):
        if getattr(wanted, field) is not None:
            name = "filter" if field == "filters" else field
            raise Invalid(
                f"{rule.name} is built in and has no {name} of your own. Switch it off and write a rule instead.",
                extra={"field": name},
            )
    await _lock(session, org_id)
    await _check_called(session, actor, org_id, wanted)
    row = await alert_rule.named(session, org_id, rule.name)
    if row is None:
        row = AlertRule(
            id=new_id("rul"),
            org_id=org_id,
            name=rule.name,
            metric=None,
            filters={},
            condition=None,
            window_seconds=int(WINDOW.total_seconds()),
            cool_down_seconds=int(COOL_DOWN.total_seconds()),
            created_by=actor.qualified(),
            command_id=f"{command_id}:{rule.name}",
        )
        session.add(row)
    row.severity = wanted.severity or rule.severity
    _fill_called(row, wanted)
    row.enabled, row.due_at, row.updated_at = wanted.enabled, None, now
    await session.flush()
    if not row.enabled:
        await _resolve(session, await alert_rule.forget(session, rule.name, org_id=org_id), actor)
    await audit.record(session, actor, "alert_rule.change", rule.name, audit_view(row), org_id)
    await session.refresh(row)
    return row


async def delete(session: AsyncSession, actor: Actor, rule_id: str) -> None:
    """Delete a rule, and resolve its open alerts."""
    org_id = (await alert_rule.get(session, rule_id)).org_id
    await _lock(session, org_id)
    row = await alert_rule.get(session, rule_id)
    await alert_rule.end(session, row.id)
    await _begin_anew(session, row.id, actor)
    await audit.record(session, actor, "alert_rule.delete", row.id, {"name": row.name}, org_id)


async def reset(session: AsyncSession, actor: Actor, org_id: str | None, rule: BuiltIn) -> None:
    """Reset a built-in rule to its defaults."""
    await _lock(session, org_id)
    row = await alert_rule.named(session, org_id, rule.name)
    if row is not None:
        await alert_rule.end(session, row.id)
        await audit.record(session, actor, "alert_rule.reset", rule.name, {}, org_id)


def audit_view(row: AlertRule) -> dict[str, object]:
    """Return a rule for the audit trail."""
    names = ("name", "metric", "filters", "condition", "window_seconds", "cool_down_seconds", "severity", "enabled")
    return {name: getattr(row, name) for name in names} | {"channels": row.channels, "ladder": row.ladder}


async def _lock(session: AsyncSession, org_id: str | None) -> None:
    """Lock the rules of an organization, or of operators, until the transaction ends."""
    if org_id is not None:
        await organization.get(session, org_id)
    await lock_command(session, f"alert_rules:{org_id or 'platform'}")


async def _checked(session: AsyncSession, actor: Actor, org_id: str | None, name: str, wanted: RuleRequest) -> Rule:
    platform = org_id is None
    if wanted.metric is None:
        raise Invalid("A rule needs a metric.", extra={"field": "metric"})
    if wanted.condition is None:
        raise Invalid("A rule needs a condition.", extra={"field": "condition"})
    metric = metric_of(wanted.metric, platform=platform)
    filters = dict(wanted.filters or {})
    rules.check_filters(metric, filters)
    asset = await _asset(session, org_id, filters)
    condition = condition_of(wanted.condition, metric, platform=platform, asset=asset)
    window, cool_down = wanted.window or WINDOW, wanted.cool_down or COOL_DOWN
    rules.check_times(metric, condition, window, cool_down)
    await _check_called(session, actor, org_id, wanted)
    return Rule(
        name=name, metric=metric, filters=filters, condition=condition, window=window, cool_down=cool_down, asset=asset
    )


async def _check_called(session: AsyncSession, actor: Actor, org_id: str | None, wanted: RuleRequest) -> None:
    """Refuse channels and escalation steps without recipients in the organization or the platform."""
    rules.check_channels(wanted.channels)
    rules.check_ladder(wanted.ladder, platform=org_id is None, by_platform=actor.is_platform)
    channels = wanted.channels or ()
    known = await notification.channels_by_id(session, channels)
    for number, each in enumerate(channels):
        if each not in known or known[each].org_id != org_id:
            raise Invalid("There is no such channel.", extra={"field": f"channels.{number}"})


async def _asset(session: AsyncSession, org_id: str | None, filters: Mapping[str, str]) -> str | None:
    """Check that the rule's filters are objects of the organization; return the spend control's asset, if any.

    Raises:
        Invalid: one is not; `field` names the filter.
    """
    asset = None
    for field, value in filters.items():
        there = False
        match field:
            case "agent_id":
                there = is_id(value, "agt") and await _owns_agent(session, org_id, value)
            case "department_id":
                there = org_id is not None and await departments.find(session, value, org_id) is not None
            case "control_id":
                control = None
                if is_id(value, "ctl"):
                    control = await _control(session, value)
                there = control is not None and control.org_id == org_id
                asset = None if control is None else control.asset
            case "provider":
                there = value in _PROVIDERS
        if not there:
            raise Invalid(f"There is no such {field.removesuffix('_id')}.", extra={"field": f"filter.{field}"})
    return asset


async def _owns_agent(session: AsyncSession, org_id: str | None, agent_id: str) -> bool:
    try:
        return (await agents.get(session, agent_id)).org_id == org_id
    except NotFound:
        return False


async def _control(session: AsyncSession, control_id: str) -> SpendControl | None:
    try:
        return await spend_control.get(session, control_id)
    except NotFound:
        return None


def _fill(row: AlertRule, rule: Rule, wanted: RuleRequest, now: datetime) -> None:
    row.metric, row.filters = rule.metric.name, dict(rule.filters)
    row.condition, row.asset = rule.condition.document(), rule.asset
    row.window_seconds = int(rule.window.total_seconds())
    row.cool_down_seconds = int(rule.cool_down.total_seconds())
    row.severity, row.description = wanted.severity or SEVERITY, wanted.description
    _fill_called(row, wanted)
    row.enabled = wanted.enabled
    row.due_at = now if wanted.enabled else None


def _fill_called(row: AlertRule, wanted: RuleRequest) -> None:
    row.channels = None if wanted.channels is None else list(wanted.channels)
    row.ladder = None if wanted.ladder is None else [step.name for step in wanted.ladder]


async def _begin_anew(session: AsyncSession, rule: str, actor: Actor) -> None:
    await _resolve(session, await alert_rule.forget(session, rule), actor)


async def _resolve(session: AsyncSession, keys: Sequence[str], actor: Actor) -> None:
    for key in keys:
        await alert.resolve(session, key, actor.qualified())


def built_in(name: str, *, platform: bool) -> BuiltIn | None:
    """Return the built-in rule of operators, or of organizations, by name, or None."""
    found = BUILT_IN.get(name)
    return found if found is not None and found.for_platform is platform else None
