"""`manage reconcile` against the sandbox of Stripe: its output and its exit code."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from commands import reconcile
from commands.reconcile import table
from domain.books.reconciliation import nightly_window
from domain.payments.payment.snapshot import BalanceTransaction
from manage import main
from models.books.reconciliation import ReconciliationRun
from providers.payments.stripe import StripeProvider, make_client
from runtime.database import Database
from tests.conftest import DatabaseUrls
from tests.support.reconciliation import book
from tests.support.sandboxes import STRIPE_KEY, RunningStripe, running_stripe

pytestmark = pytest.mark.db


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStripe]:
    directory: Path = tmp_path_factory.mktemp("stripe")
    with running_stripe(directory) as running:
        yield running


@pytest.fixture
def settings(
    sandbox: RunningStripe, fresh_database_urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> DatabaseUrls:
    for name, value in {
        "DATABASE_URL": fresh_database_urls.tenant,
        "PLATFORM_DATABASE_URL": fresh_database_urls.platform,
        "TEMPORAL_ADDRESS": "127.0.0.1:1",
        "STRIPE_API_KEY": STRIPE_KEY,
        "STRIPE_API_BASE": sandbox.url,
    }.items():
        monkeypatch.setenv(f"BURSAR_{name}", value)
    monkeypatch.setattr(reconcile, "CONNECT_WITHIN", timedelta(0))
    return fresh_database_urls


async def pay(sandbox: RunningStripe) -> None:
    """Take three payments and give a part of one back, past this service."""
    client = sandbox.client()
    try:
        for currency, amount in (("usd", 2_000), ("usd", 750), ("jpy", 5_000)):
            intent = await client.v1.payment_intents.create_async(
                {
                    "amount": amount,
                    "currency": currency,
                    "payment_method": "pm_card_visa",
                    "confirm": True,
                    "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
                }
            )
            assert intent.status == "succeeded"
        await client.v1.refunds.create_async({"payment_intent": intent.id, "amount": 1_000})
    finally:
        await client._requestor._get_http_client().close_async()


async def listed(sandbox: RunningStripe) -> list[BalanceTransaction]:
    client = make_client(STRIPE_KEY, api_base=sandbox.url, timeout_seconds=60)
    try:
        provider = StripeProvider(client, webhook_secrets=[], livemode=False)
        window = nightly_window(datetime.now(UTC), None)
        until = datetime.now(UTC) + timedelta(minutes=1)
        return [movement async for movement in provider.list_movements(since=window.since, until=until)]
    finally:
        await client.aclose()


def test_command_lists_missing_bookings_and_agrees_once_they_are_booked(
    sandbox: RunningStripe, settings: DatabaseUrls, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(pay(sandbox))
    assert main(["reconcile", "--provider", "stripe"]) == 1
    output = capsys.readouterr().out
    moved = asyncio.run(listed(sandbox))
    assert len(moved) >= 4
    for movement in moved:
        assert f"{movement.kind.value} {movement.key} of" in output
    assert f"{len(moved)} OPEN DISCREPANCIES" in output
    assert "Temporal is unavailable" in output

    async def book_all() -> None:
        database = Database(settings.tenant, settings.platform)
        await book(database, "stripe", moved)
        await database.close()

    asyncio.run(book_all())
    assert main(["reconcile"]) == 0
    output = capsys.readouterr().out
    assert "agrees" in output
    assert "missing_here" not in output
    held = sum(movement.amount_minor - (movement.fee_minor or 0) for movement in moved if movement.currency == "USD")
    assert (
        f"provider/stripe/clearing holds {held // 100}.{held % 100:02} USD = {held // 100}.{held % 100:02} charge"
        in output
    )


def test_command_refuses_invalid_arguments(settings: DatabaseUrls, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reconcile", "--provider", "paypal"]) == 2
    assert "paypal is not configured here" in capsys.readouterr().err
    assert main(["reconcile", "--from", "2026-02-01", "--to", "2026-01-01"]) == 2
    assert main(["reconcile", "--from", "soon"]) == 2


def test_command_exits_with_two_when_the_provider_refuses(
    settings: DatabaseUrls, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BURSAR_STRIPE_API_BASE", "http://127.0.0.1:1")
    assert main(["reconcile", "--provider", "stripe"]) == 2
    assert "the statement is not available" in capsys.readouterr().out


@pytest.mark.parametrize(("count", "said"), [(0, "agrees"), (1, "1 OPEN DISCREPANCY"), (2, "2 OPEN DISCREPANCIES")])
def test_table_counts_differences_in_words(count: int, said: str) -> None:
    now = datetime.now(UTC)
    run = ReconciliationRun(id="rcn_1", provider="stripe", since=now, until=now, differences=count, report=None)
    assert table(run)[0].endswith(f": {said}")
