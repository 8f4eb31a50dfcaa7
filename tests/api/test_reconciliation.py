"""Differences as operators see and resolve them."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from temporalio.client import Client
from temporalio.worker import Worker

from activities.books.reconciliation import ReconciliationActivities
from api.app import create_app
from api.deps import Deps
from commands.verify import verify
from contracts.common.queues import TASK_QUEUE
from domain.payments.payment.snapshot import BalanceTransaction, BalanceTransactionKind
from runtime.database import Database
from runtime.settings import Settings
from runtime.temporal import connect
from tests.api.conftest import Caller, good, new_key, refused, settings_for
from tests.conftest import DatabaseUrls
from tests.support.connections import connected
from tests.support.reconciliation import FakeProvider, book, movement, reconcile
from tests.support.serving import client_of
from workflows.books.reconciliation import ReconciliationWorkflow

pytestmark = pytest.mark.db


async def difference(
    operator: Caller,
    database: Database,
    *,
    listed: BalanceTransaction | None = None,
    booked: BalanceTransaction | None = None,
) -> tuple[FakeProvider, dict[str, Any]]:
    """Make one difference, and return it as the API shows it."""
    provider = FakeProvider(listed=[listed] if listed else [])
    await book(database, provider.name, [booked] if booked else [])
    await reconcile(database, provider)
    (shown,) = good(await operator.get(f"/reconciliation/differences?status=open&provider={provider.name}"))["data"]
    return provider, shown


async def resolve(caller: Caller, shown: dict[str, Any], action: str, **options: Any) -> httpx2.Response:
    path = f"/reconciliation/differences/{shown['id']}/resolution"
    return await caller.post(path, {"action": action, "note": "looked up"}, **{"key": new_key(), **options})


LINE = movement("ch_1", payment_id="pay_elsewhere", statement_ref="txn_1", ref="pi_1")
CASES = {
    "missing_here": (LINE, None),
    "missing_there": (None, movement("ch_1")),
    "amount_differs": (LINE, movement("ch_1", 999, 60)),
    "amount_differs in another currency": (LINE, movement("ch_1", 900, 50, currency="EUR")),
}

CORRECTIONS = {
    "missing_here": {"USD": "9.41"},
    "missing_there": {"USD": "-9.41"},
    "amount_differs": {"USD": "0.02"},
    "amount_differs in another currency": {"EUR": "-8.50", "USD": "9.41"},
}


@pytest.mark.parametrize("case", CASES)
async def test_booked_correction_makes_the_books_agree_with_the_provider(
    case: str, operator: Caller, database: Database
) -> None:
    listed, booked = CASES[case]
    provider, shown = await difference(operator, database, listed=listed, booked=booked)
    assert shown["kind"] == case.split()[0]
    assert {each["currency"]: each["net"] for each in shown["corrections"]} == CORRECTIONS[case]
    done = good(await resolve(operator, shown, "book"))
    assert (done["status"], done["resolution"], done["note"]) == ("resolved", "booked", "looked up")
    assert done["transfer_id"].startswith("tr_")
    assert done["corrections"] == []
    await reconcile(database, provider)
    assert good(await operator.get(f"/reconciliation/differences?status=open&provider={provider.name}"))["data"] == []
    accounts = good(await operator.get(f"/reconciliation/clearing/{provider.name}"))
    held = {account["currency"]: account["held"] for account in accounts if account["held"] != "0.00"}
    assert held == ({"USD": "9.41"} if listed else {})
    assert {account["unexplained"] for account in accounts} == {"0.00"}
    (entry,) = good(await operator.get(f"/audit?target={shown['id']}"))["data"]
    assert entry["action"] == "reconciliation.booked"


async def test_books_are_proven_after_corrections(operator: Caller, database_urls: DatabaseUrls) -> None:
    async with connected(database_urls.platform) as connection:
        report = await verify(connection)
    (check,) = [check for check in report.checks if check.name.startswith("each provider's clearing balance")]
    assert check.violations == ()


async def test_difference_shows_both_sides_and_their_ids(operator: Caller, database: Database) -> None:
    _, shown = await difference(operator, database, listed=LINE, booked=movement("ch_1", 999, None))
    assert (shown["key"], shown["reference"], shown["statement_line"]) == ("ch_1", "pi_1", "txn_1")
    assert shown["payment_id"] == "pay_elsewhere"
    assert (shown["listed"]["amount"], shown["listed"]["fee"], shown["listed"]["net"]) == ("10.00", "0.59", "9.41")
    (ours,) = shown["booked"]
    assert (ours["amount"], ours["fee"], ours["net"]) == ("9.99", None, "9.99")
    assert good(await operator.get(f"/reconciliation/differences/{shown['id']}")) == shown


async def test_repeated_resolution_returns_the_first_and_another_one_is_refused(
    operator: Caller, database: Database, deps: Deps
) -> None:
    provider, shown = await difference(operator, database, listed=LINE)
    key = new_key()
    first = good(await resolve(operator, shown, "book", key=key))
    assert good(await resolve(operator, shown, "book", key=key)) == first
    told = refused(await resolve(operator, shown, "accept"), 409, "reconciliation.resolved")
    assert told["resolution"] == "booked"
    (account,) = good(await operator.get(f"/reconciliation/clearing/{provider.name}"))
    assert account["held"] == "9.41"


async def test_accepted_discrepancy_stays_accepted_until_it_changes(operator: Caller, database: Database) -> None:
    provider, shown = await difference(operator, database, listed=LINE)
    assert good(await resolve(operator, shown, "accept"))["resolution"] == "accepted"
    waiting = good(await operator.get("/alerts?unacknowledged=true&limit=200"))["data"]
    assert shown["id"] not in {alert["subject"] for alert in waiting}
    run = good(await operator.get(f"/reconciliation/runs/{await reconcile(database, provider)}"))
    assert (run["compared"], run["differences"]) == (1, 0)
    provider.listed = [movement("ch_1", 2_000)]
    await reconcile(database, provider)
    (again,) = good(await operator.get(f"/reconciliation/differences?status=open&provider={provider.name}"))["data"]
    assert again["id"] == shown["id"]
    assert again["resolution"] is None


async def test_movement_that_was_booked_meanwhile_is_not_booked_again(operator: Caller, database: Database) -> None:
    provider, shown = await difference(operator, database, listed=LINE)
    await book(database, provider.name, [LINE])
    done = good(await resolve(operator, shown, "book"))
    assert (done["resolution"], done["transfer_id"]) == ("matched", None)


async def test_correction_overtaken_by_the_provider_is_corrected_again(operator: Caller, database: Database) -> None:
    provider, shown = await difference(operator, database, booked=movement("ch_1"))
    good(await resolve(operator, shown, "book"))
    provider.listed = [LINE]
    for _ in range(2):
        await reconcile(database, provider)
    (again,) = good(await operator.get(f"/reconciliation/differences?status=open&provider={provider.name}"))["data"]
    assert [side["key"] for side in again["booked"]] == ["ch_1", "ch_1:correction"]
    good(await resolve(operator, again, "book"))
    (account,) = good(await operator.get(f"/reconciliation/clearing/{provider.name}"))
    assert account["held"] == "9.41"


async def test_missing_fee_is_left_to_its_payment(operator: Caller, database: Database) -> None:
    _, shown = await difference(operator, database, listed=LINE, booked=movement("ch_1", fee=None))
    assert shown["kind"] == "fee_missing"
    refused(await resolve(operator, shown, "book"), 409, "reconciliation.not_bookable")
    assert good(await resolve(operator, shown, "accept"))["resolution"] == "accepted"


async def test_payout_of_the_provider_can_be_booked(operator: Caller, database: Database) -> None:
    payout = movement("po_1", -5_000, 25, kind=BalanceTransactionKind.OTHER)
    provider, shown = await difference(operator, database, listed=payout)
    assert shown["movement"] == "other"
    good(await resolve(operator, shown, "book"))
    (account,) = good(await operator.get(f"/reconciliation/clearing/{provider.name}"))
    assert (account["held"], account["movements"]) == ("-50.25", {"other": "-50.25"})


async def test_unknown_ones_are_404_and_a_booking_needs_a_key(operator: Caller, database: Database) -> None:
    nothing = {"id": "dif_" + "0" * 26}
    for unknown in (nothing, {"id": "x"}, {"id": "%00"}):
        refused(await resolve(operator, unknown, "book"), 404, "not_found")
    refused(await operator.get("/reconciliation/differences/x"), 404, "not_found")
    refused(await operator.get("/reconciliation/runs/rcn_" + "0" * 26), 404, "not_found")
    for provider in ("nobody", "%00", "%ff"):
        refused(await operator.get(f"/reconciliation/clearing/{provider}"), 404, "not_found")
    for path in ("runs/%00", "differences/%00"):
        refused(await operator.get(f"/reconciliation/{path}"), 404, "not_found")
    refused(await resolve(operator, nothing, "book", key=None), 400, "idempotency.missing")
    refused(await resolve(operator, nothing, "forget"), 422, "request.invalid")


async def test_runs_are_paged_with_their_results(operator: Caller, database: Database) -> None:
    provider = FakeProvider(listed=[LINE])
    runs = [await reconcile(database, provider) for _ in range(3)]
    first = good(await operator.get(f"/reconciliation/runs?provider={provider.name}&limit=2"))
    second = good(
        await operator.get(f"/reconciliation/runs?provider={provider.name}&limit=2&cursor={first['next_cursor']}")
    )
    assert {run["id"] for run in first["data"] + second["data"]} == set(runs)
    (line,) = first["data"][0]["lines"]
    assert line == {
        "currency": "USD",
        "movement": "charge",
        "counts": {"missing_here": 1},
        "booked_net": "0.00",
        "listed_net": "9.41",
    }
    assert first["data"][0]["from"] == "2026-01-30T00:00:00Z"


# Runs on demand -------------------------------------------------------------------------------------------------------


@pytest.fixture
async def live(
    temporal_address: str, database_urls: DatabaseUrls, operator: Caller
) -> AsyncIterator[tuple[Caller, FakeProvider, Client]]:
    """The API with a provider and a Temporal of its own."""
    provider = FakeProvider()
    client = await connect(Settings(temporal_address=temporal_address))
    app = create_app(settings_for(database_urls), temporal=client, providers=provider.registry())
    async with client_of(app) as http:
        yield Caller(http, operator.token), provider, client


def window(**changes: Any) -> dict[str, Any]:
    return {"from": "2026-01-30T00:00:00Z", "to": "2026-01-31T00:00:00Z", **changes}


@pytest.mark.temporal
async def test_requested_run_can_be_read_at_once_and_is_executed_once(
    live: tuple[Caller, FakeProvider, Client], database: Database
) -> None:
    caller, provider, client = live
    provider.listed = [LINE]
    key, body = new_key(), window(provider=provider.name)
    started = good(await caller.post("/reconciliation/runs", body, key=key), 202)
    assert started["status"] == "running"
    assert good(await caller.get(f"/reconciliation/runs/{started['id']}"))["from"] == "2026-01-30T00:00:00Z"
    assert good(await caller.post("/reconciliation/runs", body, key=key), 202)["id"] == started["id"]
    work = ReconciliationActivities(database, provider.registry(), client)
    async with Worker(
        client,
        task_queue=TASK_QUEUE,
        workflows=[ReconciliationWorkflow],
        activities=[work.begin, work.fetch_statement, work.tell_payments, work.count_unsettled, work.conclude],
    ):
        await client.get_workflow_handle(f"reconciliation/{provider.name}/{started['id']}").result()
    run = good(await caller.get(f"/reconciliation/runs/{started['id']}"))
    assert (run["status"], run["compared"], run["differences"]) == ("done", 1, 1)


@pytest.mark.temporal
async def test_window_that_cannot_be_compared_is_refused(live: tuple[Caller, FakeProvider, Client]) -> None:
    caller, provider, _ = live
    ahead = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    for body in (
        window(provider=provider.name, to=ahead),
        window(provider=provider.name, to="2026-01-30T00:00:00Z"),
        window(provider=provider.name, **{"from": "2025-01-01T00:00:00Z"}),
        window(provider="nobody"),
        window(provider="No Name"),
    ):
        refused(await caller.post("/reconciliation/runs", body), 422, "request.invalid")
