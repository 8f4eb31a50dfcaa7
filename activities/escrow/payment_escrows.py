"""Funds escrows from payments, and freezes them on a chargeback."""

from datetime import timedelta

from temporalio import activity
from temporalio.client import Client

from contracts.escrow.escrow import CommandResult, DisputeEscrow, EscrowCommand, EscrowInput, FundEscrow
from contracts.payments.payment import EscrowFreezing, EscrowFunding, FundEscrowFromPayment
from contracts.runs import escrow_run
from domain.common.access import Actor, Role
from domain.common.errors import DomainError, NotPaid
from domain.common.ids import bounded, chargeback_command_id
from domain.escrow.state import Escrow, EscrowStatus
from domain.payments.payment.terms import PaymentTerms
from repositories.escrow import escrow as escrows, escrow_notice
from runtime.database import Database
from runtime.reach import EntityClient

#: How long an escrow may take to answer before the call is retried.
ESCROW_TIMEOUT = timedelta(seconds=10)


class PaymentEscrows:
    """Commands of a payment's run to its escrow. Each is answered, and done once."""

    def __init__(self, database: Database, client: Client) -> None:
        self._database = database
        self._client = client

    @activity.defn(name="fund_escrow")
    async def fund_escrow(self, message: FundEscrowFromPayment) -> EscrowFunding:
        """Fund the escrow from the payment, and return whether it accepted; starts its run if there is none.

        Effect: the escrow is funded from the payment's account, in a transaction of its own.
        Idempotent by: the command's id, which is the payment's.
        Fails with: errors of Temporal, which are retried.
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
            # A run that is behind the books may refuse wrongly; but once the books' state refuses, no later state
            # accepts.
            refusal = await self.send(escrow, "fund", command)
            escrow = await self._escrow(terms)
        if escrow.funded_from == source:
            return EscrowFunding(funded=True)
        if refusal is not None and refusal.error_code == NotPaid.code:
            # The escrow's run returns its result for an earlier run's update; the next attempt is another update.
            raise RuntimeError(f"{escrow.terms.escrow_id} was asked to take money that was not reserved yet")
        if message.only_look:
            return EscrowFunding(funded=False, not_asked=True)
        if refusal is None and not escrow.is_final and escrow.funded_from is None:
            raise RuntimeError(f"{escrow.terms.escrow_id} has answered, but the books do not have it yet")
        why = "its run has ended" if refusal is None else refusal.error_code
        return EscrowFunding(funded=False, why=f"{why}: it is {escrow.status.value}")

    @activity.defn(name="freeze_escrow")
    async def freeze_escrow(self, message: FundEscrowFromPayment) -> EscrowFreezing:
        """Freeze the escrow because the payer's bank charges the payment back; starts its run if there is none.

        Effect: a dispute of the escrow in the name of the payment, in the books before this returns. The command is
            noted with its time first, so that a deadline that passes while the run is down does not come before it.
        Idempotent by: the command's id, which is the payment's.
        Fails with: errors of Temporal, which are retried.
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
                await escrow_notice.store(connection, escrow.terms.escrow_id, "dispute", command, bounded=False)
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
        """Send a command to the escrow's run; returns the refusal of a run that is up to date with the books."""
        start = EscrowInput(terms=escrow.terms, opened_by=command.actor, command_id=command.command_id, resume=True)
        run, escrow_id, attempt = escrow_run(start), escrow.terms.escrow_id, activity.info().attempt
        # A run stores the result of an update, also when it is outdated, so each attempt has a new update id. The
        # command's own id makes it happen once.
        update_id = command.command_id if attempt == 1 else bounded(f"{command.command_id}:{attempt}")
        limit, versions = ESCROW_TIMEOUT, escrows.versions
        try:
            entity = EntityClient(self._client, self._database, run, CommandResult, versions, escrow_id, limit=limit)
            await entity.command(name, command, update_id=update_id)
        except DomainError as refusal:
            if refusal.retryable:
                raise
            return refusal
        return None

    async def _escrow(self, terms: PaymentTerms) -> Escrow:
        escrow_id = terms.purpose.escrow_id
        assert escrow_id is not None
        async with self._database.platform() as session:
            row = await escrows.get(session, escrow_id)
        if row is None:
            raise RuntimeError(f"the books have no {escrow_id}. Check whether they were restored from a backup.")
        return escrows.state_of(row)
