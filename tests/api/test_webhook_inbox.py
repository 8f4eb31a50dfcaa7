"""The inbox of webhooks over HTTP, for operators."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from api.app import create_app
from api.maintenance import Maintenance
from domain.common.ids import provider_event_workflow_id
from domain.payments.payment.snapshot import ProviderEvent
from models.payments.provider_event import ProviderEventRow
from repositories.payments import provider_event
from runtime.database import Database, driver_connection
from runtime.identity import new_id
from runtime.settings import Settings
from tests.api.conftest import Caller, good, new_key, refused, settings_for
from tests.conftest import DatabaseUrls
from tests.support.serving import client_of
from tests.support.starts import Starts

pytestmark = pytest.mark.db


@dataclass
class Inbox:
    """An operator at an app whose Temporal only notes what is started."""

    operator: Caller
    starts: Starts


@pytest.fixture
async def inbox(database_urls: DatabaseUrls, operator: Caller) -> AsyncIterator[Inbox]:
    starts = Starts()
    temporal: Any = starts
    app = create_app(settings_for(database_urls), temporal=temporal)
    async with client_of(app) as http:
        yield Inbox(Caller(http, operator.token), starts)


async def store(database: Database, provider: str, status: str = "received", **fields: Any) -> str:
    """Put an event into the inbox as the webhook of a provider does, and return its id there."""
    event = ProviderEvent(
        event_id=new_id("evt"),
        type=fields.get("type", "payment_intent.succeeded"),
        occurred_at=datetime.now(UTC),
        payment_id=fields.get("payment_id"),
        refs=("pi_1",),
        livemode=False,
        payload={"secret": "of the payer"},
    )
    async with database.platform() as session:
        pool: Any = await driver_connection(session)
        handled = status in {"handled", "ignored", "unmatched"}
        assert await provider_event.store(pool, provider, event, status, handled=handled)
    return event.event_id


async def listed(caller: Caller, query: str) -> list[str]:
    return [event["event_id"] for event in good(await caller.get(f"/webhooks/events?{query}"))["data"]]


async def test_operator_lists_received_and_unhandled_webhooks(inbox: Inbox, database: Database) -> None:
    provider, payment_id = new_id("prv"), new_id("pay")
    first = await store(database, provider, "handled")
    second = await store(database, provider, payment_id=payment_id)
    third = await store(database, provider, "unmatched", type="refund.updated")
    assert await listed(inbox.operator, f"provider={provider}") == [third, second, first]
    assert await listed(inbox.operator, f"provider={provider}&unhandled=true") == [second]
    assert await listed(inbox.operator, f"provider={provider}&status=handled,unmatched") == [third, first]
    assert await listed(inbox.operator, f"provider={provider}&type=refund.updated") == [third]
    assert await listed(inbox.operator, f"payment_id={payment_id}") == [second]
    assert await listed(inbox.operator, f"provider={provider}&q={first[-12:]}") == [first]


async def test_pages_of_the_inbox_join_and_show_no_payload(inbox: Inbox, database: Database) -> None:
    provider = new_id("prv")
    sent = [await store(database, provider) for _ in range(3)]
    page = good(await inbox.operator.get(f"/webhooks/events?provider={provider}&limit=2"))
    rest = await listed(inbox.operator, f"provider={provider}&limit=2&cursor={page['next_cursor']}")
    assert [event["event_id"] for event in page["data"]] + rest == sent[::-1]
    assert "payer" not in str(page)


async def test_retry_starts_the_handling_and_is_audited_once(inbox: Inbox, database: Database) -> None:
    provider = new_id("prv")
    event_id, key = await store(database, provider), new_key()
    (event,) = good(await inbox.operator.get(f"/webhooks/events?provider={provider}"))["data"]
    answers = [await inbox.operator.post(f"/webhooks/events/{event['id']}/retry", key=key) for _ in range(2)]
    assert [good(answer) for answer in answers] == [event, event]
    assert inbox.starts.ids == [provider_event_workflow_id(provider, event_id)]
    (entry,) = good(await inbox.operator.get(f"/audit?target={event_id}"))["data"]
    assert (entry["action"], entry["details"]) == ("webhook.retry", {"provider": provider, "type": event["type"]})


async def test_handled_event_is_not_handled_again(inbox: Inbox, database: Database) -> None:
    provider = new_id("prv")
    await store(database, provider, "handled")
    (event,) = good(await inbox.operator.get(f"/webhooks/events?provider={provider}"))["data"]
    assert good(await inbox.operator.post(f"/webhooks/events/{event['id']}/retry")) == event
    assert inbox.starts.ids == []


@pytest.mark.parametrize("number", ["0", "999999999999999999", "9" * 40, "evt_1", "1.5", "%2F"])
async def test_event_that_is_not_there_is_not_found(inbox: Inbox, number: str) -> None:
    refused(await inbox.operator.post(f"/webhooks/events/{number}/retry"), 404, "not_found")


async def test_payload_is_deleted_18_months_after_handling(
    inbox: Inbox, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider, months = new_id("prv"), timedelta(days=30)
    monkeypatch.setattr("api.maintenance.PAGE", 2)
    old = [await store(database, provider, "handled") for _ in range(3)]
    younger, waiting = await store(database, provider, "handled"), await store(database, provider)
    row = ProviderEventRow
    async with database.platform() as session:
        for names, age in ((old, 19 * months), ([younger], 17 * months)):
            handled_at = datetime.now(UTC) - age
            await session.execute(update(row).where(row.event_id.in_(names)).values(handled_at=handled_at))
    settings = Settings()
    await Maintenance(database, settings.price_of_credits, settings.value_of_granted).run_once()
    async with database.platform() as session:
        kept = await session.scalars(select(row.event_id).where(row.provider == provider, row.payload.is_not(None)))
        assert set(kept) == {younger, waiting}
    # It is still known, and not done again.
    assert await listed(inbox.operator, f"provider={provider}&status=handled") == [younger, *old[::-1]]
