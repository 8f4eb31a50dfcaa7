"""The books are set back to a moment of the past, and everything that happened after it is met again."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import asyncpg
import pytest
from sqlalchemy import select
from temporalio.testing import WorkflowEnvironment

from commands.backup import archived_segment
from commands.backup_folder import BackupFolder
from commands.base import connected
from commands.failure import CommandFailed
from commands.resume import require_books
from dev.stack.migrate import alembic, migrate
from dev.stack.postgres import running_postgres
from dev.stack.temporal import Temporal, free_port, start_temporal
from domain.messages.webhook.delivery import ReceiverResponse
from domain.payments.payment.state import PaymentStatus, RefundState
from manage import main
from models.messages.alert import Alert
from runtime.database import Database
from runtime.settings import Settings
from runtime.temporal import connect, ensure_search_attributes
from tests.conftest import DatabaseUrls
from tests.support.servers import reachable_directory
from tests.workflows.conftest import Job, Stage, stage_on
from tests.workflows.invoice_driver import collected
from tests.workflows.payment_driver import PaymentDriver, new_payment
from tests.workflows.payout_driver import PayoutDriver, taken_out
from tests.workflows.subscriptions import Subscriber, subscriber
from tests.workflows.webhook_driver import EndpointDriver, endpoint

pytestmark = [pytest.mark.db, pytest.mark.temporal]
T = TypeVar("T")
FAST = {"fsync": "off"}


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder that PostgreSQL's account can reach, also when other people run tests on this machine."""
    with reachable_directory("restore") as made:
        yield made


