"""Sends events and economic facts to the search index: the activity of `SearchIndexWorkflow`.

The outbox is read by its cursor, which moves once all events of a page are in the index or on the list of refusals. A
worker that is killed before that sends the page again, and the index finds each document by its id. Events that commit
late are never behind the cursor, see `repositories/messages/event.py`.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio import activity

from contracts.insight.search_index import IndexedEvents, IndexEvents
from domain.insight.search_index import MAPPING, document_of, entry_document, fact_document, index_name, oldest_month
from models.messages.event import EventRow
from providers.payments.base import ProviderUnavailable
from providers.search_index import Busy, SearchIndex
from repositories.insight import search_facts, search_index as store
from repositories.messages import alert, event
from repositories.messages.event import Position
from runtime.database import Database
from runtime.heartbeat import heartbeats

#: How many events are sent at once, and the pause between two reads in seconds.
PAGE, LOOKS_EVERY = 500, 1.0
#: The longest pause after a refusal for now, in seconds.
LONGEST_WAIT = 30.0
#: How old a fact is when it is sent, and the shortest and the longest window of facts.
SETTLES, SHORTEST, WINDOW = timedelta(seconds=30), timedelta(seconds=10), timedelta(days=1)
#: How long sending one window may take, in seconds: the activity ends in the middle of a longer one, for ever.
LONGEST_SEND = 60.0
#: How long nothing can be sent before operators are alerted.
SILENT = timedelta(hours=1)
REFUSED_ALERT, SILENT_ALERT = "search_index.refused", "search_index.silent"


class SearchIndexActivities:
    """Sends new events to the search index."""

    def __init__(
        self, database: Database, index: SearchIndex | None, *, page: int = PAGE, settles: timedelta = SETTLES
    ) -> None:
        """Take the database, with the platform's role, and the index; None if there is none.

        Facts are sent once they are as old as `settles`, which is longer than a transaction takes to write them.
        """
        self._database, self._index, self._page, self._settles = database, index, page, settles
        #: The end of a window of facts, and the transaction below which all must have ended first.
        self._window: tuple[int, datetime] | None = None
        #: The longest window of facts that can be sent in time: one that takes too long is begun again as shorter ones.
        self._span = WINDOW

    @activity.defn(name="index_events")
    async def index(self, message: IndexEvents) -> IndexedEvents:
        """Send new events for a while, and delete the indices of months that are not kept.

        Effect: documents, refusals with an alert a day, an alert a day while nothing is taken, and the cursors.
        Idempotent by: the ids of documents, which are those of events and facts.
        Fails with: an outage of the database, which is retried. While the index is down nothing moves.
        """
        done, index = IndexedEvents(), self._index
        if index is None:
            return done
        until, waits, is_prepared = time.monotonic() + message.seconds, 0, False
        async with heartbeats():
            while True:
                pause, more = LOOKS_EVERY, False
                try:
                    if not is_prepared:
                        await self._begin(index)
                        done = _plus(done, dropped=await self._tidy(index))
                        is_prepared = True
                    read, created, refused = await self._send(index)
                    facts, made, declined, further = await self._send_facts(index)
                    done = _plus(done, read=read + facts, created=created + made, refused=refused + declined)
                    waits, more = 0, read == self._page or further
                    await self._note(index, works=True)
                except ProviderUnavailable as error:
                    waits += 1
                    pause = min(2.0**waits, LONGEST_WAIT)
                    if isinstance(error, Busy) and error.retry_after is not None:
                        pause = min(error.retry_after.total_seconds(), LONGEST_WAIT)
                    done = done.model_copy(update={"waits": done.waits + 1, "problem": error.detail})
                    await self._note(index, works=False, problem=error.detail)
                if time.monotonic() >= until or activity.is_worker_shutdown():
                    return done
                if not more:
                    await asyncio.sleep(min(pause, max(until - time.monotonic(), 0)))

    async def _send(self, index: SearchIndex) -> tuple[int, int, int]:
        """Send a page of events, and return how many were read, are new in the index, and were refused."""
        async with self._database.platform() as session:
            place = await store.position(session)
            rows = await event.page(session, after=place, limit=self._page)
        if not rows:
            return 0, 0, 0
        created, refused = await self._deliver(index, [_document(row) for row in rows])
        async with self._database.platform() as session:
            await store.move_position(session, place, Position(rows[-1].written_in, rows[-1].id))
        return len(rows), created, refused

    async def _send_facts(self, index: SearchIndex) -> tuple[int, int, int, bool]:
        """Send the facts of a window in which nothing commits any more; return the same, and whether one follows."""
        async with self._database.platform() as session:
            oldest_open, own, now = await search_facts.clock(session)
            before = await store.facts_until(session)
        self._window = self._window or (own, now - self._settles)
        horizon, end = self._window
        kept = datetime.fromisoformat(f"{oldest_month(now.astimezone(UTC).date(), index.months)}-01T00:00:00+00:00")
        since = max(before or kept, kept)
        if oldest_open < horizon:
            return 0, 0, 0, False
        if end - since < SHORTEST:
            self._window = None
            return 0, 0, 0, False
        until, began = min(end, since + self._span), time.monotonic()
        read, created, refused, page = 0, 0, 0, list[dict[str, Any]]()
        async for document in self._facts(since, until):
            page.append(document)
            if len(page) == self._page:
                read, page, sent = read + len(page), [], await self._deliver(index, page)
                created, refused = created + sent[0], refused + sent[1]
            if time.monotonic() - began > LONGEST_SEND and self._span > SHORTEST:
                self._span = max(min(self._span, until - since) / 4, SHORTEST)
                return read, created, refused, False
        self._span = min(self._span * 2, WINDOW)
        sent = await self._deliver(index, page)
        async with self._database.platform() as session:
            await store.move_facts_until(session, before, until)
        self._window = None if until == end else self._window
        return read + len(page), created + sent[0], refused + sent[1], until < end

    async def _facts(self, since: datetime, until: datetime) -> AsyncIterator[dict[str, Any]]:
        async with self._database.platform() as session:
            found = await search_facts.others(session, since, until)
            organizations = await search_facts.organizations(session, since, until)
        for row in found:
            yield fact_document(**row)
        for org_id in organizations:
            place: tuple[Any, ...] | None = search_facts.below(until)
            while place is not None:
                async with self._database.platform() as session:
                    entries, place = await search_facts.entries(session, org_id, since, place)
                for entry in entries:
                    yield entry_document(entry, org_id)

    async def _deliver(self, index: SearchIndex, documents: Sequence[dict[str, Any]]) -> tuple[int, int]:
        """Send documents of months that are kept, and return how many are new in the index, and were refused."""
        now = datetime.now(UTC)
        oldest = f"{index.name}-{oldest_month(now.date(), index.months)}"
        placed = [(index_name(index.name, datetime.fromisoformat(each["at"])), each["id"], each) for each in documents]
        kept = [each for each in placed if each[0] >= oldest]
        if not kept:
            return 0, 0
        await self._make(index, {name for name, _, _ in kept})
        sent, names = await index.create(kept), {document_id: name for name, document_id, _ in kept}
        refused = {document_id: (names[document_id], why) for document_id, why in sent.refused.items()}
        if refused:
            async with self._database.platform() as session:
                await store.refuse(session, refused)
                await alert.raise_alert(
                    session,
                    kind=REFUSED_ALERT,
                    subject=index.name,
                    detail=f"The search index refused {len(refused)} documents, the first because of "
                    f"{next(iter(refused.values()))[1]}. `manage search-index refused` lists them.",
                    key=f"{REFUSED_ALERT}:{now.date().isoformat()}",
                )
        return sent.created, len(refused)

    async def _make(self, index: SearchIndex, names: set[str]) -> None:
        """Make indices that are missing. If one had the last event, it was deleted: everything is sent again."""
        missing = names - set(await index.indices())
        if not missing:
            return
        for name in sorted(missing):
            await index.make(name, MAPPING)
        async with self._database.platform() as session:
            last = await store.last_sent(session, await store.position(session))
            if last is not None and index_name(index.name, last.astimezone(UTC)) in missing:
                await store.restart(session)

    async def _note(self, index: SearchIndex, *, works: bool, problem: str = "") -> None:
        """Note that the index takes what it is sent, or alert operators if it has taken nothing for long."""
        now = datetime.now(UTC)
        async with self._database.platform() as session:
            last = await store.sent_at(session, now, works=works)
            if now - last < SILENT:
                return
            waits = await event.page(session, after=await store.position(session), limit=1)
            since = await store.facts_until(session) or last
            if waits or await search_facts.organizations(session, max(since, now - WINDOW), now):
                await alert.raise_alert(
                    session,
                    kind=SILENT_ALERT,
                    subject=index.name,
                    detail=f"The search index has taken nothing since {last:%Y-%m-%d %H:%M} UTC, and documents "
                    f"wait to be sent. {problem}",
                    key=f"{SILENT_ALERT}:{now.date().isoformat()}",
                )

    async def _begin(self, index: SearchIndex) -> None:
        """Prepare the index. A cluster that was never prepared is a new one, and gets all events again."""
        if not await index.is_known():
            async with self._database.platform() as session:
                await store.restart(session)
        await index.prepare(MAPPING)

    async def _tidy(self, index: SearchIndex) -> int:
        """Delete the indices of months that are not kept."""
        oldest, names = f"{index.name}-{oldest_month(datetime.now(UTC).date(), index.months)}", await index.indices()
        old = [each for each in names if len(each) == len(oldest) and each < oldest]
        for each in old:
            await index.drop(each)
        return len(old)


def _document(row: EventRow) -> dict[str, Any]:
    return document_of({**row.document(), "at": row.at.astimezone(UTC).isoformat()})


def _plus(done: IndexedEvents, **more: int) -> IndexedEvents:
    return done.model_copy(update={name: getattr(done, name) + number for name, number in more.items()})
