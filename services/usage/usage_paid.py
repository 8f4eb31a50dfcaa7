"""Checks spends that calls in a spend log name as their payment; a spend pays for one call of its owner."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.ids import uuid_of
from domain.usage.event import UsageEvent
from domain.usage.litellm import SOURCE
from domain.usage.paid_call import PaymentCheck, check_payment, is_made_with
from repositories.credits import spend
from repositories.usage import usage_paid

log = structlog.get_logger("bursar.usage")


@dataclass(frozen=True, slots=True)
class Claims:
    """Result of checking the spends that calls name.

    Attributes:
        charged: the events that are not paid in full, with `spend_id` removed.
        partly: those of them that are paid in part; the captured amount is deducted from their charge.
        later: events to send again later, because their spend is not captured yet.
    """

    charged: Mapping[UUID, UsageEvent] = field(default_factory=dict)
    partly: Collection[UUID] = ()
    later: Collection[UUID] = ()


async def check_claims(
    session: AsyncSession,
    org_id: str,
    events: Mapping[UUID, UsageEvent],
    *,
    paying: Mapping[str, int | None],
    now: datetime,
) -> Claims:
    """Check the spends that calls in a spend log name, and record those that have paid for a call.

    Events of other sources are not checked.

    Args:
        session: of the platform.
        org_id: the organization.
        events: by digest.
        paying: the actions that pay for calls, see `domain.usage.paid_call.check_payment`.
        now: the time of receipt.
    """
    naming = {
        digest: spend_id
        for digest, event in events.items()
        if event.source == SOURCE and (spend_id := event.get("spend_id")) is not None
    }
    if not naming:
        return Claims()
    found = await spend.named(session, org_id, set(naming.values()))
    verdicts = {
        digest: check_payment(events[digest], spent, paying, now=now)
        if (spent := found.get(spend_id)) is not None
        else PaymentCheck.NO
        for digest, spend_id in naming.items()
    }
    claimed = {
        digest: uuid_of(naming[digest])
        for digest, verdict in verdicts.items()
        if verdict in {PaymentCheck.YES, PaymentCheck.PART}
    }
    first = await usage_paid.claim(session, org_id, claimed)
    believed = {digest for digest, spend_id in claimed.items() if first[spend_id] == digest}
    later = {digest for digest, verdict in verdicts.items() if verdict is PaymentCheck.LATER}
    unpaid = naming.keys() - believed - later
    if unpaid:
        log.warning("calls name spends that have not paid for them", org_id=org_id, count=len(unpaid))
    partly = {digest for digest in believed if verdicts[digest] is PaymentCheck.PART}
    return Claims({digest: _without_spend(events[digest]) for digest in unpaid | partly}, partly, later)


async def proven_spends(
    session: AsyncSession, org_id: str, secrets: Collection[tuple[str, str]]
) -> set[tuple[str, str]]:
    """Return the pairs of spend and secret that prove that the organization made the spend."""
    if not secrets:
        return set()
    found = await spend.named(session, org_id, {spend_id for spend_id, _ in secrets})
    return {pair for pair in secrets if (made := found.get(pair[0])) is not None and is_made_with(pair[1], made)}


def _without_spend(event: UsageEvent) -> UsageEvent:
    return event._replace(attributes={name: value for name, value in event.attributes.items() if name != "spend_id"})
