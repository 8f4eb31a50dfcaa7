"""Payments on the stage: what the API and webhooks tell a payment's run, and what the books say of it."""

import itertools
from collections.abc import Awaitable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import insert, select, update
from temporalio.client import Client, WithStartWorkflowOperation, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy

from contracts.common.queues import TASK_QUEUE, TASK_TIMEOUT
from contracts.payments.payment import (
    CancelPayment,
    CapturePayment,
    ConfirmPayment,
    CreatePaymentCommand,
    GiveUpRefund,
    PaymentCommandResult,
    PaymentInput,
    ProviderEventSignal,
    RefundPayment,
    SubmitDisputeEvidence,
)
from domain.common import accounts
from domain.common.access import Actor, Role
from domain.common.ids import payment_workflow_id
from domain.escrow.state import Terms
from domain.payments.payment import booking
from domain.payments.payment.snapshot import ProviderEvent
from domain.payments.payment.state import Payment
from domain.payments.payment.terms import PaymentTerms, Purpose, PurposeKind
from ledger.gateway import Ledger
from models.messages.alert import Alert
from models.payments.payment import PaymentEventRow, PaymentRow
from models.tenants.organization import Organization
from repositories.payments import payment as payments, provider_event
from runtime.database import driver_connection
from runtime.identity import new_id
from runtime.interceptors import domain_error_from
from tests.support.looking import again, pass_to_the_end
from tests.support.payments import TERMS, Account
from tests.support.runs import ask_for
from tests.support.timelines import timeline
from workflows.payments.payment import PaymentWorkflow

if TYPE_CHECKING:
    from tests.workflows.conftest import Stage

COMMANDS = {
    "confirm": ConfirmPayment,
    "capture": CapturePayment,
    "cancel": CancelPayment,
    "refund": RefundPayment,
    "give_up": GiveUpRefund,
    "submit_evidence": SubmitDisputeEvidence,
}
KEYS = itertools.count(1)
OPERATOR = Actor(principal="kim", role=Role.OPERATOR)


@dataclass
class PaymentDriver:
    """One payment."""

    stage: "Stage"
    terms: PaymentTerms
    command_id: str
    key_id: str | None = None

    @property
    def actor(self) -> Actor:
        return Actor(principal="procurement", role=Role.OWNER, org_id=self.terms.org_id, key_id=self.key_id)

    @property
    def client(self) -> Client:
        return self.stage.client

    @property
    def handle(self) -> WorkflowHandle[Any, Any]:
        return self.client.get_workflow_handle(payment_workflow_id(self.terms.payment_id))

    @property
    def there(self) -> Account:
        """The payment at the provider."""
        return self.stage.fake.of(self.terms.payment_id)

    def start(self, *, resume: bool) -> PaymentInput:
        return PaymentInput(terms=self.terms, created_by=self.actor, command_id=self.command_id, resume=resume)

    def operation(self, *, resume: bool) -> WithStartWorkflowOperation[Any, Any]:
        return WithStartWorkflowOperation(
            PaymentWorkflow.run,
            self.start(resume=resume),
            id=payment_workflow_id(self.terms.payment_id),
            task_queue=TASK_QUEUE,
            task_timeout=TASK_TIMEOUT,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        )

    async def create(self) -> PaymentCommandResult:
        result: PaymentCommandResult = await self.client.execute_update_with_start_workflow(
            "create",
            CreatePaymentCommand(command_id=self.command_id, actor=self.actor),
            id=self.command_id,
            result_type=PaymentCommandResult,
            start_workflow_operation=self.operation(resume=False),
        )
        return result

    async def send(
        self,
        name: str,
        *,
        key: str | None = None,
        update_id: str | None = None,
        actor: Actor | None = None,
        **fields: Any,
    ) -> PaymentCommandResult:
        """Send a command of its organization; a bank is answered by an operator."""
        actor = actor or (OPERATOR if name == "submit_evidence" else self.actor)
        if name == "refund":
            fields.setdefault("refund_id", new_id("rfd"))
        command = COMMANDS[name](command_id=key or f"key-{next(KEYS)}", actor=actor, **fields)
        result: PaymentCommandResult = await self.client.execute_update_with_start_workflow(
            name,
            command,
            id=update_id or command.command_id,
            result_type=PaymentCommandResult,
            start_workflow_operation=self.operation(resume=True),
        )
        return result

    async def event(self, event_id: str | None = None) -> str:
        """Store an event in the inbox and signal the run, as for a webhook."""
        event_id = event_id or f"evt_{next(KEYS)}_{self.terms.payment_id}"
        event = ProviderEvent(
            event_id=event_id,
            type="payment_intent.succeeded",
            occurred_at=datetime.now(UTC),
            payment_id=self.terms.payment_id,
            refs=(),
            livemode=False,
        )
        async with self.stage.database.platform() as session:
            connection: Any = await driver_connection(session)
            await provider_event.store(connection, self.terms.provider, event, "received", handled=False)
        await self.client.start_workflow(
            PaymentWorkflow.run,
            self.start(resume=True),
            id=payment_workflow_id(self.terms.payment_id),
            task_queue=TASK_QUEUE,
            start_signal="provider_event",
            start_signal_args=[ProviderEventSignal(event_id=event_id)],
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        )
        return event_id

    async def refreshed(self) -> Payment:
        """Signal the run, and return the payment once the changes are booked."""
        event_id = await self.event()
        await self.handled(event_id)
        return await self.state()

    async def is_handled(self, event_id: str) -> bool:
        async with self.stage.database.platform() as session:
            row = await provider_event.get(session, self.terms.provider, event_id)
        return row is not None and row.handled_at is not None

    async def handled(self, event_id: str) -> None:
        while not await self.is_handled(event_id):
            await again()

    async def end(self) -> str:
        """Pass the time until the end of the run, and return the payment's status."""
        return str((await pass_to_the_end(self.stage.env, self.handle))["status"])

    async def pass_time(self, **amount: float) -> None:
        await self.stage.env.fast_forward(self.handle, timedelta(**amount))

    async def state(self) -> Payment:
        async with self.stage.database.platform() as session:
            row = await payments.get(session, self.terms.payment_id)
            assert row is not None
            assert row.status == row.state["status"]
            return payments.state_of(row)

    async def until(self, *statuses: str) -> Payment:
        """Wait until the books show one of these states."""
        while (state := await self.state()).status not in statuses:
            await again()
        return state

    async def kinds(self) -> list[str]:
        async with self.stage.database.platform() as session:
            return [event.kind for event in await timeline(session, PaymentEventRow, payment_id=self.terms.payment_id)]

    async def happened(self, kind: str, count: int = 1) -> Payment:
        """Wait until the books have a number of events of a kind."""
        while (await self.kinds()).count(kind) < count:
            await again()
        return await self.state()

    async def timeline(self) -> list[PaymentEventRow]:
        async with self.stage.database.platform() as session:
            return list(await timeline(session, PaymentEventRow, payment_id=self.terms.payment_id))

    async def money(self) -> dict[str, int]:
        """Return all balances, in minor units, except the clearing account of this payment."""
        terms = self.terms
        async with self.stage.database.platform() as session:
            ledger = Ledger(await driver_connection(session))
            return {
                "wallet": (await ledger.balance(booking.wallet(terms))).posted_minor,
                "own": (await ledger.balance(booking.entitlement_account(terms))).posted_minor,
                "debt": (await ledger.balance(booking.debt(terms))).posted_minor,
            }

    async def spend(self, amount_minor: int) -> None:
        """Use credits for something else."""
        async with self.stage.database.platform() as session:
            await Ledger(await driver_connection(session)).post(
                key=f"spend:{next(KEYS)}:{self.terms.org_id}",
                kind="usage",
                source=booking.wallet(self.terms),
                destination=accounts.platform("credit_redemption", self.terms.purpose.goods_asset),
                amount_minor=amount_minor,
                effective_at=datetime.now(UTC),
                org_id=self.terms.org_id,
            )

    async def alerts(self, *, open_only: bool = False) -> list[str]:
        async with self.stage.database.platform() as session:
            query = select(Alert.kind).where(Alert.subject == self.terms.payment_id).order_by(Alert.id)
            if open_only:
                query = query.where(Alert.acknowledged_at.is_(None))
            return list(await session.scalars(query))


