"""Activity that makes scheduled payouts."""

from datetime import UTC, date, datetime

import structlog
from temporalio import activity
from temporalio.client import Client

from activities.common.one_by_one import one_by_one
from activities.payouts.payout import KEY_REFUSALS
from contracts.common.batch import DuePage
from contracts.payouts.payout import PayoutInput, ScheduledPayouts
from contracts.runs import payout_run
from domain.common.money import Amounts
from domain.payouts.payable import HoldBack
from domain.payouts.payout.state import Payout
from providers.payments.base import ProviderError, ProviderRefused
from providers.payouts.base import PayoutProvider
from repositories.messages import alert
from repositories.payouts import creator_account, payout_schedule
from runtime import reach
from runtime.database import Database
from services.payouts import creator, payout_schedule as service
from services.risk.decision import Risk

log = structlog.get_logger("bursar.payouts")


class PayoutScheduleActivities:
    """Activity of `ScheduledPayoutsWorkflow`."""

    def __init__(
        self,
        database: Database,
        client: Client,
        payouts: PayoutProvider | None,
        risk: Risk,
        *,
        hold_back: HoldBack,
        minimum: Amounts,
    ) -> None:
        self._database, self._client, self._payouts = database, client, payouts
        self._risk, self._hold_back, self._minimum = risk, hold_back, minimum

    @activity.defn(name="pay_scheduled")
    async def pay(self, message: DuePage) -> ScheduledPayouts:
        """Pay out the next page of organizations that are due.

        Effect: for each organization and currency a payout with its run, or the reason of a refusal; the next day of
            the schedule; an alert.
        Idempotent by: the payout's id, made of the organization, the day and the currency; the schedule's row.
        Fails with: nothing that is final. An organization whose account cannot be read is left for the next run. One
            that fails, for example because its account was deleted, does not stop the others, and an operator is
            alerted once.
        """
        async with self._database.platform() as session:
            found = await payout_schedule.due(
                session, today=message.now.date(), after=message.after, limit=message.limit
            )

        async def pay(org_id: str) -> bool:
            return await self._account_is_known(org_id) and await self._pay(org_id, message.now)

        paid = sum(await one_by_one(found, pay, self._failed))
        return ScheduledPayouts(found=len(found), paid=paid, last=found[-1] if found else message.after)

    async def _account_is_known(self, org_id: str) -> bool:
        async with self._database.platform() as session:
            account = await creator_account.find(session, org_id)
        if account is None or self._payouts is None:
            return True
        try:
            await creator.refresh(
                self._database, self._payouts, account.ref, hold=self._hold_back.destination, asked_at=datetime.now(UTC)
            )
        except ProviderError as error:
            if isinstance(error, ProviderRefused) and error.code not in KEY_REFUSALS:
                raise
            return False
        return True

    async def _failed(self, org_id: str, error: Exception) -> None:
        log.exception("payout_schedule.failed", org_id=org_id, error=str(error))
        why = error.detail.rstrip(".") if isinstance(error, ProviderError) else type(error).__name__
        async with self._database.platform() as session:
            await alert.raise_alert(
                session,
                kind="payout.schedule_failed",
                subject=org_id,
                detail=f"The payout of {org_id} by schedule cannot be made: {why}. It is tried again every hour. The "
                "worker's log says more.",
                org_id=org_id,
                # If it is resolved but not fixed, it fires again a month later.
                key=f"payout.schedule_failed:{org_id}:{datetime.now(UTC):%Y-%m}",
            )

    async def _pay(self, org_id: str, now: datetime) -> bool:
        async with self._database.platform() as session:
            due = await service.find_due_day(session, org_id, hold_back=self._hold_back, now=now)
        made: list[Payout | None] = []
        for currency in () if due is None else due.others:
            async with self._database.platform() as session:
                made.append(
                    await service.pay_out_other_currency(
                        session, self._risk, org_id, currency, hold_back=self._hold_back, minimum=self._minimum, now=now
                    )
                )
        # This ends the day, so it comes last.
        async with self._database.platform() as session:
            made.append(
                await service.pay_out(
                    session, self._risk, org_id, hold_back=self._hold_back, minimum=self._minimum, now=now
                )
            )
        if due is not None:
            paid = {each.currency for each in made if each is not None}
            for currency in (each for each in (*due.others, due.usual) if each in paid):
                made += await self._more(org_id, currency, due.day, now)
        for each in made:
            if each is not None:
                # The sweep starts the run if this call fails.
                await reach.start_missing(self._client, payout_run(PayoutInput(payout_id=each.payout_id), each))
        return any(each is not None for each in made)

    async def _more(self, org_id: str, currency: str, day: date, now: datetime) -> list[Payout]:
        made: list[Payout] = []
        for part in range(2, service.MAX_PARTS + 1):
            async with self._database.platform() as session:
                more = await service.pay_out_part(
                    session,
                    self._risk,
                    org_id,
                    currency,
                    part,
                    day=day,
                    hold_back=self._hold_back,
                    minimum=self._minimum,
                    now=now,
                )
            if more is None:
                break
            made.append(more)
        return made
