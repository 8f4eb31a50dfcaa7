"""Sends events to the search index: the activity of `SearchIndexWorkflow`.

The outbox is read by its cursor, which moves once all events of a page are in the index or on the list of refusals. A
worker that is killed before that sends the page again, and the index finds each document by its id. Events that commit
late are never behind the cursor, see `repositories/messages/event.py`.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from temporalio import activity

from contracts.insight.search_index import IndexedEvents, IndexEvents
from domain.insight.search_index import MAPPING, document_of, first_kept, index_of
from models.messages.event import EventRow
from providers.payments.base import ProviderUnavailable
from providers.search_index import Busy, SearchIndex
from repositories.insight import search_index as store
from repositories.messages import alert, event
from repositories.messages.event import Position
from runtime.database import Database
from runtime.heartbeat import signs_of_life

#: How many events are sent at once, and the pause between two reads in seconds.
PAGE, LOOKS_EVERY = 500, 1.0
#: The longest pause after a refusal for now, in seconds.
LONGEST_WAIT = 30.0
REFUSED_ALERT = "search_index.refused"


class SearchIndexActivities:
    """Sends new events to the search index."""

    def __init__(self, database: Database, index: SearchIndex | None, *, page: int = PAGE) -> None:
        """Take the database, with the platform's role, and the index; None if there is none."""
        self._database, self._index, self._page = database, index, page

    @activity.defn(name="index_events")
    async def index(self, message: IndexEvents) -> IndexedEvents:
        """Send new events for a while, and delete the indices of months that are not kept.

        Effect: documents, refusals with an alert a day, and the cursor.
        Idempotent by: the ids of documents, which are those of events.
        Fails with: an outage of the database, which is retried. While the index is down nothing moves.
        """
        done, index = IndexedEvents(), self._index
        if index is None:
            return done
        until, waits, is_prepared = time.monotonic() + message.seconds, 0, False
        async with signs_of_life():
            while True:
                pause, more = LOOKS_EVERY, False
                try:
                    if not is_prepared:
                        await self._begin(index)
                        done = _plus(done, dropped=await self._tidy(index))
                        is_prepared = True
                    read, created, refused = await self._send(index)
                    done, waits, more = _plus(done, read=read, created=created, refused=refused), 0, read == self._page
                except ProviderUnavailable as error:
                    waits += 1
                    pause = min(2.0**waits, LONGEST_WAIT)
                    if isinstance(error, Busy) and error.retry_after is not None:
                        pause = min(error.retry_after.total_seconds(), LONGEST_WAIT)
                    done = done.model_copy(update={"waits": done.waits + 1, "problem": error.detail})
                if time.monotonic() >= until or activity.is_worker_shutdown():
                    return done
                if not more:
                    await asyncio.sleep(min(pause, max(until - time.monotonic(), 0)))

    async def _send(self, index: SearchIndex) -> tuple[int, int, int]:
        """Send a page, and return how many events were read, are new in the index, and were refused."""
        now = datetime.now(UTC)
        async with self._database.platform() as session:
            place = await store.place(session)
            rows = await event.page(session, after=place, limit=self._page)
        if not rows:
            return 0, 0, 0
        oldest = f"{index.name}-{first_kept(now.date(), index.months)}"
        kept = [row for row in rows if index_of(index.name, row.at.astimezone(UTC)) >= oldest]
        sent = await index.create([_document(index, row) for row in kept]) if kept else None
        refused = {} if sent is None else _refused(index, kept, sent.refused)
        async with self._database.platform() as session:
            await store.refuse(session, refused)
            await store.move(session, place, Position(rows[-1].written_in, rows[-1].id))
            if refused:
                await alert.raise_alert(
                    session,
                    kind=REFUSED_ALERT,
                    subject=index.name,
                    detail=f"The search index refused {len(refused)} events, the first because of "
                    f"{next(iter(refused.values()))[1]}. `manage search-index refused` lists them.",
                    org_id=None,
                    key=f"{REFUSED_ALERT}:{now.date().isoformat()}",
                )
        return len(rows), 0 if sent is None else sent.created, len(refused)

    async def _begin(self, index: SearchIndex) -> None:
        """Prepare the index. A cluster that was never prepared is a new one, and gets all events again."""
        if not await index.is_known():
            async with self._database.platform() as session:
                await store.begin_again(session)
        await index.prepare(MAPPING)

    async def _tidy(self, index: SearchIndex) -> int:
        """Delete the indices of months that are not kept."""
        oldest, names = f"{index.name}-{first_kept(datetime.now(UTC).date(), index.months)}", await index.indices()
        old = [each for each in names if len(each) == len(oldest) and each < oldest]
        for each in old:
            await index.drop(each)
        return len(old)


def _document(index: SearchIndex, row: EventRow) -> tuple[str, str, dict[str, object]]:
    fields = row.document()
    at = row.at.astimezone(UTC)
    return index_of(index.name, at), row.id, document_of({**fields, "at": at.isoformat()})


def _refused(index: SearchIndex, rows: Sequence[EventRow], reasons: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    names = {row.id: index_of(index.name, row.at.astimezone(UTC)) for row in rows}
    return {event_id: (names[event_id], why) for event_id, why in reasons.items()}


def _plus(done: IndexedEvents, **more: int) -> IndexedEvents:
    return done.model_copy(update={name: getattr(done, name) + number for name, number in more.items()})