@pytest.fixture
async def environment(home: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[WorkflowEnvironment]:
    temporal = Temporal(free_port(), home / "temporal.log")
    server = await asyncio.to_thread(start_temporal, temporal)
    monkeypatch.setenv("BURSAR_TEMPORAL_ADDRESS", temporal.address)
    client = await connect(Settings(temporal_address=temporal.address))
    await ensure_search_attributes(client)
    yield WorkflowEnvironment.from_client(client)
    server.kill()


@contextmanager
def served(home: Path, monkeypatch: pytest.MonkeyPatch, backups: BackupFolder | None = None) -> Iterator[DatabaseUrls]:
    """Run the cluster in `home`, which is what the settings name."""
    with running_postgres(home, FAST, backups=backups) as postgres:
        postgres.ensure_database("bursar")
        urls = DatabaseUrls(*(postgres.url(role, "bursar") for role in ("postgres", "bursar_api", "bursar_platform")))
        for name, url in zip(("MIGRATION_DATABASE", "DATABASE", "PLATFORM_DATABASE"), vars(urls).values(), strict=True):
            monkeypatch.setenv(f"BURSAR_{name}_URL", url)
        yield urls


async def manage(*arguments: str | Path) -> int:
    return await asyncio.to_thread(main, [str(argument) for argument in arguments])


async def asked(urls: DatabaseUrls, question: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
    return await connected(urls.owner, question)


async def time_of(connection: asyncpg.Connection) -> str:
    return str((await connection.fetchval("SELECT clock_timestamp()")).isoformat())


async def last_number(connection: asyncpg.Connection) -> int:
    found = await connection.fetchval("SELECT last FROM number_sequences WHERE name = 'invoice'")
    return int(found or 0)


async def of_before(connection: asyncpg.Connection) -> None:
    await connection.execute(
        "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);"
        "INSERT INTO alembic_version VALUES ('0000_before')"
    )


async def without_schema(connection: asyncpg.Connection) -> None:
    await connection.execute("DELETE FROM alembic_version")


Made = Job | PaymentDriver | PayoutDriver | Subscriber | EndpointDriver


async def run_id(made: Made) -> str:
    return str((await made.handle.describe()).run_id)


class Before:
    """The objects at the time that is restored, and their later changes."""

    async def begin(self, stage: Stage) -> None:
        self.released, self.delivered, self.untouched = [await (await stage.award()).funded() for _ in range(3)]
        self.opened, self.cancelled = [await stage.award() for _ in range(2)]
        self.unpaid, self.refunded = await new_payment(stage), await new_payment(stage, method_ref="pm_ok")
        for made in (self.unpaid, self.refunded):
            await made.create()
        self.invoice = await collected(stage, "pm_ok")
        self.subscribed, self.paid_out = await subscriber(stage), await taken_out(stage, mode="short")
        await self.subscribed.subscribe()
        self.paused, self.disabled = await endpoint(stage), await endpoint(stage)
        for notified in (self.paused, self.disabled):
            await notified.enabled()

    async def go_on(self, stage: Stage) -> None:
        for job in (self.released, self.delivered):
            await job.send("deliver", job.bot)
        await self.released.send("approve", self.released.procurement)
        await self.released.send("approve", self.released.finance)
        assert await self.released.end() == "released"
        await self.opened.funded()
        await self.cancelled.open()
        await self.cancelled.send("cancel", self.cancelled.procurement)
        assert await self.cancelled.end() == "cancelled"
        self.unpaid.there.pay()
        assert (await self.unpaid.refreshed()).status is PaymentStatus.SUCCEEDED
        await self.refunded.send("refund", amount_minor=400)
        self.unknown = await new_payment(stage, method_ref="pm_ok")
        await self.unknown.create()
        await self.invoice.begin()
        assert await self.invoice.ends() == "paid"
        await self.subscribed.cancel_at_end()
        await self.paid_out.reaches("waiting_for_funds")
        await self.paused.paused()
        self.disabled.answers(ReceiverResponse(status_code=410))
        await self.disabled.happens("a")
        await self.disabled.signal_change()
        assert (await self.disabled.handle.result()).status == "disabled"
        self.unknown_endpoint = await endpoint(stage)
        await self.unknown_endpoint.reaches("enabled")

    @property
    def all(self) -> list[Made]:
        return [made for made in vars(self).values() if isinstance(made, Made)]

    def on(self, stage: Stage) -> "Before":
        moved = Before()
        vars(moved).update({name: replace(made, stage=stage) for name, made in vars(self).items()})
        return moved


async def test_pitfall_45_restored_books_continue_every_workflow_and_find_missed_provider_changes(
    home: Path,
    environment: WorkflowEnvironment,
    fresh_database_urls: DatabaseUrls,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    backups, made = BackupFolder(home / "backups"), Before()
    with served(home / "lost", monkeypatch, backups) as urls:
        await asyncio.to_thread(migrate, urls.owner)
        assert await manage("resume") == 2
        assert "No worker runs" in capsys.readouterr().err
        async with stage_on(environment, urls) as stage:
            assert await manage("backup", "--to", backups.path) == 0
            await made.begin(stage)
            moment, number = await asked(urls, time_of), await asked(urls, last_number)
            await made.go_on(stage)
            empty = Database(fresh_database_urls.tenant, fresh_database_urls.platform)
            with pytest.raises(CommandFailed, match="is this the right database"):
                await require_books(environment.client, empty)
            await empty.close()
            segment = await asked(urls, archived_segment)
            assert (backups.wal / f"{segment}.gz").exists()

    restored = home / "restored"
    to = ("restore", "--from", backups.path, "--to", restored / "cluster")
    assert await manage(*to, "--at", "2999-01-01") == 2
    assert "recovery ended before configured recovery target was reached" in capsys.readouterr().err
    assert await manage(*to, "--at", moment, "--skip-numbers", "50") == 0
    gap = f"INV-{number + 1:06d} to INV-{number + 50:06d} are passed over: the next one is INV-{number + 51:06d}"
    said = capsys.readouterr()
    assert f"restored {backups.path / backups.bases()[0].name}" in said.out
    assert gap in said.out
    assert await manage(*to) == 2
    said = capsys.readouterr()
    assert "is not empty" in said.err

    with served(restored, monkeypatch) as urls:
        assert await asked(urls, last_number) == number + 50
        async with stage_on(environment, urls, fake=stage.fake, methods=stage.methods) as again:
            again.subscriptions.there.update(stage.subscriptions.there)
            await met_again(made.on(again), capsys)
        assert await asked(urls, archived_segment) is None


async def test_books_from_before_an_upgrade_are_restored_and_left_for_their_release_to_prove(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    backups, restored = BackupFolder(home / "backups"), home / "restored"
    with served(home / "lost", monkeypatch) as urls:
        await asked(urls, of_before)
        assert await manage("backup", "--to", backups.path) == 1
    assert await manage("restore", "--from", backups.path, "--to", restored / "cluster") == 1
    said = capsys.readouterr()
    assert f"to {restored / 'cluster'}, as of " in said.out
    assert "The books were not proven: they are at revision 0000_before," in said.err
    assert "`python -m manage skip-numbers --by 1000`" in said.err
    with served(restored, monkeypatch) as urls:
        await asked(urls, without_schema)
        await asyncio.to_thread(alembic, urls.owner, "upgrade", "head")
        assert await manage("skip-numbers", "--by", "1000") == 0
        assert "INV-000001 to INV-001000 are passed over: the next one is INV-001001" in capsys.readouterr().out
        assert await manage("verify") == 0


async def alerts_of(job: Job) -> list[str]:
    async with job.stage.database.platform() as session:
        return list(await session.scalars(select(Alert.kind).where(Alert.subject == job.terms.escrow_id)))


async def met_again(made: Before, capsys: pytest.CaptureFixture[str]) -> None:
    runs = {one.handle.id: await run_id(one) for one in made.all}
    await made.delivered.handle.signal("dispute", {"reason": "fraud", "operator": "kim"})
    while "escrow.books_refused" not in await alerts_of(made.delivered):
        """The run that is ahead is refused, and tries again for ever."""
    assert await manage("resume") == 1
    found = capsys.readouterr().out
    assert {one.handle.id: await run_id(one) for one in made.all} == runs
    assert await manage("resume", "--apply", "--look") == 0
    assert await manage("resume") == 0
    for one, wrong in (
        (made.released, "it has no run"),
        (made.delivered, "it knows event 3, the books know 2"),
        (made.opened, "the books do not know it"),
        (made.cancelled, "it has completed, and the books do not know it"),
        (made.refunded, "it knows event"),
        (made.subscribed, "it knows event 4, the books know 2"),
        (made.paid_out, "it knows event 2, the books know 1"),
        (made.paused, "it knows event 2, the books know 1"),
        (made.disabled, "it has no run"),
        (made.unknown_endpoint, "the books do not know it"),
        (made.unknown, "the books do not know it"),
        (made.invoice, "it has no run"),
    ):
        assert f"{one.handle.id}: {wrong}" in found
    assert f"{made.untouched.handle.id}:" not in found
    assert await run_id(made.untouched) == runs[made.untouched.handle.id]

    for job in (made.released, made.delivered):
        assert await job.kinds() == ["opened", "funded"]
        await job.send("deliver", job.bot)
        await job.send("approve", job.procurement)
        await job.send("approve", job.finance)
        assert await job.end() == "released"
    for job in (made.opened, made.cancelled):
        await job.funded()
        assert await job.money() == {"payer": 50_000_000, "escrow": 50_000_000, "payee": 0}

    # It is charged under the key that it had, so its provider has one charge of it.
    assert await made.invoice.ends() == "paid"
    assert len(made.invoice.charges()) == 1

    assert (await made.unpaid.until("succeeded")).received_minor == 1000
    assert await made.unpaid.money() == {"wallet": 100_000_000, "own": 0, "debt": 0}
    state = await made.refunded.until("partially_refunded")
    assert [(refund.amount_minor, refund.state) for refund in state.refunds] == [(400, RefundState.SUCCEEDED)]
    assert await made.refunded.money() == {"wallet": 60_000_000, "own": 0, "debt": 0}
    assert len(made.refunded.there.refunds) == 1
    while not (await made.subscribed.state()).cancel_at_period_end:
        """Its run looks at the provider, which has the cancellation."""

    for notified in (made.paused, made.disabled):
        await notified.happens("a")
        await notified.signal_change()
        await notified.settled(1)
        assert await notified.kinds() == ["created"]
