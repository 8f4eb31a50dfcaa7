"""Sending of commands to the workflow of a payment.

No database transaction is open while Temporal is called. A payment's terms are stored under the command before its run
starts, so that a command repeated after a crash starts the same payment, never a second one. Every command is an
update-with-start: if the run has ended, a new one starts from the state in the books. A run that is behind the books
catches up before its refusal counts.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from temporalio.client import Client

from api.deps import Deps
from api.idempotency import Command
from api.risk import decide_escrow
from contracts.payments.payment import (
    ConfirmPayment,
    CreatePaymentCommand,
    PaymentCommand,
    PaymentCommandResult,
    PaymentInput,
    PaymentSignal,
)
from contracts.runs import payment_run
from domain.common import errors as refusals
from domain.common.access import Actor
from domain.common.errors import DomainError, NotFound, PaymentRefused, ProviderCallPending, Unavailable
from domain.common.ids import is_id
from domain.escrow.actions import EscrowAction
from domain.payments.payment.fulfilment import fulfilment_due
from domain.payments.payment.options import CREDITS, STRIPE
from domain.payments.payment.purposes import rules_of
from domain.payments.payment.state import AWAITING, Fulfilment, Payment, PaymentStatus
from domain.payments.payment.terms import PaymentTerms
from domain.risk.act import Outcome, Point, RiskAct
from domain.tenants.metadata import NO_METADATA, OwnMetadata
from repositories.escrow import escrow as escrows
from repositories.payments import payment as payments, payment_command as intents
from repositories.tenants import metadata
from runtime import reach
from runtime.database import driver_connection
from runtime.identity import new_id
from runtime.reach import PAUSE, EntityClient, answered_within, repeated
from services.credits.spend import refuse_limited
from services.payments.purposes import BOOKS

MISSING = "There is no such payment."
#: The provider did not do what a command asked for.


class PaymentDeclined(DomainError):
    """A provider or a bank declined the payment; `decline_code` is its code."""

    code = "payment.declined"
    status = 402


async def find_payment(deps: Deps, actor: Actor, payment_id: str) -> Payment:
    """Return the payment if the actor may see it; NotFound otherwise."""
    found, org_id, loads = None, actor.org_id, deps.sealer.loads
    if is_id(payment_id, "pay"):
        if org_id is not None:
            found = await deps.pool.read(lambda pool: payments.read(pool, org_id, payment_id, loads))
        else:
            found = await deps.platform_pool.read(lambda pool: payments.read_any(pool, payment_id, loads))
    if found is None:
        raise NotFound(MISSING)
    return found


async def create(
    deps: Deps,
    client: Client,
    actor: Actor,
    once: Command,
    make: Callable[[], Awaitable[PaymentTerms]],
    own: OwnMetadata = NO_METADATA,
) -> Payment:
    """Create the payment of a command, once, and return its state after the provider's response.

    Its metadata is written before, so that its first event has the external id.

    Args:
        deps: of the app.
        client: to Temporal.
        actor: of the paying organization.
        once: the command, which has a key.
        make: makes its terms; called only if the command is new.
        own: its external id and metadata.

    Raises:
        PaymentDeclined: the payment was declined and recorded as failed.
        RiskBlocked: a decision against fraud blocked it; RiskInReview: a case holds it.
    """
    command_id, request_hash, org_id = once.command_id, once.request_hash, actor.org_id
    assert org_id is not None
    asked = await deps.pool.read(lambda pool: intents.find_request(pool, org_id, command_id, request_hash))
    if asked is None:
        made = await make()
        if rules_of(made).subject(made.purpose):
            # It is checked again when its first event is written; a refusal here leaves no trace.
            async with deps.database.platform() as session:
                await BOOKS[made.purpose.kind].begin(session, made)
        if made.provider == CREDITS:
            async with deps.database.platform_statement() as connection:
                await refuse_limited(connection, actor, org_id, at=datetime.now(UTC))
        asked = await _decided(deps, actor, once, made)
    terms = asked.terms
    if own:
        async with deps.database.tenant(org_id) as session:
            await metadata.add(session, terms.payment_id, org_id, own, command_id)
    if asked.status in {None, PaymentStatus.CREATED}:
        command = CreatePaymentCommand(command_id=command_id, actor=actor)
        try:
            await _sent(deps, client, terms, "create", command, resume=asked.status is not None)
        except DomainError as refusal:
            if own and not refusal.retryable:
                async with deps.database.platform() as session:
                    await metadata.free_unbegun(session, terms.payment_id, org_id)
            raise
    payment = await find_payment(deps, actor, terms.payment_id)
    refuse_declined(payment)
    return payment


async def _decided(deps: Deps, actor: Actor, once: Command, made: PaymentTerms) -> intents.StoredRequest:
    """Decide a payment, and store its request in the same transaction. That of a concurrent request may come first.

    A challenge has an effect at Stripe only: other providers authenticate each payer, and credits need no payer.
    """
    if made.purpose.escrow_id is not None:
        async with deps.database.platform() as session:
            row = await escrows.get(session, made.purpose.escrow_id)
        assert row is not None
        # Before the transaction of the payment: two decisions in one could wait for each other's counters in a circle.
        await decide_escrow(deps, actor, escrows.state_of(row), EscrowAction.FUND, once.command_id)
    act = RiskAct(
        point=Point.TOPUP if rules_of(made).is_top_up else Point.PAYMENT,
        actor=actor,
        org_id=made.org_id,
        subject=made.payment_id,
        command_id=once.command_id,
        amount_minor=made.amount_minor,
        currency=made.currency,
        provider=made.provider,
        counterparty_org_id=made.purpose.payee_org_id,
        facts={"method": "off_session" if made.off_session else "on_session"},
    )
    async with deps.database.platform() as session:
        verdict = await deps.risk.require(session, act, datetime.now(UTC))
        is_challenged = deps.risk.settings.enforced and verdict.outcome is Outcome.CHALLENGE
        terms = replace(made, authenticate=is_challenged and made.provider == STRIPE)
        connection = await driver_connection(session)
        return await intents.store_request(connection, once.command_id, once.request_hash, terms, actor)


async def decide_refund(
    deps: Deps, actor: Actor, once: Command, payment: Payment, refund_id: str, amount_minor: int | None
) -> None:
    """Decide a refund that the payer asks for; `amount_minor` is None for all that remains. Operators' are not decided.

    Raises:
        RiskBlocked: the refund is blocked; RiskInReview: a case holds it.
    """
    if actor.org_id is None:
        return
    terms = payment.terms
    act = RiskAct(
        point=Point.REFUND,
        actor=actor,
        org_id=terms.org_id,
        subject=refund_id,
        command_id=once.command_id,
        amount_minor=payment.refundable_minor if amount_minor is None else amount_minor,
        currency=terms.currency,
        provider=terms.provider,
    )
    async with deps.database.platform() as session:
        await deps.risk.require(session, act, datetime.now(UTC))


async def send(
    deps: Deps, client: Client, payment: Payment, update: str, command: PaymentCommand
) -> PaymentCommandResult:
    """Send a command to the payment's workflow and wait for its response.

    The content is stored first and kept as long as the payment. Stored responses are deleted after some time; another
    command under the same id would then get the result of the first one.
    """
    async with deps.database.platform() as session:
        is_new = await intents.store_content(session, command.command_id, payment.terms.payment_id, command.content())
    try:
        return await _sent(deps, client, payment.terms, update, command, resume=True)
    except DomainError as refusal:
        if is_new and not refusal.retryable:
            async with deps.database.platform() as session:
                await intents.delete_content(session, command.command_id)
        raise


async def wait_for_funding(deps: Deps, client: Client, actor: Actor, payment: Payment, command_id: str) -> None:
    """Wait until the payment's run has funded the escrow.

    Only the run funds it, automatically, so that this never happens twice; a missing run is started.
    """
    found = payment
    async with answered_within(deps.settings.command_timeout, "payment"):
        if fulfilment_due(found):
            await repeated(partial(_refresh, client, found, actor, command_id))
        while fulfilment_due(found):
            await asyncio.sleep(PAUSE.total_seconds())
            found = await find_payment(deps, actor, found.terms.payment_id)
    if found.fulfilment is not Fulfilment.DONE:
        refusal = ProviderCallPending if found.status in AWAITING else refusals.NotPaid
        raise refusal(
            f"A payment that is {found.status.value} cannot fund an escrow.",
            code=refusals.NotPaid.code,
            extra={"state": found.status.value, "fulfilment": found.fulfilment.value},
        )


#: The same message for a stored method that does not exist and for one of another customer.
MISSING_METHOD = "There is no such payment method."


async def confirm(deps: Deps, client: Client, payment: Payment, command: ConfirmPayment) -> None:
    """Confirm a payment; the response does not say why the provider refuses a given method."""
    try:
        await send(deps, client, payment, "confirm", command)
    except PaymentRefused:
        if command.method_ref is None:
            raise
        raise PaymentRefused(MISSING_METHOD) from None


def refuse_declined(payment: Payment) -> None:
    """Raise if its provider or a bank declined the payment; the error has the id of the recorded payment."""
    decline = payment.decline
    if decline is not None and payment.ref is None and payment.status is PaymentStatus.FAILED:
        # No payment was created.
        unknown = MISSING_METHOD if payment.terms.method_ref else decline.detail
        reason = {} if payment.terms.method_ref else {"reason": decline.code}
        extra = {"payment_id": payment.terms.payment_id, **reason}
        raise refusals.RefusedByProvider(unknown, extra=extra)
    waits_for_payer = payment.status is PaymentStatus.REQUIRES_ACTION
    if decline is not None and (payment.status is PaymentStatus.FAILED or waits_for_payer):
        raise PaymentDeclined(
            decline.detail,
            extra={"payment_id": payment.terms.payment_id, "decline_code": decline.code, "state": payment.status.value},
        )


async def _sent(
    deps: Deps, client: Client, terms: PaymentTerms, update: str, command: PaymentCommand, *, resume: bool
) -> PaymentCommandResult:
    start = PaymentInput(terms=terms, created_by=command.actor, command_id=command.command_id, resume=resume)
    run, payment_id, limit = payment_run(start), terms.payment_id, deps.settings.command_timeout
    entity = EntityClient(client, deps.database, run, PaymentCommandResult, payments.versions, payment_id, limit=limit)
    try:
        with deps.metrics.payment_command(update):
            return await entity.command(update, command, update_id=command.command_id)
    except Unavailable as error:
        error.extra.setdefault("payment_id", terms.payment_id)
        raise
    except DomainError as refusal:
        if not refusal.retryable:
            raise
        # The run stores the result of an update as long as it lasts, even an outdated one. The command
        # itself is executed once, by its own id.
        return await entity.command(update, command, update_id=new_id("upd"))


async def _refresh(client: Client, payment: Payment, actor: Actor, command_id: str) -> None:
    start = PaymentInput(terms=payment.terms, created_by=actor, command_id=command_id, resume=True)
    await reach.signal(client, payment_run(start), "look", PaymentSignal(operator=actor.principal))
