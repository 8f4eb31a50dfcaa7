"""Payout accounts of organizations: created at the provider, and read again when they change."""

from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.access import Role
from domain.common.ids import creator_account_key
from domain.common.mail import MailKind
from domain.payouts.creator import CreatorAccount, has_tax_profile, is_redirected
from models.payouts.creator_account import CreatorAccountRow
from providers.payments.base import ProviderNotFound
from providers.payouts.base import AccountSnapshot, NewAccount, PayoutProvider
from repositories.billing import billing_terms
from repositories.messages import alert, notification
from repositories.payouts import creator_account
from runtime.database import Database
from services.messages import mail

#: How old an account at the provider may be to be found again after its creation was not recorded here.
LOOKBACK = timedelta(days=1)


async def ensure_account(
    database: Database,
    provider: PayoutProvider,
    account: NewAccount,
    *,
    hold: timedelta,
    created_by: str,
    asked_at: datetime,
) -> CreatorAccount:
    """Return the organization's account as the provider has it now; it is created if there is none.

    An account that was deleted there is replaced. That is a change of the destination, and holds payouts for `hold`.
    """
    async with database.platform() as session:
        known = await creator_account.find(session, account.org_id)
    if known is not None:
        try:
            return await refresh(database, provider, known.ref, hold=hold, asked_at=asked_at) or known
        except ProviderNotFound:
            pass
    replaces = None if known is None else known.ref
    made = await _find_or_create(provider, account, replaces, asked_at)
    async with database.platform() as session:
        if replaces is None:
            await creator_account.add(session, _row(account.org_id, provider.name, made, created_by, asked_at))
        else:
            await _replace(session, provider.name, replaces, made, created_by, hold, asked_at)
        found = await creator_account.find(session, account.org_id)
    assert found is not None
    return found


async def _find_or_create(
    provider: PayoutProvider, account: NewAccount, replaces: str | None, asked_at: datetime
) -> AccountSnapshot:
    found = await provider.find_account(account.org_id, since=asked_at - LOOKBACK)
    if found is not None and found.ref != replaces:
        return found
    key = creator_account_key(account.org_id, account.country, account.email, replaces)
    return await provider.create_account(account, idempotency_key=key)


async def _replace(
    session: AsyncSession,
    provider: str,
    ref: str,
    made: AccountSnapshot,
    created_by: str,
    hold: timedelta,
    asked_at: datetime,
) -> None:
    row = await creator_account.locked(session, provider, ref)
    if row is None:
        return  # somebody else has replaced it meanwhile
    if row.destination is not None or made.destination is not None:
        row.destination_changed_at = asked_at
        await _notify(session, row, made, hold)
    row.ref, row.created_by = made.ref, created_by
    _apply_snapshot(row, made, asked_at)
    await session.flush()


async def refresh(
    database: Database, provider: PayoutProvider, ref: str, *, hold: timedelta, asked_at: datetime
) -> CreatorAccount | None:
    """Read an account again at its provider, and write what has changed; None for one that is not ours."""
    snapshot = await provider.retrieve_account(ref)
    async with database.platform() as session:
        return await save_account(session, provider.name, snapshot, hold=hold, asked_at=asked_at)


async def save_account(
    session: AsyncSession, provider: str, snapshot: AccountSnapshot, *, hold: timedelta, asked_at: datetime
) -> CreatorAccount | None:
    """Write an account as its provider reported it; a report older than the last one is ignored.

    A new destination, the first one or another, holds payouts for `hold`; the organization and operators are alerted.
    """
    row = await creator_account.locked(session, provider, snapshot.ref)
    if row is None or asked_at <= row.seen_at:
        return None if row is None else creator_account.account_of(row)
    if is_redirected(row.destination, snapshot.destination):
        row.destination_changed_at = asked_at
        await _notify(session, row, snapshot, hold)
    elif row.destination_changed_at is not None and asked_at >= row.destination_changed_at + hold:
        await alert.close_cases(session, row.org_id, ("payout.destination_added",))
    _apply_snapshot(row, snapshot, asked_at)
    await session.flush()
    return creator_account.account_of(row)


def _apply_snapshot(row: CreatorAccountRow, snapshot: AccountSnapshot, asked_at: datetime) -> None:
    for name, value in _reported_columns(snapshot).items():
        setattr(row, name, value)
    if snapshot.destination is not None:
        row.destination = snapshot.destination
    row.seen_at = asked_at


async def _notify(session: AsyncSession, row: CreatorAccountRow, snapshot: AccountSnapshot, hold: timedelta) -> None:
    assert row.destination_changed_at is not None
    until = row.destination_changed_at + hold
    kind = "payout.destination_added" if row.destination is None else "payout.destination_changed"
    await alert.raise_alert(
        session,
        kind=kind,
        subject=row.org_id,
        detail=f"{_destination_change(row, snapshot)} Nothing is paid out before {until:%Y-%m-%d %H:%M} UTC. If no "
        "owner wanted this, remove it and replace the organization's keys.",
        org_id=row.org_id,
        key=f"{kind}:{row.org_id}:{row.destination_changed_at.isoformat()}",
        shared=True,
    )
    zone = await billing_terms.time_zone_at(session, row.org_id, until)
    await mail.queue(
        session,
        key=f"creator:{row.org_id}:destination:{row.destination_changed_at.isoformat()}",
        org_id=row.org_id,
        kind=MailKind.PAYOUT_DESTINATION_CHANGED,
        data={"held_until_on": until.astimezone(zone).date().isoformat()},
        # Somebody with a stolen owner's key may have changed the contacts and that owner's notification preferences.
        also=await notification.mail_addresses(session, row.org_id, Role.OWNER),
    )


def _destination_change(row: CreatorAccountRow, snapshot: AccountSnapshot) -> str:
    if row.destination is None:
        return f"Payouts of {row.org_id} now go to an account that ends in {snapshot.destination_last4}, its first one."
    if snapshot.ref != row.ref:
        return f"The account for payouts of {row.org_id} is gone at its provider, and was replaced by {snapshot.ref}."
    if snapshot.destination_last4 == row.destination_last4:
        return f"Another one of the bank accounts that payouts of {row.org_id} go to was added, changed or removed."
    return (
        f"Payouts of {row.org_id} now go to an account that ends in {snapshot.destination_last4}, and no longer to the "
        f"one that ends in {row.destination_last4}."
    )


def _reported_columns(snapshot: AccountSnapshot) -> dict[str, object]:
    return {
        "country": snapshot.country,
        "details_submitted": snapshot.details_submitted,
        "transfers_enabled": snapshot.transfers_enabled,
        "payouts_enabled": snapshot.payouts_enabled,
        "tax_profile": has_tax_profile(snapshot.details_submitted, snapshot.requirements_due),
        "requirements_due": list(snapshot.requirements_due),
        "disabled_reason": snapshot.disabled_reason,
        "destination_last4": snapshot.destination_last4,
        "destination_currency": snapshot.currency,
    }


def _row(
    org_id: str, provider: str, snapshot: AccountSnapshot, created_by: str, asked_at: datetime
) -> CreatorAccountRow:
    return CreatorAccountRow(
        org_id=org_id,
        provider=provider,
        ref=snapshot.ref,
        # The next report of the account notes it, as every other destination that is new.
        destination=None,
        destination_changed_at=None,
        seen_at=asked_at,
        created_by=created_by,
        **_reported_columns(snapshot),
    )
