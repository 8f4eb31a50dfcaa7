"""The books are ahead of the run: a local activity committed, and its workflow task was lost."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import asyncpg
import pytest

from activities.books.books import BooksRefused
from activities.escrow.escrow import EscrowActivities
from contracts.escrow.escrow import CancelEscrow, DeliverEscrow, DisputeEscrow, RefundEscrow
from domain.common import accounts
from domain.common.errors import IdempotencyConflict, WrongState
from domain.common.state_hash import state_hash
from domain.escrow import commands as rules
from domain.escrow.state import RECEIPT_WINDOW, Artifact
from ledger.gateway import Ledger
from repositories.books import debt
from repositories.common.listing import ListFilter
from repositories.messages import alert
from runtime.database import driver_connection
from runtime.identity import new_id
from tests.support import escrows as e
from tests.support.books import NEW_LOT
from tests.support.locks import accounts_are_locked, somebody_waits, stripes_that_are_locked
from tests.workflows.behind import committed_behind_the_run, delivered_without_a_run, message_of

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]


async def test_a_lost_command_is_found_when_it_comes_again(award):
    job = await (await award()).delivered()
    outcome = rules.validate(await job.state(), actor=job.validator, score_e4=9000, note=None, now=datetime.now(UTC))
    await committed_behind_the_run(job, outcome, "lost")
    assert (await job.send("validate", job.validator, score_e4=9000, key="lost")).status == "released"
    assert await job.end() == "released"
    assert await job.kinds() == ["opened", "funded", "delivered", "validated"]
    assert (await job.money())["payee"] == 47_500_000


async def test_next_command_continues_from_the_state_in_the_books(award):
    job = await (await award()).delivered()
    outcome = rules.refund(await job.state(), actor=job.bot, amount_minor=10_000_000)
    await committed_behind_the_run(job, outcome, "lost-refund")
    assert (await job.send("validate", job.validator, score_e4=9000)).status == "released"
    state = await job.state()
    assert (state.refunded_minor, state.released_minor) == (10_000_000, 38_000_000)
    assert (await job.send("refund", job.bot, amount_minor=10_000_000, key="lost-refund")).status == "released"


async def test_next_command_is_refused_by_the_state_in_the_books(award):
    job = await (await award()).delivered()
    outcome = rules.dispute(await job.state(), actor=job.finance, reason="x", now=datetime.now(UTC))
    await committed_behind_the_run(job, outcome, "lost-dispute")
    with pytest.raises(WrongState):
        await job.send("validate", job.validator, score_e4=9000)
    assert (await job.state()).status == "disputed"


async def test_a_deadline_finds_the_escrow_ended_in_the_books(award):
    job = await (await award()).funded()
    outcome = rules.refund(await job.state(), actor=job.bot, amount_minor=None)
    await committed_behind_the_run(job, outcome, "lost-all")
    await job.pass_time(days=8)
    assert await job.end() == "refunded"
    assert await job.kinds() == ["opened", "funded", "refunded"]


async def test_an_event_written_twice_is_in_the_books_once(award):
    job = await (await award()).delivered()
    outcome = rules.refund(await job.state(), actor=job.bot, amount_minor=1_000_000)
    message, activities = await committed_behind_the_run(job, outcome, "twice")
    again = await activities.record_event(message)
    assert again.applied
    assert again.stored is not None
    assert (await job.state()).refunded_minor == 1_000_000


async def test_an_event_beyond_the_next_one_is_refused_loudly(award):
    job = await (await award()).delivered()
    message, activities = await committed_behind_the_run(
        job, rules.refund(await job.state(), actor=job.bot, amount_minor=1_000_000), "one"
    )
    outcome = message.outcome
    later = replace(outcome, escrow=replace(outcome.escrow, version=outcome.escrow.version + 5))
    ahead = message.model_copy(update={"outcome": later, "command_id": "five"})
    with pytest.raises(BooksRefused, match="cannot follow"):
        await activities.record_event(ahead)


async def test_a_command_older_than_the_receipts_is_found_in_the_books(award):
    job = await (await award()).delivered()
    await job.handle.signal("approve", {"signatory": "finance", "operator": "kim", "command_id": "first"})
    for number in range(RECEIPT_WINDOW + 1):
        await job.send("refund", job.bot, amount_minor=1, key=f"refund-{number}")
    await job.send("deliver", job.bot)
    assert not (await job.state()).has_done("signal:approve:first")
    # The new delivery would take this signature, if it had not been given before, for another one.
    await job.handle.signal("approve", {"signatory": "finance", "operator": "kim", "command_id": "first"})
    await job.send("refund", job.bot, amount_minor=1, key="after")
    assert (await job.state()).signatures == ()
    assert (await job.send("refund", job.bot, amount_minor=1, key="refund-0")).status == "delivered"
    assert (await job.state()).refunded_minor == RECEIPT_WINDOW + 2


@pytest.mark.parametrize("where", ["in the receipts", "in the books", "after the end"])
async def test_pitfall_34_id_of_an_executed_command_is_refused_for_another(award, where):
    job, key = await (await award()).delivered(), new_id("cmd")
    await job.send("refund", job.bot, amount_minor=1_000_000, key=key)
    if where == "in the books":
        for number in range(RECEIPT_WINDOW):
            await job.send("refund", job.bot, amount_minor=1, key=f"{key}-{number}")
        assert not (await job.state()).has_done(key)
    if where == "after the end":
        await job.send("validate", job.validator, score_e4=9000)
        await job.end()
    before = await job.money()
    for name, actor, fields in (
        ("refund", job.bot, {"amount_minor": 20_000_000}),
        ("refund", job.bot, {}),
        ("cancel", job.bot, {}),
        ("dispute", job.bot, {"reason": "x"}),
    ):
        with pytest.raises(IdempotencyConflict) as refused:
            await job.send(name, actor, key=key, **fields)
        assert (refused.value.status, refused.value.error_code) == (422, "idempotency.conflict")
    assert await job.money() == before
    again = await job.send("refund", replace(job.bot, key_id="key_other"), amount_minor=1_000_000, key=key)
    assert again.status == "delivered"


async def test_event_without_a_hash_answers_every_command_under_its_id(award):
    job = await (await award()).delivered()
    outcome = rules.refund(await job.state(), actor=job.bot, amount_minor=1_000_000)
    await committed_behind_the_run(job, outcome, "older")
    assert (await job.send("refund", job.bot, amount_minor=20_000_000, key="older")).status == "delivered"
    assert (await job.state()).refunded_minor == 1_000_000


def test_hash_of_a_command_is_of_its_content():
    refund = RefundEscrow(command_id="a", actor=e.WORKER, amount_minor=1)
    assert refund.content() == RefundEscrow(command_id="b", actor=e.STUDIO, amount_minor=1).content()
    assert refund.content() != RefundEscrow(command_id="a", actor=e.WORKER, amount_minor=2).content()
    empty = {"command_id": "a", "actor": e.WORKER}
    assert RefundEscrow(**empty).content() != CancelEscrow(**empty).content()


def test_a_field_that_a_command_gets_later_changes_no_hash():
    """The first stored hashes, by which repeated commands are recognised."""
    command = {"command_id": "a", "actor": e.WORKER}
    work = (Artifact(uri="https://example.com/a"), Artifact(uri="s3://b", sha256="ab" * 32))
    assert [
        message.content()[:16]
        for message in (
            RefundEscrow(**command),
            RefundEscrow(**command, amount_minor=1),
            DeliverEscrow(**command, artifacts=work, note="n"),
            DisputeEscrow(**command, reason="r"),
        )
    ] == ["86fdaa064017a059", "d0862b93f143293a", "f479a81edfd1db10", "2724d6b295eadfb9"]


async def test_event_refused_by_the_books_is_retried_with_an_alert(award, stage):
    job = await (await award()).delivered()
    terms = job.terms
    stranger = replace(accounts.agent_granted_earnings(terms.agent_id, terms.payee_org_id), org_id="org_other")
    async with stage.database.platform() as session:
        ledger = Ledger(await driver_connection(session))
        await ledger.post(
            key=f"spoil:{terms.escrow_id}",
            kind="spoil",
            source=accounts.platform("credit_issuance", "CREDIT"),
            destination=stranger,
            lots=NEW_LOT,
            amount_minor=1,
            effective_at=datetime.now(UTC),
        )
    outcome = rules.validate(await job.state(), actor=job.validator, score_e4=9000, note=None, now=datetime.now(UTC))
    message = await message_of(job, outcome, "refused-by-the-books")
    with pytest.raises(BooksRefused):
        await EscrowActivities(stage.database).record_event(message)
    assert (await job.state()).status == "delivered"
    async with stage.database.platform() as session:
        raised = (await alert.page(session, ListFilter(limit=200), open_only=True)).rows
    assert ("escrow.books_refused", terms.escrow_id) in {(a.kind, a.subject) for a in raised}


async def test_a_value_that_cannot_be_stored_is_a_refusal(award, stage):
    job = await (await award()).delivered()
    outcome = rules.dispute(await job.state(), actor=job.finance, reason="a\u0000b", now=datetime.now(UTC))
    recorded = await EscrowActivities(stage.database).record_event(await message_of(job, outcome, "nul"))
    assert recorded.declined is not None
    assert recorded.declined.code == "request.invalid"


async def test_pitfall_19_escrow_locks_debts_before_any_account(award):
    job = await (await award()).delivered()
    outcome = rules.refund(await job.state(), actor=job.bot, amount_minor=1_000_000)
    database, terms = job.stage.database, outcome.escrow.terms
    async with database.platform() as session:
        await debt.lock(session, terms.payer_org_id)
        task = asyncio.create_task(committed_behind_the_run(job, outcome, "waits"))
        await somebody_waits(database)
        assert not await accounts_are_locked(session)
    await task
    assert (await job.state()).refunded_minor == 1_000_000


async def test_pitfall_33_escrow_that_pays_a_debt_holds_no_account_stripe_while_it_waits(award, database_urls):
    job = await (await award()).delivered()
    await job.send("dispute", job.finance, reason="late")
    outcome = rules.resolve(await job.state(), actor=job.arbiter, payee_share_e4=5000, note=None, now=datetime.now(UTC))
    database, terms = job.stage.database, outcome.escrow.terms
    debt = accounts.org_debt(terms.payer_org_id, "CREDIT")
    async with database.platform() as session:
        await Ledger(await driver_connection(session)).post(
            key=f"debt:{terms.escrow_id}",
            kind="debt",
            source=debt,
            destination=accounts.platform("commission", "CREDIT"),
            amount_minor=7_000_000,
            effective_at=datetime.now(UTC),
        )
    owner = await asyncpg.connect(database_urls.owner)
    async with owner.transaction():
        await owner.execute(
            "SELECT FROM ledger.balances b JOIN ledger.accounts a ON a.id = b.account_id WHERE a.path = $1 FOR UPDATE",
            debt.path,
        )
        task = asyncio.create_task(committed_behind_the_run(job, outcome, "waits-for-debt"))
        await somebody_waits(database)
        kept = await stripes_that_are_locked(owner)
    await owner.close()
    await task
    assert kept == []
    assert (await job.money())["payer"] == 50_000_000 + 25_000_000 - 7_000_000


@pytest.mark.parametrize("says_so", [True, False])
async def test_event_decided_from_another_state_is_not_written(award, says_so: bool):
    now = datetime.now(UTC)
    job = await delivered_without_a_run(await award(), now)
    state, other = await job.state(), await award()
    forged = replace(state, terms=replace(job.terms, agent_id=other.terms.agent_id))
    released = rules.validate(forged, actor=job.validator, score_e4=10_000, note=None, now=now)
    message = await message_of(job, released, new_id("cmd"))
    message = message.model_copy(update={"decided_from": state_hash(forged) if says_so else None})
    recorded = await EscrowActivities(job.stage.database).record_event(message)
    assert (recorded.applied, recorded.stored) == (False, state)
    assert await job.state() == state
