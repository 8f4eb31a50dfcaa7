"""Database side of payments for escrows."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.access import Actor
from domain.escrow.commands import payment_source
from domain.escrow.state import Escrow, EscrowStatus
from domain.payments.payment.purposes.escrow import require_fundable, require_open
from domain.payments.payment.state import Fulfilment, Payment
from domain.payments.payment.terms import PaymentTerms
from repositories.common.required import require_found
from repositories.escrow import escrow
from repositories.tenants import organization
from services.payments.purposes.base import WithoutSubject, refuse_concurrent_payments
from services.reputation.level import refuse_exposure

MISSING = "There is no such escrow."


class EscrowBooks(WithoutSubject):
    """Database side of funding an escrow."""

    async def subject(self, session: AsyncSession, actor: Actor, named: object) -> Escrow:
        """Return an escrow that the actor can fund now.

        Raises:
            NotFound: there is none that the actor may see.
        """
        row = require_found(await escrow.get(session, str(named)), MISSING)
        found = escrow.state_of(row)
        require_fundable(found, actor)
        return found

    async def refuse(self, session: AsyncSession, subject: object) -> None:
        """Check that an escrow can be funded now; it is checked again when the money arrives."""
        assert isinstance(subject, Escrow)
        await organization.refuse_stopped(session, subject.terms.payer_org_id, subject.terms.payee_org_id)
        await refuse_exposure(session, subject.terms, lock=False)

    async def begin(self, session: AsyncSession, terms: PaymentTerms) -> None:
        """Lock the escrow, and refuse a second payment for it."""
        escrow_id = terms.purpose.escrow_id
        assert escrow_id is not None
        held = await escrow.lock_state(session, escrow_id)
        if held is not None:
            require_open(held)
        await refuse_concurrent_payments(session, terms.org_id, {"escrow_id": escrow_id}, besides=terms.payment_id)

    async def gone(self, session: AsyncSession, terms: PaymentTerms, now: datetime) -> str | None:  # noqa: ARG002
        """Return the status of an escrow that is no longer open, unless this payment has funded it."""
        escrow_id = terms.purpose.escrow_id
        row = None if escrow_id is None else await escrow.get(session, escrow_id)
        if row is None:
            return None
        found = escrow.state_of(row)
        if found.status is EscrowStatus.OPEN or found.funded_from == payment_source(terms.payment_id):
            return None
        return f"the escrow is {found.status.value}"

    async def has_money(self, session: AsyncSession, stored: Payment, after: Payment) -> bool:
        """Return whether this payment has funded the escrow; if so, the workflow asks the escrow again."""
        escrow_id = stored.terms.purpose.escrow_id
        if escrow_id is None or not stored.fulfilling or after.fulfilling or after.fulfilment is Fulfilment.DONE:
            return False
        row = await escrow.get(session, escrow_id)
        return row is not None and escrow.state_of(row).funded_from == payment_source(stored.terms.payment_id)
