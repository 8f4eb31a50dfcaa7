"""Recovers what creators earned from payments that were refunded or charged back, first from earnings, then payouts."""

from datetime import UTC, datetime

import structlog
from temporalio import activity

from activities.common.one_by_one import one_by_one
from activities.payouts.payout import KEY_REFUSALS
from contracts.common.batch import DuePage, HandledStepPage
from domain.common.ids import recovery_key
from domain.payouts.payable import HoldBack
from domain.payouts.recovery import LOOKUP_INTERVALS
from models.payouts.recovery import TransferReversal
from providers.payments.base import OutcomeUnknown, ProviderError, ProviderNotFound, ProviderRefused
from providers.payouts.base import PayoutProvider, ReversalSnapshot
from repositories.messages import alert
from repositories.payouts import payout, recovery, transfer_reversal
from runtime.database import Database
from services.payouts import recovery as recovering, transfer_reversal as reversing

log = structlog.get_logger("bursar.recovery")


class NotSetUp(RuntimeError):
    """No payout provider is set up on this worker."""


class RecoveryActivities:
    """The activities of `EarningsRecoveryWorkflow`."""

    def __init__(self, database: Database, payouts: PayoutProvider | None, *, hold_back: HoldBack) -> None:
        self._database = database
        self._payouts = payouts
        self._hold_back = hold_back

    @activity.defn(name="recover_earnings")
    async def recover(self, message: DuePage) -> HandledStepPage:
        """Recover earnings from the next page of lost payments.

        Effect: for each use one transfer `earnings.recovered`, a share, and reversals to be made; for each organization
            one alert and one mail of the total. Credits of a lost bill that came back are taken before. One that fails
            does not stop the others: the next run retries it.
        Idempotent by: one share for each recovery and use, and its transfer's key.
        """
        async with self._database.platform() as session:
            found = await recovery.open_page(session, after=message.after, limit=message.limit)
        done = await one_by_one(found, self._recover, self._not_recovered)
        return HandledStepPage(found=len(found), done=sum(done), last=found[-1] if found else message.after)

    async def _not_recovered(self, recovery_id: str, error: Exception) -> None:
        log.exception("recovery.failed", recovery_id=recovery_id, error=str(error))
        await self._alert(recovery_id, f"{type(error).__name__}. It is tried again. The worker's log says more.")

    async def _recover(self, recovery_id: str) -> int:
        done, count = 0, recovering.MAX_USES_AT_ONCE
        async with self._database.platform() as session:
            await recovering.take_later_credits(session, recovery_id, now=datetime.now(UTC))
        while count == recovering.MAX_USES_AT_ONCE:
            async with self._database.platform() as session:
                count = await recovering.recover(session, recovery_id, self._hold_back, now=datetime.now(UTC))
            done += count
            activity.heartbeat(recovery_id)
        return done

    async def _alert(self, subject: str, why: str) -> None:
        async with self._database.platform() as session:
            await alert.raise_alert(
                session,
                kind="earnings.not_recovered",
                subject=subject,
                detail=f"Earnings cannot be taken back for {subject}: {why}",
                # If it is resolved but not fixed, it fires again a month later.
                key=f"earnings.not_recovered:{subject}:{datetime.now(UTC):%Y-%m}",
            )

    @activity.defn(name="reverse_transfers")
    async def reverse(self, message: DuePage) -> HandledStepPage:
        """Reverse payouts; the next page of due reversals.

        Effect: one reversal at the provider for each, and the transfer `payout.reversed`; or a debt that remains. One
            that fails does not stop the others: it is looked up again later, and an operator is alerted.
        Idempotent by: the provider's key and our id on the reversal, which is looked up before each attempt; the row.
        Fails with: an outage of the provider, which is retried.
        """
        async with self._database.platform() as session:
            found = await transfer_reversal.due_reversals(
                session, now=datetime.now(UTC), after=message.after, limit=message.limit
            )
        done = await one_by_one(found, self._reverse, self._not_reversed, final=(ProviderError, NotSetUp))
        return HandledStepPage(found=len(found), done=sum(done), last=found[-1] if found else message.after)

    async def _not_reversed(self, reversal_id: str, error: Exception) -> None:
        log.exception("recovery.not_reversed", reversal_id=reversal_id, error=str(error))
        await self._alert(reversal_id, f"{type(error).__name__}. It is tried again. The worker's log says more.")

    async def _reverse(self, reversal_id: str) -> bool:
        async with self._database.platform() as session:
            row = await reversing.begin(session, reversal_id, now=datetime.now(UTC))
            sent = None if row is None else await payout.get(session, row.payout_id)
        if row is None or sent is None or sent.transfer_ref is None:
            return False
        try:
            made = await self._made(row, sent.transfer_ref)
        except OutcomeUnknown as unknown:
            if row.tries > len(LOOKUP_INTERVALS):
                why = unknown.detail.rstrip(".")
                await self._alert(row.id, f"what became of it is not known: {why}. It is looked for once a day.")
            return False
        except (ProviderRefused, ProviderNotFound) as refused:
            if refused.code in KEY_REFUSALS:
                raise
            async with self._database.platform() as session:
                await reversing.refuse(
                    session, reversal_id, code=refused.code, detail=refused.detail, now=datetime.now(UTC)
                )
            return False
        async with self._database.platform() as session:
            await reversing.book(session, reversal_id, made, now=datetime.now(UTC))
        return True

    async def _made(self, row: TransferReversal, transfer_ref: str) -> ReversalSnapshot:
        if self._payouts is None:
            raise NotSetUp("Stripe is not configured in this worker. Reversals wait for its settings.")
        known = await self._found(self._payouts, row, transfer_ref)
        return known or await self._payouts.reverse(
            transfer_ref,
            reversal_id=row.id,
            amount_minor=row.amount_minor,
            currency=row.currency,
            idempotency_key=recovery_key(row.id, "reversal"),
        )

    async def _found(
        self, provider: PayoutProvider, row: TransferReversal, transfer_ref: str
    ) -> ReversalSnapshot | None:
        try:
            return await provider.find_reversal(transfer_ref, reversal_id=row.id)
        except ProviderRefused as refused:
            if row.tries == 1:
                # By the books this is the first request; only restored books may lack an earlier one.
                return None
            if refused.code in KEY_REFUSALS:
                raise
            # A refused lookup says nothing about an earlier attempt.
            raise OutcomeUnknown(refused.detail, code=refused.code) from refused
