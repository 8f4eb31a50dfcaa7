"""Notification settings of principals: channels, preferences, and unsubscribing."""

import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common import errors as refusals
from domain.common.access import Actor, Role
from domain.common.errors import DomainError, NotFound, other_request
from domain.messages.alert.escalation import EscalationStep, immediate_steps
from domain.messages.alert.life import AlertStatus
from domain.messages.notification.channel import (
    CODE_TRIES,
    INBOX,
    MAX_CHANNELS,
    ChannelKind,
    ChannelStatus,
    KeysMissing,
    check_code_can_be_sent,
    checked_target,
    code_problem,
    digest_of_target,
    masked_target,
)
from domain.messages.notification.due import DIGEST_CADENCES, Cadence, later_cadence
from domain.messages.notification.preferences import (
    Preferences,
    check_somebody_is_notified,
    checked_choices,
    checked_defaults,
    recipient_of,
)
from domain.messages.notification.types import BY_NAME, CODE, TYPES, TYPES_OF_UNINVITED_EVENTS, NotificationType
from domain.messages.slack import HOOK_PREFIX
from models.messages.alert import Alert
from models.messages.notification import NotificationChannel
from repositories.common.command import lock_command, row_of_command
from repositories.common.required import require_found
from repositories.messages import alert as alerts, alert_rule, notification as notifications
from repositories.messages.notification import NewNotification
from repositories.tenants import audit
from runtime.identity import new_id
from runtime.sealing import Sealer
from services.messages import fan_out

_CODES = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelRequest:
    """A requested channel."""

    kind: ChannelKind
    target: str
    command_id: str


async def create_channel(
    session: AsyncSession,
    actor: Actor,
    wanted: ChannelRequest,
    sealer: Sealer,
    *,
    hooks: str = HOOK_PREFIX,
    now: datetime,
) -> NotificationChannel:
    """Create a channel and queue its verification code. Idempotent. `hooks` is the prefix of Slack's URLs.

    Raises:
        KeysMissing: no encryption key is set.
    """
    target = checked_target(wanted.kind, wanted.target, hooks=hooks)
    if not sealer.seals:
        raise KeysMissing
    digest, recipient = digest_of_target(wanted.kind, target), notifications.recipient(actor)
    await _lock(session, recipient, digest)
    made = await row_of_command(session, NotificationChannel, wanted.command_id)
    if made is not None:
        if (made.recipient, made.kind, made.target_digest) != (recipient, wanted.kind.value, digest):
            raise other_request()
        return made
    held = await notifications.channels(session, recipient)
    if any(each.target_digest == digest for each in held):
        raise refusals.NotificationChannelExists("You have this channel already.")
    if len(held) >= MAX_CHANNELS:
        raise refusals.NotificationLimitReached(
            f"You have {MAX_CHANNELS} channels. Delete one first.", extra={"limit": MAX_CHANNELS}
        )
    is_mail = wanted.kind is ChannelKind.MAIL
    row = await notifications.add_channel(
        session,
        {
            "id": new_id("nch"),
            "org_id": actor.org_id,
            "principal": actor.principal.lower(),
            "recipient": recipient,
            "command_id": wanted.command_id,
            "kind": wanted.kind.value,
            "status": ChannelStatus.PENDING.value,
            "address": target if is_mail else None,
            "hook": None if is_mail else sealer.seal(target),
            "shown": masked_target(wanted.kind, target),
            "target_digest": digest,
        },
    )
    await _audit(session, actor, "created", row)
    return await _send_code(session, row, sealer, now)


async def resend_code(
    session: AsyncSession, actor: Actor, channel_id: str, sealer: Sealer, *, now: datetime
) -> NotificationChannel:
    """Send a new code for an unverified channel, which invalidates the one before.

    Raises:
        NotFound: the caller has no such channel.
    """
    row = await _own(session, actor, channel_id)
    if row.status == ChannelStatus.VERIFIED.value:
        raise refusals.NotificationVerified("The channel is verified.")
    if not sealer.seals:
        raise KeysMissing
    await _lock(session, row.recipient, row.target_digest)
    return await _send_code(session, row, sealer, now)


async def verify_channel(
    session: AsyncSession, actor: Actor, channel_id: str, code: str, sealer: Sealer, *, now: datetime
) -> tuple[NotificationChannel, DomainError | None]:
    """Check a code, and activate the channel if it is right.

    The error of a wrong code is returned, because the attempt must be committed before it is raised.

    Raises:
        NotFound: the caller has no such channel.
    """
    row = await _own(session, actor, channel_id)
    if row.status == ChannelStatus.VERIFIED.value:
        return row, None
    held = None if row.code is None else sealer.open(row.code)
    problem = code_problem(held, code, sent_at=row.code_sent_at, tries=row.code_tries, now=now)
    if problem is not None:
        await notifications.change_channel(session, row.id, code_tries=min(row.code_tries + 1, CODE_TRIES))
        return row, problem
    await notifications.change_channel(
        session, row.id, status=ChannelStatus.VERIFIED.value, code=None, code_tries=0, verified_at=now
    )
    await _audit(session, actor, "verified", row)
    return await _own(session, actor, channel_id), None


