"""Gives a run to what has lost its own: a page of it at a time, from where the page before ended.

A run that lives is asked for nothing and gets no event: the server answers that it is there.
"""

import asyncio
from collections.abc import Sequence

from temporalio import activity
from temporalio.client import Client

from contracts.escrow import EscrowInput
from contracts.payment import PaymentInput, ProviderEventInput
from contracts.runs import Run, escrow_run, payment_run, provider_event_run
from contracts.sweeps import SweepPage, Swept
from domain.access import Actor, Role
from repositories import escrow, payment, provider_event
from runtime import reach
from runtime.database import Database

#: In whose name runs are started.
ESCROWS, PAYMENTS = "escrow-sweep", "payment-sweep"


class Sweeps:
    """The pages of the sweeps. Each starts the runs that are not there, and says where the next page begins."""

    def __init__(self, database: Database, client: Client) -> None:
        """Take the database, and the client that starts runs."""
        self._database = database
        self._client = client

    @activity.defn(name="start_missing_escrows")
    async def escrows(self, message: SweepPage) -> Swept:
        """Start the runs of escrows that should have ended by themselves and have not.

        Effect: a run for each of the page that has none.
        Idempotent by: the run's id.
        Fails with: nothing that is final.
        """
        async with self._database.platform() as session:
            rows = await escrow.overdue(session, before=message.before, after=message.after, limit=message.limit)
            terms = [escrow.state_of(row).terms for row in rows]
        by = Actor(principal=ESCROWS, role=Role.OPERATOR)
        starts = [EscrowInput(terms=each, opened_by=by, command_id=ESCROWS, resume=True) for each in terms]
        last = terms[-1].escrow_id if terms else message.after
        return await self._start([escrow_run(start) for start in starts], last)

    @activity.defn(name="start_missing_payments")
    async def payments(self, message: SweepPage) -> Swept:
        """Start the runs of payments that should have moved and have not.

        Effect: a run for each of the page that has none.
        Idempotent by: the run's id.
        Fails with: nothing that is final.
        """
        async with self._database.platform() as session:
            rows = await payment.stranded(session, before=message.before, after=message.after, limit=message.limit)
            terms = [payment.state_of(row).terms for row in rows]
        by = Actor(principal=PAYMENTS, role=Role.OPERATOR)
        starts = [PaymentInput(terms=each, created_by=by, command_id=PAYMENTS, resume=True) for each in terms]
        last = terms[-1].payment_id if terms else message.after
        return await self._start([payment_run(start) for start in starts], last)

    @activity.defn(name="start_missing_events")
    async def events(self, message: SweepPage) -> Swept:
        """Start the runs of events of the inbox that are not handled.

        Effect: a run for each of the page that has none.
        Idempotent by: the run's id.
        Fails with: nothing that is final.
        """
        async with self._database.platform() as session:
            rows = await provider_event.unhandled(
                session,
                before=message.before,
                forwarded_before=message.forwarded_before,
                after=int(message.after or 0),
                limit=message.limit,
            )
            events = [ProviderEventInput(provider=row.provider, event_id=row.event_id) for row in rows]
            last = str(rows[-1].id) if rows else message.after
        return await self._start([provider_event_run(event) for event in events], last)

    async def _start(self, runs: Sequence[Run], last: str) -> Swept:
        started = await asyncio.gather(*(reach.start_missing(self._client, run) for run in runs))
        return Swept(found=len(runs), started=sum(started), last=last)
