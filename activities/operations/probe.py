"""Plays a customer and an agent of the platform's own, by the commands that customers use."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import WorkflowAlreadyStartedError

from activities.escrow.payment_escrows import ESCROW_TIMEOUT, PaymentEscrows
from contracts.escrow.escrow import (
    ApproveEscrow,
    CancelEscrow,
    CommandResult,
    DeliverEscrow,
    EscrowCommand,
    EscrowInput,
    FundEscrow,
    OpenEscrow,
    RefundEscrow,
)
from contracts.operations.probe import (
    PrepareProbe,
    ProbeParties,
    ProbeReportResult,
    ProbeStep,
    ProbeStepResult,
    ReportProbe,
    TidyProbe,
    TidyResult,
)
from contracts.payments.payment import (
    CancelPayment,
    CreatePaymentCommand,
    PaymentCommand,
    PaymentCommandResult,
    PaymentInput,
    RefundPayment,
)
from contracts.runs import escrow_run, payment_run
from domain.common.errors import Conflict, DomainError, WrongState
from domain.common.ids import bounded, escrow_id_of, probe_command_id, refund_id_of, sale_tax_key
from domain.escrow.state import Artifact, Escrow, EscrowStatus
from domain.payments.payment.state import AWAITING, Payment, PaymentStatus
from domain.payments.payment.terms import PaymentTerms
from models.payments.payment import PaymentRow
from providers.front_door import FrontDoor
from repositories.common.listing import ListFilter
from repositories.escrow import escrow as escrows
from repositories.payments import payment as payments, payment_command
from runtime.database import Database
from runtime.reach import EntityClient
from services.operations import probe
from services.operations.probe import ProbeParty
from services.payments.payment_terms import TermsMaker

#: Stripe's test card for servers. It does not exist for a live key, so nothing real is ever charged.
TEST_CARD = "pm_card_visa"
#: How often the books are read while a provider's event is awaited.
PAUSE = timedelta(milliseconds=100)
PAYMENT_TIMEOUT = timedelta(seconds=20)
_UNDER_WAY = (EscrowStatus.OPEN, EscrowStatus.FUNDED, EscrowStatus.DELIVERED, EscrowStatus.DISPUTED)
_RECEIVED = frozenset({PaymentStatus.SUCCEEDED, PaymentStatus.PARTIALLY_REFUNDED})
#: How many of an organization's latest payments are read; each run makes one.
LATEST = 20


class ProbeActivities:
    """The activities of `ProbeWorkflow`."""

    def __init__(
        self,
        database: Database,
        client: Client,
        escrows: PaymentEscrows,
        terms: TermsMaker,
        *,
        credits_minor: int | None = None,
        door: FrontDoor | None = None,
    ) -> None:
        """Take the database, as the platform, the Temporal client, and what makes payments' terms.

        `credits_minor` is how many credits the payment buys; None makes no payment. `door` is the public address of the
        API; without it the API is not called.
        """
        self._database, self._client, self._escrows = database, client, escrows
        self._terms, self._credits_minor, self._door = terms, credits_minor, door

    @activity.defn(name="prepare_probe")
    async def prepare(self, message: PrepareProbe) -> ProbeParties:
        """Return who pays whom in this run, after cleaning up an earlier one.

        Effect: on the very first run, two organizations with an agent each, and a grant of one credit.
        Idempotent by: commands that name the organization, the agent and the grant.
        Fails with: `conflict` if neither has the credit; outages are retried.
        """
        # Whether the credit is back is checked below, and the run's last step reports what could not be cleaned up.
        with suppress(DomainError):
            await self._tidy(f"{message.run} before")
        async with self._database.platform() as session:
            now = datetime.now(UTC)
            parties = await probe.ensure(session, now=now)
            payer = await probe.party_with_credit(session, parties, now=now)
        if payer is None:
            raise Conflict("The credit of the probe is at neither of its organizations.")
        payee = next(party for party in parties if party != payer)
        return ProbeParties(
            payer_org_id=payer.org_id,
            payee_org_id=payee.org_id,
            payee_agent_id=payee.agent_id,
            pays=self._credits_minor is not None,
            knocks=self._door is not None,
        )

    @activity.defn(name="knock_probe")
    async def knock(self, message: ProbeStep) -> ProbeStepResult:  # noqa: ARG002 - every step has the same message
        """Read a public page of the API, by its public address.

        Effect: none.
        Idempotent by: changing nothing.
        Fails with: nothing that is final; an API that cannot be reached is retried.
        """
        assert self._door is not None
        await self._door.knock()
        return ProbeStepResult()

    @activity.defn(name="award_probe")
    async def award(self, message: ProbeStep) -> ProbeStepResult:
        """Award the contract of a run.

        Effect: one contract over one credit.
        Idempotent by: the command, which is made of the run.
        Fails with: outages, which are retried.
        """
        payer, payee = _parties(message.parties)
        async with self._database.platform() as session:
            contract = await probe.award(session, payer, payee, message.run)
            return ProbeStepResult(contract_id=contract.id)

    @activity.defn(name="command_probe")
    async def command(self, message: ProbeStep) -> ProbeStepResult:
        """Send a step's command to the escrow: `open`, `fund`, `deliver` or `release`.

        Effect: that of the command, in the books before this returns.
        Idempotent by: the command id, of the run and the step.
        Fails with: the escrow's refusal; outages are retried.
        """
        assert message.contract_id is not None
        payer, payee = _parties(message.parties)
        command_id = probe_command_id(f"{message.run} {message.step}")
        if message.step == "open":
            await self._open(message.contract_id, payer, command_id)
            return ProbeStepResult()
        name, command = {
            "fund": ("fund", FundEscrow(command_id=command_id, actor=payer.owner)),
            "deliver": (
                "deliver",
                DeliverEscrow(
                    command_id=command_id, actor=payee.agent, artifacts=(Artifact(uri="https://example.com/probe"),)
                ),
            ),
            "release": ("approve", ApproveEscrow(command_id=command_id, actor=payer.owner)),
        }[message.step]
        await self._give(escrow_id_of(message.contract_id), name, command)
        return ProbeStepResult()

    @activity.defn(name="pay_probe")
    async def pay(self, message: ProbeStep) -> ProbeStepResult:
        """Buy credits with a test card, and wait until they are granted.

        Effect: one payment, with a run of its own.
        Idempotent by: the command id, of the run. The terms are stored under it before the payment starts.
        Fails with: refusals of the payment; a decline is a result; outages are retried.
        """
        assert self._credits_minor is not None
        payer, _ = _parties(message.parties)
        command_id = probe_command_id(f"{message.run} pay")
        async with self._database.platform() as session:
            terms = await payment_command.find_terms(session, command_id)
        if terms is None:
            now = datetime.now(UTC)
            key = sale_tax_key(command_id)
            terms = await self._terms.off_session(payer.org_id, TEST_CARD, self._credits_minor, key=key, now=now)
            async with self._database.platform() as session:
                terms = await payment_command.store_terms(
                    session, command_id, sha256(command_id.encode()).digest(), terms
                )
        await self._send(terms, "create", CreatePaymentCommand(command_id=command_id, actor=payer.owner))
        paid = await self._settled(terms.payment_id, AWAITING)
        if paid.status is PaymentStatus.SUCCEEDED:
            return ProbeStepResult(payment_id=terms.payment_id)
        why = paid.status.value if paid.decline is None else f"{paid.decline.code}: {paid.decline.detail}"
        return ProbeStepResult(payment_id=terms.payment_id, why=f"The payment {terms.payment_id} was not made, {why}")

    @activity.defn(name="refund_probe")
    async def refund(self, message: ProbeStep) -> ProbeStepResult:
        """Refund the run's payment, and wait until the books have it.

        Effect: one refund of all that was paid.
        Idempotent by: the command, which is made of the payment.
        Fails with: refusals of the payment; outages are retried.
        """
        assert message.payment_id is not None
        payer, _ = _parties(message.parties)
        paid = await self._payment(message.payment_id)
        await self._refund(paid, payer)
        after = await self._settled(message.payment_id, _RECEIVED)
        refunded = after.status is PaymentStatus.REFUNDED
        return ProbeStepResult(why=None if refunded else f"The payment {message.payment_id} is {after.status.value}")

    @activity.defn(name="tidy_probe")
    async def tidy(self, message: TidyProbe) -> TidyResult:
        """Clean up what any run left open between the two organizations.

        Effect: open escrows are cancelled or refunded, payments cancelled or refunded, and earnings converted to
            credits.
        Idempotent by: the state of each, and command ids that name it.
        Fails with: outages, which are retried. An escrow that a deadline has ended meanwhile is no error.
        """
        return await self._tidy(f"{message.run} after")

    @activity.defn(name="report_probe")
    async def report(self, message: ReportProbe) -> ProbeReportResult:
        """Raise an alert about the failed step, or resolve firing ones if none failed.

        Effect: at most one unresolved alert for each step.
        Idempotent by: the alert's key.
        """
        async with self._database.platform() as session:
            raised = await probe.report(session, message.run, message.step, message.why)
        return ProbeReportResult(raised=raised)

    async def _open(self, contract_id: str, payer: ProbeParty, command_id: str) -> None:
        async with self._database.platform() as session:
            terms = await probe.escrow_terms(session, contract_id)
            if await escrows.get(session, terms.escrow_id) is not None:
                return
        start = EscrowInput(terms=terms, opened_by=payer.owner, command_id=command_id)
        run, versions, escrow_id = escrow_run(start), escrows.versions, terms.escrow_id
        entity = EntityClient(
            self._client, self._database, run, CommandResult, versions, escrow_id, limit=ESCROW_TIMEOUT
        )
        await entity.command("open", OpenEscrow(command_id=command_id, actor=payer.owner), update_id=command_id)

    async def _give(self, escrow_id: str, name: str, command: EscrowCommand) -> None:
        """Send a command to an escrow, unless it was done; raises its refusal."""
        async with self._database.platform() as session:
            row = await escrows.get(session, escrow_id)
            if row is None or await escrows.event_of_command(session, escrow_id, command.command_id) is not None:
                return
            escrow = escrows.state_of(row)
        if escrow.is_final:
            raise WrongState(f"The escrow {escrow_id} is {escrow.status.value} already.")
        refusal = await self._escrows.send(escrow, name, command)
        if refusal is not None:
            raise refusal

    async def _tidy(self, key: str) -> TidyResult:
        async with self._database.platform() as session:
            parties = await probe.ensure(session, now=datetime.now(UTC))
            # Both are parties of every escrow.
            left = [
                escrows.state_of(row)
                for status in _UNDER_WAY
                for row in (
                    await escrows.page(
                        session, ListFilter(org_id=parties[0].org_id, statuses=(status.value,), limit=LATEST)
                    )
                ).rows
            ]
        for escrow in left:
            await self._end(escrow, parties)
            activity.heartbeat(escrow.terms.escrow_id)
        converted = 0
        for party in parties:
            async with self._database.platform() as session:
                converted += await probe.convert(session, party, key, now=datetime.now(UTC))
        given_back = sum([await self._bring_back(party) for party in parties])
        return TidyResult(escrows=len(left), payments=given_back, conversions=converted)

    async def _end(self, escrow: Escrow, parties: Sequence[ProbeParty]) -> None:
        terms = escrow.terms
        payer, payee = (
            next(party for party in parties if party.org_id == org) for org in (terms.payer_org_id, terms.payee_org_id)
        )
        command_id = probe_command_id(f"{terms.escrow_id} end {escrow.version}")
        command: EscrowCommand = RefundEscrow(command_id=command_id, actor=payee.agent)
        if is_open := escrow.status is EscrowStatus.OPEN:
            command = CancelEscrow(command_id=command_id, actor=payer.owner)
        try:
            await self._give(terms.escrow_id, "cancel" if is_open else "refund", command)
        except (DomainError, WorkflowAlreadyStartedError):
            async with self._database.platform() as session:
                row = await escrows.get(session, terms.escrow_id)
            if row is not None and row.version == escrow.version:
                raise
            # A deadline came first; its effect is cleaned up as well, now or by the next run.

    async def _bring_back(self, party: ProbeParty) -> int:
        """Cancel or refund an organization's payments, and return how many."""
        async with self._database.platform() as session:
            found = await payments.page(session, ListFilter(org_id=party.org_id, limit=LATEST))
        left = [payments.state_of(row) for row in found.rows]
        left = [paid for paid in left if paid.status in _RECEIVED or paid.status in AWAITING]
        for paid in left:
            if paid.status in _RECEIVED:
                await self._refund(paid, party)
            else:
                command_id = probe_command_id(f"{paid.terms.payment_id} cancel {paid.version}")
                await self._send(paid.terms, "cancel", CancelPayment(command_id=command_id, actor=party.owner))
        return len(left)

    async def _refund(self, paid: Payment, party: ProbeParty) -> None:
        payment_id = paid.terms.payment_id
        command_id = probe_command_id(f"{payment_id} refund")
        command = RefundPayment(
            command_id=command_id, actor=party.owner, refund_id=refund_id_of(payment_id, command_id)
        )
        await self._send(paid.terms, "refund", command)

    async def _send(self, terms: PaymentTerms, name: str, command: PaymentCommand) -> None:
        """Send a command to a payment, unless it was done."""
        async with self._database.platform() as session:
            row = await payments.get(session, terms.payment_id)
            if row is not None and await payments.has_done(session, terms.payment_id, command.command_id):
                return
        start = PaymentInput(
            terms=terms, created_by=command.actor, command_id=command.command_id, resume=row is not None
        )
        attempt = activity.info().attempt
        # A run stores the result of an update, also when it is outdated, so each attempt has a new update id. The
        # command's own id makes it happen once.
        update_id = command.command_id if attempt == 1 else bounded(f"{command.command_id}:{attempt}")
        run, versions, payment_id = payment_run(start), payments.versions, terms.payment_id
        entity = EntityClient(
            self._client, self._database, run, PaymentCommandResult, versions, payment_id, limit=PAYMENT_TIMEOUT
        )
        await entity.command(name, command, update_id=update_id)

    async def _payment(self, payment_id: str) -> Payment:
        async with self._database.platform() as session:
            row: PaymentRow | None = await payments.get(session, payment_id)
        if row is None:
            raise RuntimeError(f"the books have no {payment_id} yet")
        return payments.state_of(row)

    async def _settled(self, payment_id: str, waits: frozenset[PaymentStatus]) -> Payment:
        """Return the payment once it is in none of these states; the attempt's time limit ends the wait."""
        while (held := await self._payment(payment_id)).status in waits:
            activity.heartbeat(held.status.value)
            await asyncio.sleep(PAUSE.total_seconds())
        return held


def _parties(parties: ProbeParties) -> tuple[ProbeParty, ProbeParty]:
    return ProbeParty(parties.payer_org_id, ""), ProbeParty(parties.payee_org_id, parties.payee_agent_id)