async def new_payment(
    stage: "Stage", *, org_id: str | None = None, lasts: timedelta = timedelta(hours=23), **changes: Any
) -> PaymentDriver:
    """Make the terms of a payment of a new organization, whose payer has so long to pay."""
    org = org_id or new_id("org")
    if org_id is None:
        async with stage.database.platform() as session:
            await session.execute(insert(Organization).values(id=org, name=org, command_id=org, created_by="test"))
    now = datetime.now(UTC)
    terms = replace(
        TERMS,
        payment_id=new_id("pay"),
        org_id=org,
        created_at=now,
        expires_at=now + lasts,
        **changes,
    )
    made = PaymentDriver(stage, terms, f"cmd-{next(KEYS)}-{terms.payment_id}")
    await ask_for(stage.database, terms, made.command_id)
    return made


async def paid(stage: "Stage", **changes: Any) -> PaymentDriver:
    """Make a payment that its payer has paid, and that knows of it."""
    made = await new_payment(stage, **changes)
    await made.create()
    made.there.pay()
    await made.refreshed()
    return made


async def refused(call: Awaitable[Any]) -> str:
    """Return the code of the error that a command is refused with."""
    with pytest.raises(WorkflowUpdateFailedError) as caught:
        await call
    error = domain_error_from(caught.value)
    assert error is not None
    return error.error_code


def for_escrow(terms: Terms) -> Purpose:
    """Return the purpose of a payment that funds all of an escrow."""
    return Purpose(
        kind=PurposeKind.ESCROW,
        goods_asset="CREDIT",
        goods_minor=terms.amount_minor,
        escrow_id=terms.escrow_id,
        contract_id=terms.contract_id,
    )


async def due_for_long(made: PaymentDriver) -> None:
    """Set what the books say is due back, as if time had passed for them."""
    async with made.stage.database.platform() as session:
        past = datetime.now(UTC) - timedelta(hours=1)
        await session.execute(update(PaymentRow).where(PaymentRow.id == made.terms.payment_id).values(wake_at=past))
