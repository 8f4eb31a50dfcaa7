"""How a request reaches the workflow of its payment: what is noted first, how its run is found or started.

No database transaction is open while Temporal is called. A payment's terms are noted under the command before its run
starts, so a command that is repeated after a crash starts the same payment, never a second one. Every command goes out
as an update with start: a payment whose run has ended begins another one, from what the books hold. A run that is
behind the books catches up before its refusal counts.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial

from temporalio.client import Client

from api.deps import Deps
from api.idempotency import Command
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
from domain.payments.payment.fulfilment import fulfilment_due
from domain.payments.payment.options import CREDITS
from domain.payments.payment.purposes import rules_of
from domain.payments.payment.state import AWAITING, Fulfilment, Payment, PaymentStatus
from domain.payments.payment.terms import PaymentTerms
from domain.tenants.metadata import NO_METADATA, OwnMetadata
from repositories.payments import payment as payments, payment_command as intents
from repositories.tenants import metadata
from runtime import reach
from runtime.identity import new_id
from runtime.reach import PAUSE, EntityClient, answered_within, repeated
from services.credits.spend import refuse_limited
from services.payments.purposes import BOOKS

MISSING = "There is no such payment."
#: The provider did not do what a command asked for.


class PaymentDeclined(DomainError):
    """A provider or a bank refused to pay; `decline_code` is its word for why."""

    code = "payment.declined"
    status = 402


async def find_payment(deps: Deps, actor: Actor, payment_id: str) -> Payment:
    """Return the payment when the actor may see it; what belongs to others does not exist."""
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

    What is written on it is there before it is, so that its first event has the id.

    Args:
        deps: of the app.
        client: to Temporal.
        actor: of the paying organization.
        once: the command, which has a key.
        make: its terms; asked for only when the command is new.
        own: what is written on it.

    Raises:
        PaymentDeclined: the payment was declined, and is recorded as failed.
    """
    command_id, request_hash, org_id = once.command_id, once.request_hash, actor.org_id
    assert org_id is not None
    asked = await deps.pool.read(lambda pool: intents.find_request(pool, org_id, command_id, request_hash))
    if asked is None:
        made = await make()
        if rules_of(made).subject(made.purpose):
            # It is checked again as its first event is written; refused here, it leaves nothing behind.
            async with deps.database.platform() as session:
                await BOOKS[made.purpose.kind].begin(session, made)
        if made.provider == CREDITS:
            async with deps.database.platform_statement() as connection:
                await refuse_limited(connection, actor, org_id, at=datetime.now(UTC))
        # A concurrent request with the same command came first; its terms count.
        asked = await deps.pool.read(lambda pool: intents.store_request(pool, command_id, request_hash, made, actor))
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


async def send(
    deps: Deps, client: Client, payment: Payment, update: str, command: PaymentCommand
) -> PaymentCommandResult:
    """Give a command to the payment's workflow and wait for its answer.

    What it asks for is noted first and kept for as long as the payment. Answers to keys are forgotten some day; then
    another command under the same id would be answered with what the first one did.
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
    """Wait until the payment's run has handed its money to the escrow that it is for.

    The run does so by itself, and it alone, so that the money is never given twice; a run that is gone is started.
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
    """Confirm a payment; the answer does not say why the provider refuses a named method."""
    try:
        await send(deps, client, payment, "confirm", command)
    except PaymentRefused:
        if command.method_ref is None:
            raise
        raise PaymentRefused(MISSING_METHOD) from None


def refuse_declined(payment: Payment) -> None:
    """Refuse a payment that its provider or a bank declined, naming the payment that was recorded all the same."""
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
        # The run remembers the answer to an update for as long as it lasts, also one that no longer holds. The command
        # itself is done once by its own id.
        return await entity.command(update, command, update_id=new_id("upd"))


async def _refresh(client: Client, payment: Payment, actor: Actor, command_id: str) -> None:
    start = PaymentInput(terms=payment.terms, created_by=actor, command_id=command_id, resume=True)
    await reach.signal(client, payment_run(start), "look", PaymentSignal(operator=actor.principal))
