"""What is done with a stored event after its answer: its payment is signalled, or the event gets a run of its own.

The common event names a payment of ours by its id. Its payment is signalled at once, and the event needs no run.
Nothing here has to succeed: a process that dies on the way leaves an event that is not marked, and the inbox sweep
starts its run. A payment that is signalled twice asks its provider once more.
"""

from datetime import timedelta

import structlog
from temporalio.client import Client

from api.pool import StatementPool
from contracts.payments.payment import ProviderEventInput
from contracts.runs import payment_news, provider_event_run
from repositories.payments import provider_event
from runtime import reach

log = structlog.get_logger("bursar.api")

#: How long Temporal is waited for.
TIMEOUT = timedelta(seconds=5)


async def forward(inbox: StatementPool, client: Client, event: ProviderEventInput, *, summary: str) -> None:
    """Signal the payment that an event names; on any error it is left to the event's run."""
    try:
        is_done = await _signal_payment(inbox, client, event)
    except Exception as error:
        log.warning("webhook.not_forwarded", work=event.event_id, error=f"{type(error).__name__}: {error}"[:300])
        is_done = False
    if not is_done:
        await start_run(client, event, summary=summary)


async def start_run(client: Client, event: ProviderEventInput, *, summary: str) -> None:
    """Start the run of an event, which finds out whom it concerns and waits for a payment that is not there yet."""
    await reach.start_missing(client, provider_event_run(event, summary=summary), rpc_timeout=TIMEOUT)


async def _signal_payment(inbox: StatementPool, client: Client, event: ProviderEventInput) -> bool:
    """Signal the payment, then mark the event; False if the event's run has to see to it."""
    provider, event_id = event.provider, event.event_id
    found = await inbox.read(lambda pool: provider_event.find_named_payment(pool, provider, event_id))
    if found is not None and found.status != "received":
        return True  # it waited here for so long that the sweep was quicker
    if found is None or found.terms is None:
        return False
    news = payment_news(found.terms, principal=provider, event_id=event_id)
    await reach.signal(client, *news, rpc_timeout=TIMEOUT)
    # Marked before it is signalled, an event would be lost for a quarter of an hour where the process dies between.
    await inbox.read(lambda pool: provider_event.mark_forwarded(pool, provider, event_id))
    return True
