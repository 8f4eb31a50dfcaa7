"""Grants credits: the transfer, the lot that records it and the audit entry in one transaction."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common import accounts
from domain.common.access import Actor
from domain.common.approval import ApprovalAction, content_above
from domain.common.credits import CreditPrice, GrantSource
from domain.common.errors import Invalid
from domain.common.ids import grant_key, signup_command_id, uuid_of
from domain.common.money import CREDIT, Amounts, format_amount
from domain.common.text import rfc3339
from domain.credits.lots import LotSource, LotTerms
from domain.tenants.metadata import NO_METADATA, OwnMetadata
from ledger.gateway import Ledger
from models.credits.credit_lot import CreditLot
from repositories.billing import credit_note
from repositories.credits import credit_lot, spend as spends
from repositories.tenants import audit, metadata, organization
from runtime.database import driver_connection
from runtime.identity import new_id
from services.common import approval

KIND = "credit.grant"
#: What operators grant within it, and what of spends was refunded or of invoices came back, counts together.
DAY = timedelta(days=1)

#: Where granted credits come from: what the platform gives away is its expense, a correction is new issuance.
_FUNDED_BY = {
    GrantSource.PROMOTION: "promotions",
    GrantSource.REWARD: "promotions",
    GrantSource.ADJUSTMENT: "credit_issuance",
    GrantSource.SIGNUP: "promotions",
}


async def grant(
    session: AsyncSession,
    actor: Actor,
    *,
    org_id: str,
    amount_minor: int,
    source: GrantSource,
    expires_at: datetime | None,
    note: str | None,
    command_id: str,
    now: datetime,
    own: OwnMetadata = NO_METADATA,
    priority: int = 0,
) -> CreditLot:
    """Grant credits to an organization, with what is written on the grant, or return the lot that the command made.

    Raises:
        Invalid: the credits would already have expired.
    """
    await organization.get(session, org_id)
    lot = CreditLot(
        id=new_id("lot"),
        org_id=org_id,
        source=source.value,
        amount_minor=amount_minor,
        expires_at=expires_at,
        note=note,
        created_by=actor.qualified(),
        command_id=command_id,
    )
    done = await credit_lot.made_before(session, lot)
    if done is not None:
        return done
    if expires_at is not None and expires_at <= now:
        raise Invalid("expires_at must be in the future.", extra={"field": "expires_at"})
    await metadata.add(session, lot.id, org_id, own, command_id)
    posted = await Ledger(await driver_connection(session)).post(
        key=grant_key(lot.org_id, lot.command_id),
        kind=KIND,
        source=accounts.platform(_FUNDED_BY[source], CREDIT),
        destination=accounts.org_credits(lot.org_id),
        amount_minor=lot.amount_minor,
        reference=lot.id,
        effective_at=now,
        org_id=lot.org_id,
        metadata={"source": lot.source},
        lots=LotTerms(
            source=LotSource(lot.source), expires_at=lot.expires_at, lot_id=uuid_of(lot.id), priority=priority
        ),
    )
    lot.transfer_id = posted.transfer_id
    made = await credit_lot.add(session, lot)
    details = {"amount": format_amount(made.amount_minor, CREDIT), "source": made.source}
    await audit.record(session, actor, "credits.grant", made.id, details, made.org_id)
    return made


@dataclass(frozen=True, slots=True, kw_only=True)
class ManualGrantRules:
    """What decides whether credits given by hand need two operators: the setting, and the price of a credit."""

    two_above: Amounts | None
    price: CreditPrice


async def needs_approval(
    session: AsyncSession, by_hand: ManualGrantRules, *, org_id: str, amount_minor: int, command_id: str, now: datetime
) -> bool:
    """Return whether credits that an operator gives an organization need two operators.

    All that it was granted within a day counts, all refunds of its spends, and all that credit notes and voided
    invoices gave back, whoever requested them: so nothing is divided into small ones.
    """
    if by_hand.two_above is None:
        return False
    granted = await credit_lot.granted_since(session, org_id, now - DAY, besides=command_id)
    refunded = await spends.refunded_since(session, org_id, now - DAY, besides=command_id)
    returned = await credit_note.credits_returned_since(session, org_id, now - DAY, besides=command_id)
    worth = by_hand.price.of(granted + refunded + returned + amount_minor)
    return content_above(by_hand.two_above, worth, by_hand.price.currency) is not None


async def approval_content(
    session: AsyncSession,
    by_hand: ManualGrantRules,
    *,
    org_id: str,
    amount_minor: int,
    source: GrantSource,
    expires_at: datetime | None,
    priority: int,
    command_id: str,
    now: datetime,
) -> dict[str, object] | None:
    """Return what two operators approve of a grant; None where one is enough."""
    if not await needs_approval(
        session, by_hand, org_id=org_id, amount_minor=amount_minor, command_id=command_id, now=now
    ):
        return None
    return {
        "credits": format_amount(amount_minor, CREDIT),
        "source": source.value,
        "expires_at": None if expires_at is None else rfc3339(expires_at),
        "priority": priority,
    }


async def use_approval(
    session: AsyncSession,
    by_hand: ManualGrantRules,
    *,
    org_id: str,
    amount_minor: int,
    source: GrantSource,
    expires_at: datetime | None,
    priority: int,
    command_id: str,
    now: datetime,
) -> None:
    """Use up the approval of a grant in its own transaction, where it takes one."""
    await credit_lot.lock_grants(session, org_id)
    content = await approval_content(
        session,
        by_hand,
        org_id=org_id,
        amount_minor=amount_minor,
        source=source,
        expires_at=expires_at,
        priority=priority,
        command_id=command_id,
        now=now,
    )
    if content is not None:
        await approval.consume(session, ApprovalAction.CREDIT_GRANT, org_id, content, command_id=command_id, now=now)


async def grant_signup_bonus(
    session: AsyncSession, actor: Actor, *, org_id: str, amount_minor: int, now: datetime
) -> None:
    """Grant a new organization its bonus, once, in the transaction that creates it; an amount of zero grants none."""
    if amount_minor == 0:
        return
    await grant(
        session,
        actor,
        org_id=org_id,
        amount_minor=amount_minor,
        source=GrantSource.SIGNUP,
        expires_at=None,
        note=None,
        command_id=signup_command_id(org_id),
        now=now,
    )
