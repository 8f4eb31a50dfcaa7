"""Signals idle webhook endpoints that have new events: the activity of `WebhookDispatchWorkflow`."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from temporalio import activity
from temporalio.client import Client

from contracts.messages.webhook_endpoint import DispatchedWebhooks, DispatchWebhooks
from contracts.runs import webhook_endpoint_news
from domain.messages.webhook.delivery import RESPONSE_KEPT_FOR
from domain.messages.webhook.endpoint import FULL_ALERT, MOST_PENDING
from repositories.messages import alert, event, webhook_delivery as deliveries, webhook_endpoint as endpoints
from runtime import reach
from runtime.database import Database
from runtime.heartbeat import heartbeats

#: The dispatcher's pause between two reads, in seconds, and how many events it reads at once.
LOOKS_EVERY, LOOKS_AT = 1.0, 5_000
#: How many alerts of full endpoints are read, to resolve them.
FULL_AT_MOST = 1_000
#: How many old responses are deleted at a time.
FORGETS = 5_000


async def signal_runs(database: Database, client: Client, endpoint_ids: Sequence[str]) -> None:
    """Signal the runs of endpoints that there is something to send; missing runs are started."""
    async with database.platform() as session:
        rows = [await endpoints.get(session, each) for each in endpoint_ids]
    telling = (reach.signal(client, *webhook_endpoint_news(row.id, row.org_id)) for row in rows if row)
    await asyncio.gather(*telling)


class WebhookDispatchActivities:
    """Reads the outbox for the runs of endpoints, which sleep while there is nothing to send."""

    def __init__(self, database: Database, client: Client) -> None:
        """Take the database, with the platform's role, and the client that reaches runs."""
        self._database, self._client = database, client

    @activity.defn(name="dispatch_webhooks")
    async def dispatch(self, message: DispatchWebhooks) -> DispatchedWebhooks:
        """Read the head of the outbox every second, and signal idle endpoints that subscribe to the new events.

        It begins with endpoints that are behind, because a dispatcher died or a run was lost.

        Effect: signals to runs, which are started if missing. Alerts of full endpoints are resolved.
        Idempotent by: its nature: a run that is signalled twice looks twice.
        Fails with: an outage of the database or of Temporal, which is retried.
        """
        until = time.monotonic() + message.seconds
        signalled, looks = 0, 0
        async with heartbeats():
            async with self._database.platform() as session:
                place = await event.head(session) or deliveries.BEGINNING
                now = datetime.now(UTC)
                behind = await endpoints.endpoints_behind(session, place, now)
                for each in await alert.unresolved_subjects(session, FULL_ALERT, limit=FULL_AT_MOST):
                    if not await deliveries.has_pending(session, each, MOST_PENDING // 2):
                        await alert.close_cases(session, each, (FULL_ALERT,))
                forgotten = await deliveries.forget_answers(session, before=now - RESPONSE_KEPT_FOR, limit=FORGETS)
            await signal_runs(self._database, self._client, behind)
            while time.monotonic() < until and not activity.is_worker_shutdown():
                async with self._database.platform() as session:
                    news = await endpoints.endpoints_with_news(session, place, limit=LOOKS_AT)
                looks += 1
                if news.head is not None:
                    place = news.head
                    signalled += len(news.endpoints)
                    await signal_runs(self._database, self._client, news.endpoints)
                # No pause after a full page, so that one organization's flood does not delay the others.
                if not news.is_full:
                    await asyncio.sleep(LOOKS_EVERY)
        return DispatchedWebhooks(looks=looks, told=signalled, found_behind=len(behind), forgotten=forgotten)