async def delete_channel(session: AsyncSession, actor: Actor, channel_id: str, *, now: datetime) -> None:
    """Delete a channel and its address. Queued notifications are not sent over it.

    The verified address of an owner is kept for a while, see `notifications.mail_addresses`.

    Raises:
        NotFound: the caller has no such channel.
    """
    row = await _own(session, actor, channel_id)
    kept = row.address if actor.role is Role.OWNER and row.status == ChannelStatus.VERIFIED.value else None
    gone = dict.fromkeys(("hook", "code", "code_sent_at"))
    await notifications.change_channel(
        session, row.id, status=ChannelStatus.DELETED.value, address=kept, shown="", removed_at=now, **gone
    )
    await _audit(session, actor, "deleted", row)


async def set_preferences(session: AsyncSession, actor: Actor, wanted: Preferences, *, now: datetime) -> Preferences:
    """Replace the caller's preferences."""
    own = await notifications.channels(session, notifications.recipient(actor))
    wanted = replace(wanted, choices=checked_choices(wanted.choices, actor.role, [each.id for each in own]))
    return await _set(session, actor.org_id, actor.principal, wanted, now=now)


async def set_defaults(
    session: AsyncSession, actor: Actor, kind: str, cadences: Mapping[Role, Cadence], *, now: datetime
) -> None:
    """Set the default cadence of a type by role, in place of the product's or an earlier one.

    Args:
        session: of the platform.
        actor: an operator, for the audit trail.
        kind: the name of a type.
        cadences: role → cadence over mail and Slack, `off` for the inbox only; other roles are not notified.
        now: of the request.

    Raises:
        NotFound: there is no such type.
    """
    cadences = checked_defaults(type_named(kind), cadences)
    before = (await notifications.defaults(session)).get(kind)
    if before == cadences:
        return
    await notifications.put_defaults(session, kind, cadences, now=now)
    details = {"roles": {role.value: cadence.value for role, cadence in cadences.items()}}
    await audit.record(session, actor, "notification_defaults.set", kind, details)


async def reset_defaults(session: AsyncSession, actor: Actor, kind: str) -> None:
    """Reset a type to the product's defaults. Idempotent.

    Raises:
        NotFound: there is no such type.
    """
    type_named(kind)
    if await notifications.drop_defaults(session, kind):
        await audit.record(session, actor, "notification_defaults.reset", kind)


def type_named(kind: str) -> NotificationType:
    """Return a type of notifications.

    Raises:
        NotFound: there is none of this name.
    """
    return require_found(BY_NAME.get(kind), "There is no such type of notifications.")


async def unsubscribe(
    session: AsyncSession, *, org_id: str | None, principal: str, channel_id: str, kind: str, now: datetime
) -> None:
    """Switch off the notifications of an unsubscribe link for a channel of a principal. Idempotent.

    The link names a type, or a digest, which means every type in the channel's digests of that cadence. The caller has
    checked its signature. Types of a digest that must reach somebody stay on for the last recipient.

    Args:
        session: of the platform.
        org_id: of the principal; None for the platform's.
        principal: whose channel it is.
        channel_id: `nch_…`.
        kind: a type of notifications, or the cadence of a digest.
        now: of the request.

    Raises:
        NotFound: the principal no longer has the channel, or there is no such type.
    """
    row = await notifications.channel(session, recipient_of(org_id, principal), channel_id)
    if row is None or kind not in {*BY_NAME, *DIGEST_CADENCES}:
        raise NotFound(notifications.NO_CHANNEL)
    held = await notifications.preferences(session, row.recipient)
    kinds = [kind] if kind in BY_NAME else await _in_digests(session, org_id, principal, channel_id, Cadence(kind))
    raised = list[DomainError]()
    for each in kinds:
        try:
            held = await _set(session, org_id, principal, held.switched_off(each, channel_id), now=now)
        except refusals.OnlyRecipient as refusal:
            raised.append(refusal)
    if kinds and len(raised) == len(kinds):
        raise raised[0]


async def notify_roles(session: AsyncSession, alert: Alert, roles: Collection[Role], step: str) -> int:
    """Notify people of some roles about an unanswered alert, in the caller's transaction.

    It is sent immediately to the inbox, to every channel that gets such alerts, and to those of the alert's rule. Quiet
    hours delay it unless it is urgent. At the first step of an escalation, addresses that get a mail about the same
    event are left out.

    Args:
        session: of the platform.
        alert: the alert.
        roles: of its organization, if it may read the alert, and of the platform.
        step: of the escalation; each person is notified once for each channel and step.

    Returns:
        The number of new notifications.
    """
    now = await notifications.time_of(session)
    orgs = {alert.org_id} if alert.shared and alert.org_id is not None else set()
    people = await notifications.people(session, orgs | {None})
    raised = (alert.org_id, alert.rule_id or "")
    also = (await alert_rule.channels(session, [raised]))[raised]
    contacts, at_once = fan_out.Contacts(session), not EscalationStep.named(step).after
    rows = []
    for org_id, members in people.items():
        about = fan_out.about_alert(alert, for_platform=org_id is None, source=f"{alert.id}:{step}")
        for person in members:
            if person.role in roles:
                named = [each for each in person.channels if each in also]
                ways = dict.fromkeys((INBOX, *person.ways(about.kind), *named), Cadence.INSTANT)
                left = await contacts.leave_out(about, person, ways) if at_once else ways
                rows += fan_out.rows_of(about, person, left, now)
    return await notifications.add(session, rows)


