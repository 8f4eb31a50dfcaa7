"""Activities that handle events about creators' connected accounts."""

import contextlib
from datetime import UTC, datetime, timedelta

from temporalio import activity

from activities.payouts.payout import transfer_of
from contracts.payments.payment import ProviderEventInput, ProviderEventResult
from domain.common.access import Actor, Role
from domain.common.money import format_amount
from domain.payments.payment.event_types import TRANSFER_REVERSED
from models.payments.provider_event import ProviderEventRow
from providers.payments.base import ProviderNotFound
from providers.payouts.base import PayoutProvider
from repositories.messages import alert
from repositories.payments import provider_event
from repositories.payouts import creator_account, payout, transfer_reversal
from runtime.database import Database
from services.payouts import check, creator
from services.risk.decision import Risk


class CreatorActivities:
    """Activities on creators' connected accounts."""

    def __init__(self, database: Database, payouts: PayoutProvider | None, risk: Risk, *, hold: timedelta) -> None:
        """Use the database, the payout provider if configured, and the hold of payouts to a new destination."""
        self._database = database
        self._payouts = payouts
        self._risk = risk
        self._hold = hold

    @activity.defn
    async def refresh_creator(self, message: ProviderEventInput) -> ProviderEventResult:
        """Refresh the connected account of an event, and alert its organization of a payout that the bank refused.

        For the event of a reversed transfer, the transfer is read instead.

        Effect: the account's row; an alert if its destination is new, its bank has refused money, or more of a transfer
            was reversed than Bursar has requested; the event is marked as handled.
        Idempotent by: the time of the read, and the keys of the alerts.
        Fails with: an outage of the provider, which is retried.
        """
        if self._payouts is None:
            raise RuntimeError("Stripe is not configured in this worker. Its events wait for its settings.")
        async with self._database.platform() as session:
            row = await provider_event.get(session, message.provider, message.event_id)
            org_id = row and await creator_account.organization_of(session, message.provider, row.refs)
            known = await creator_account.find(session, org_id) if org_id else None
        if row is not None and row.type == TRANSFER_REVERSED and row.handled_at is None:
            return await self._reversed(row)
        if row is None or known is None or row.handled_at is not None:
            return ProviderEventResult(outcome="unmatched" if row is None else row.status)
        # The row of a deleted account is not changed: nothing can be sent to it.
        with contextlib.suppress(ProviderNotFound):
            now, by = datetime.now(UTC), Actor(principal=check.PROVIDER, role=Role.FINANCE, org_id=known.org_id)
            account = await creator.refresh(self._database, self._payouts, known.ref, hold=self._hold, asked_at=now)
            if account is not None:
                await check.decide_account(self._database, self._risk, by, account, now)
        async with self._database.platform() as session:
            if row.type == "payout.failed":
                await alert.raise_alert(
                    session,
                    kind="payout.bank_refused",
                    subject=known.org_id,
                    detail=f"The bank refused a payout of {message.provider} to {known.org_id}. The money is still "
                    "there, in the organization's own account. Name another bank account in the onboarding.",
                    org_id=known.org_id,
                    key=f"payout.bank_refused:{message.event_id}",
                    shared=True,
                )
            await provider_event.mark(
                session, row.provider, [row.event_id], status="handled", payment_id=None, handled=True
            )
        return ProviderEventResult(outcome="handled")

    async def _reversed(self, row: ProviderEventRow) -> ProviderEventResult:
        """Alert operators if a transfer was reversed bypassing Bursar, while the books have or will have it as paid."""
        assert self._payouts is not None
        async with self._database.platform() as session:
            sent = await payout.by_transfer(session, row.provider, row.refs)
        found = None if sent is None else await self._payouts.find_transfer(transfer_of(payout.state_of(sent)))
        async with self._database.platform() as session:
            if sent is not None and found is not None:
                past_us = found.reversed_minor - await transfer_reversal.asked_of(session, sent.id)
                if past_us > 0:
                    await alert.raise_alert(
                        session,
                        kind="payout.reversed_elsewhere",
                        subject=sent.id,
                        detail=f"{format_amount(past_us, sent.currency)} {sent.currency} of {sent.id} to {sent.org_id} "
                        f"were reversed at {row.provider}, and not by Bursar. The books have a payout that is paid as "
                        "paid in full: correct them when reconciliation reports the discrepancy.",
                        org_id=sent.org_id,
                        key=f"payout.reversed_elsewhere:{sent.id}:{found.reversed_minor}",
                    )
            await provider_event.mark(
                session, row.provider, [row.event_id], status="handled", payment_id=None, handled=True
            )
        return ProviderEventResult(outcome="handled")
