"""Has escrows take the money of payments, and freeze it when a payer's bank takes it back."""

from datetime import timedelta

from temporalio import activity
from temporalio.client import Client

from contracts.escrow import CommandResult, DisputeEscrow, EscrowCommand, EscrowInput, FundEscrow
from contracts.payment import EscrowFreezing, EscrowFunding, FundEscrowFromPayment
from contracts.runs import escrow_run
from domain.access import Actor, Role
from domain.errors import DomainError
from domain.escrow.state import Escrow, EscrowStatus
from domain.ids import bounded, chargeback_command_id
from domain.payment.fulfilment import NotPaid
from domain.payment.terms import PaymentTerms
from models.escrow import EscrowRow
from repositories import escrow as escrows
from repositories import escrow_notice
from runtime import reach
from runtime.catch_up import catching_up
from runtime.database import Database

#: How long an escrow may take to answer before the call is tried again.
ESCROW_TIMEOUT = timedelta(seconds=10)


class PaymentEscrows:
    """What the run of a payment asks of its escrow. Each is a command that the escrow answers, and is done once."""

    def __init__(self, database: Database, client: Client) -> None:
        """Take the database, and the client that reaches escrows."""
        self._database = database
        self._client = client

    @activity.defn(name="fund_escrow")
    async def fund_escrow(self, message: FundEscrowFromPayment) -> EscrowFunding:
        """Have the escrow take the money that is there, and learn whether it does; one without a run gets one.

        Effect: the escrow is funded from the payment's account, in a transaction of its own.
        Idempotent by: the command's id, which is the payment's.
        Fails with: whatever keeps Temporal from answering, which is retried.
        """
        terms = message.terms
        source = f"payment:{terms.payment_id}"
        command = FundEscrow(
            command_id=bounded(source),
            actor=Actor(principal=terms.payment_id, role=Role.OWNER, org_id=terms.org_id),
            source=source,
            amount_minor=terms.purpose.goods_minor,
        )
        escrow, refusal = await self._escrow(terms), None
        if escrow.funded_from is None and not escrow.is_final and not message.only_look:
            # A run that is behind the books may be told too little; no state after one that refuses takes money again.
            refusal = await self.send(escrow, "fund", command)
            escrow = await self._escrow(terms)
        if escrow.funded_from == source:
            return EscrowFunding(funded=True)
        if refusal is not None and refusal.error_code == NotPaid.code:
            # The escrow's run answers as it did when an earlier run had asked; the next attempt is another update.
            raise RuntimeError(f"{escrow.terms.escrow_id} was asked to take money that was not reserved yet")
        if message.only_look:
            return EscrowFunding(funded=False, not_asked=True)
        if refusal is None and not escrow.is_final and escrow.funded_from is None:
            raise RuntimeError(f"{escrow.terms.escrow_id} has answered, but the books do not have it yet")
        why = "its run has ended" if refusal is None else refusal.error_code
        return EscrowFunding(funded=False, why=f"{why}: it is {escrow.status.value}")

    @activity.defn(name="freeze_escrow")
    async def freeze_escrow(self, message: FundEscrowFromPayment) -> EscrowFreezing | None:
        """Have the escrow hold what it has because the payer's bank takes its money back; one without a run gets one.

        Effect: a dispute of the escrow in the name of the payment, in the books before this returns. It is noted with
            its time first, so that a deadline which passes while the run is away does not overtake it.
        Idempotent by: the command's id, which is the payment's.
        Fails with: whatever keeps Temporal from answering, which is retried.
        """
        terms = message.terms
        command = DisputeEscrow(
            command_id=chargeback_command_id(terms.payment_id),
            actor=Actor(principal=f"payment:{terms.payment_id}", role=Role.OPERATOR),
            reason="The payment that funded this escrow was charged back.",
        )
        escrow = await self._escrow(terms)
        if escrow.status is not EscrowStatus.DISPUTED and not escrow.is_final:
            async with self._database.platform_statement() as connection:
                await escrow_notice.note(connection, escrow.terms.escrow_id, "dispute", command, bounded=False)
            await self.send(escrow, "dispute", command)
            escrow = await self._escrow(terms)
        own = escrow.dispute is not None and escrow.dispute.opened_by == command.actor.qualified()
        if escrow.status is not EscrowStatus.DISPUTED and not own and not escrow.is_final:
            raise RuntimeError(f"{escrow.terms.escrow_id} is not frozen yet, it is {escrow.status.value}")
        async with self._database.platform() as session:
            await escrow_notice.settle(session, [command.command_id])
        if own or not escrow.is_final:
            return EscrowFreezing(frozen=True)
        return EscrowFreezing(frozen=False, why=f"it is {escrow.status.value}")

    async def send(self, escrow: Escrow, name: str, command: EscrowCommand) -> DomainError | None:
        """Give a command to the escrow's run; returns the refusal of a run that knows what the books hold."""
        start = EscrowInput(terms=escrow.terms, opened_by=command.actor, command_id=command.command_id, resume=True)
        run, attempt = escrow_run(start), activity.info().attempt
        # A run keeps what it answered to an update, also when that no longer holds; the command is done once by its id.
        update_id = command.command_id if attempt == 1 else bounded(f"{command.command_id}:{attempt}")

        async def give(update_id: str) -> CommandResult:
            return await reach.update(
                self._client,
                run,
                name,
                command,
                update_id=update_id,
                result_type=CommandResult,
                rpc_timeout=ESCROW_TIMEOUT,
            )

        async def books() -> int:
            return (await self._escrow_row(escrow.terms.escrow_id)).version

        try:
            await catching_up(self._client, run.workflow_id, update_id, give, books)()
        except DomainError as refusal:
            if refusal.retryable:
                raise
            return refusal
        return None

    async def _escrow(self, terms: PaymentTerms) -> Escrow:
        assert terms.purpose.escrow_id is not None
        return escrows.state_of(await self._escrow_row(terms.purpose.escrow_id))

    async def _escrow_row(self, escrow_id: str) -> EscrowRow:
        async with self._database.platform() as session:
            row = await escrows.get(session, escrow_id)
        if row is None:
            raise RuntimeError(f"the books have no {escrow_id}. Check whether they were restored from a backup.")
        return row