async def notify_first(session: AsyncSession, alert_id: str, *, by_operator: bool, now: datetime) -> None:
    """Notify the immediate recipients of an open alert before it is answered.

    An answer ends the escalation, and the person who answers may be the subject of the alert. So the recipients of the
    immediate steps, other operators included, are notified first, if they were not yet.

    Args:
        session: of the platform.
        alert_id: the alert.
        by_operator: whether an operator answers it; otherwise the organization does.
        now: of the request.
    """
    row = await alerts.find(session, alert_id, lock=True)
    if row is None or row.status == AlertStatus.RESOLVED.value:
        return
    ladder = (await alert_rule.ladders(session, [row]))[row.id] if by_operator else ()
    steps = immediate_steps(ladder, is_shared=row.shared and row.org_id is not None)
    for step in steps:
        await notify_roles(session, row, (step.role,), step.name)
    if row.notified_at is None:
        await fan_out.notify_organization(session, row, {step.role for step in steps}, now=now)


async def _set(
    session: AsyncSession, org_id: str | None, principal: str, wanted: Preferences, *, now: datetime
) -> Preferences:
    """Write preferences under a lock of the organization: two people cannot both leave a type without a recipient."""
    await lock_command(session, f"notifications:{org_id or 'platform'}")
    wanted = replace(wanted, defaults=await notifications.defaults(session))
    before = (await notifications.people(session, [org_id]))[org_id]
    after = [replace(each, preferences=wanted) if each.principal == principal.lower() else each for each in before]
    check_somebody_is_notified(before, after)
    await notifications.put_preferences(session, org_id=org_id, principal=principal, wanted=wanted, now=now)
    return wanted


async def _in_digests(
    session: AsyncSession, org_id: str | None, principal: str, channel_id: str, cadence: Cadence
) -> list[str]:
    """Return the types in a channel's digests of a cadence, also types delayed into it."""
    people = (await notifications.people(session, [org_id]))[org_id]
    person = next((each for each in people if each.principal == principal.lower()), None)
    if person is None:
        return []
    chosen = {kind.name: person.preferences.cadence(kind, channel_id, person.role) for kind in TYPES}
    return [
        name
        for name, own in chosen.items()
        if own is cadence
        or (name in TYPES_OF_UNINVITED_EVENTS and cadence is not Cadence.WEEKLY and later_cadence(own, cadence) != own)
    ]


async def _own(session: AsyncSession, actor: Actor, channel_id: str) -> NotificationChannel:
    return require_found(
        await notifications.channel(session, notifications.recipient(actor), channel_id), notifications.NO_CHANNEL
    )


async def _lock(session: AsyncSession, recipient: str, target_digest: str) -> None:
    """Lock the channels of a principal and the codes to an address, until the transaction ends."""
    for each in sorted((f"notification-channels:{recipient}", f"notification-target:{target_digest}")):
        await lock_command(session, each)


async def _send_code(
    session: AsyncSession, row: NotificationChannel, sealer: Sealer, now: datetime
) -> NotificationChannel:
    to_target, to_principal = await notifications.codes_sent(
        session, recipient=row.recipient, target_digest=row.target_digest
    )
    check_code_can_be_sent(to_target=to_target, to_principal=to_principal, now=now)
    code = sealer.seal(f"{secrets.randbelow(_CODES):06d}")
    await notifications.change_channel(
        session, row.id, code=code, code_sent_at=now, code_tries=0, codes_sent_at=[*row.codes_sent_at, now]
    )
    code_id = new_id("ntf")
    await notifications.add(
        session,
        [
            NewNotification(
                id=code_id,
                source=code_id,
                org_id=row.org_id,
                principal=row.principal,
                channel=row.id,
                kind=CODE,
                fact=CODE,
                subject=row.id,
                # The code itself stays sealed in the channel's row and is not part of the queued notification.
                data={},
                status="queued",
                due_at=now,
                created_at=now,
            )
        ],
    )
    found = await notifications.channel(session, row.recipient, row.id)
    assert found is not None
    return found


async def _audit(session: AsyncSession, actor: Actor, what: str, row: NotificationChannel) -> None:
    details: Mapping[str, object] = {"kind": row.kind}
    await audit.record(session, actor, f"notification_channel.{what}", row.id, details, actor.org_id)
