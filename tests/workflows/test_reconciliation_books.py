"""A provider's statement against the books: discrepancies, their alerts, and those that close by themselves."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from contracts.books.reconciliation import BeginReconciliation, ReconciliationStep
from domain.books.reconciliation import Window
from domain.payments.payment.snapshot import BalanceTransactionKind
from models.books.reconciliation import ReconciliationLine
from repositories.books import clearing, reconciliation as books
from tests.support.reconciliation import DAY, NIGHT, NOON, movement
from tests.workflows.reconciler import Reconciler

pytestmark = pytest.mark.db


async def test_books_that_agree_have_no_difference_and_a_report_that_adds_up(reconciler: Reconciler):
    moved = [
        movement("ch_1"),
        movement("re_1", -400, 0, kind=BalanceTransactionKind.REFUND),
        movement("ch_2", 700, 20, currency="EUR"),
    ]
    reconciler.provider.listed = moved
    await reconciler.book(*moved)
    result = await reconciler.reconcile()
    assert (result.status, result.compared, result.differences) == ("done", 3, 0)
    run = await reconciler.run(result.run_id)
    lines = books.report_of(run).lines
    assert {key: (line.our_net_minor, line.their_net_minor) for key, line in lines.items()} == {
        ("USD", "charge"): (941, 941),
        ("USD", "refund"): (-400, -400),
        ("EUR", "charge"): (680, 680),
    }
    assert [(a.currency, a.held_minor, a.unexplained_minor) for a in books.clearing_of(run)] == [
        ("EUR", 680, 0),
        ("USD", 541, 0),
    ]
    async with reconciler.database.platform() as session:
        assert not (
            await session.scalars(select(ReconciliationLine.key).where(ReconciliationLine.run_id == run.id))
        ).all()


async def test_each_kind_of_difference_is_listed_once_and_alerts(reconciler: Reconciler):
    here, there, differs, fee = (movement(key) for key in ("ch_here", "ch_there", "ch_differs", "ch_fee"))
    payout = movement("po_1", -300, 0, kind=BalanceTransactionKind.OTHER, statement_ref="txn_po")
    reconciler.provider.listed = [here, differs, fee, payout]
    await reconciler.book(there, replace(differs, amount_minor=999), replace(fee, fee_minor=None))
    for _ in range(2):
        result = await reconciler.reconcile()
        assert result.differences == 5
    found = await reconciler.differences()
    assert set(found) == {
        "missing_here:ch_here",
        "missing_there:ch_there",
        "amount_differs:ch_differs",
        "fee_missing:ch_fee",
        "missing_here:po_1",
    }
    for row in found.values():
        (alert,) = await reconciler.alerts(row)
        assert alert.kind == "reconciliation.difference"
        assert row.key in alert.detail
        assert row.run_id == result.run_id
        assert row.times_opened == 1
    assert "txn_po" in (await reconciler.alerts(found["missing_here:po_1"]))[0].detail


async def test_settled_discrepancy_closes_with_its_alert_and_reopens_when_it_recurs(
    reconciler: Reconciler,
):
    line = movement("ch_1")
    await reconciler.book(line)
    await reconciler.reconcile()
    reconciler.provider.listed = [line]
    assert (await reconciler.reconcile()).differences == 0
    (row,) = (await reconciler.differences()).values()
    assert (row.status, row.resolution) == ("resolved", "matched")
    assert [alert.acknowledged_by for alert in await reconciler.alerts(row)] == ["reconciliation"]
    reconciler.provider.listed = []
    assert (await reconciler.reconcile()).differences == 1
    (row,) = (await reconciler.differences("open")).values()
    assert row.times_opened == 2
    assert [alert.acknowledged_by for alert in await reconciler.alerts(row)] == ["reconciliation", None]


async def test_difference_of_another_kind_replaces_the_first(reconciler: Reconciler):
    reconciler.provider.listed = [movement("ch_1")]
    await reconciler.reconcile()
    await reconciler.book(movement("ch_1", 1))
    assert (await reconciler.reconcile()).differences == 1
    found = await reconciler.differences()
    assert found["missing_here:ch_1"].resolution == "superseded"
    assert found["amount_differs:ch_1"].status == "open"


async def test_difference_outside_of_the_window_closes_when_it_was_booked_since(reconciler: Reconciler):
    line = movement("ch_1")
    reconciler.provider.listed = [line]
    await reconciler.reconcile()
    await reconciler.book(line)
    later = Window(DAY.until + timedelta(days=3), DAY.until + timedelta(days=4))
    await reconciler.reconcile(later, at=later.until)
    (row,) = (await reconciler.differences()).values()
    assert row.resolution == "matched"


@pytest.mark.parametrize("side", ["booked", "listed"])
async def test_movement_that_each_side_dates_differently_is_matched_by_its_key(reconciler: Reconciler, side: str):
    before, after = DAY.since - timedelta(minutes=10), DAY.since + timedelta(minutes=10)
    ours, theirs = (before, after) if side == "listed" else (after, before)
    reconciler.provider.listed = [movement("ch_1", occurred_at=theirs)]
    await reconciler.book(movement("ch_1", occurred_at=ours))
    result = await reconciler.reconcile()
    assert (result.compared, result.differences) == (1, 0)


async def test_movements_outside_of_the_window_on_both_sides_are_not_compared(reconciler: Reconciler):
    reconciler.provider.listed = [movement("ch_1", occurred_at=DAY.until + timedelta(minutes=1))]
    await reconciler.book(movement("ch_2", occurred_at=DAY.since - timedelta(minutes=1)))
    assert (await reconciler.reconcile()).compared == 0
    assert reconciler.provider.asked == [(DAY.since - timedelta(hours=2), DAY.until + timedelta(hours=2))]


async def test_statement_longer_than_a_page_is_compared_whole(reconciler: Reconciler, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("activities.books.reconciliation.PAGE", 3)
    moved = [movement(f"ch_{number:02}") for number in range(10)]
    reconciler.provider.listed = moved
    await reconciler.book(*moved[:9], *(movement(f"zz_{number}") for number in range(7)))
    result = await reconciler.reconcile()
    assert (result.compared, result.differences) == (17, 8)


async def test_statement_that_is_read_again_counts_once_and_a_second_line_of_a_key_is_not_lost(
    reconciler: Reconciler,
):
    twice = [movement("ch_1", statement_ref="txn_1"), movement("ch_1", 5, 0, statement_ref="txn_2")]
    reconciler.provider.listed = twice
    await reconciler.book(twice[0])
    start = reconciler.start()
    await reconciler.work.begin(BeginReconciliation(start=start, at=NIGHT))
    step = ReconciliationStep(run_id=start.run_id, at=NIGHT)
    for _ in range(2):
        await reconciler.work.fetch_statement(step)
    result = await reconciler.work.conclude(step)
    assert (result.compared, result.differences) == (2, 1)
    assert set(await reconciler.differences()) == {"missing_here:ch_1#txn_2"}


async def test_step_of_a_run_that_is_done_changes_nothing(reconciler: Reconciler):
    line = movement("ch_1")
    reconciler.provider.listed = [line]
    await reconciler.book(line)
    done = await reconciler.reconcile()
    step = ReconciliationStep(run_id=done.run_id, at=NIGHT)
    assert (await reconciler.work.fetch_statement(step)).movements == 0
    # The statement is forgotten by now: to compare again would miss everything there.
    assert await reconciler.work.conclude(step) == done
    assert await reconciler.differences() == {}


async def test_movement_too_recent_for_the_statement_is_no_discrepancy(reconciler: Reconciler):
    await reconciler.book(movement("ch_1"))
    result = await reconciler.reconcile(Window(DAY.since, NOON + timedelta(minutes=1)), at=NOON)
    assert (result.compared, result.differences) == (1, 0)


async def test_clearing_account_explains_itself_by_its_movements(reconciler: Reconciler):
    await reconciler.book(movement("ch_1"), movement("re_1", -200, -3, kind=BalanceTransactionKind.REFUND))
    async with reconciler.database.platform() as session:
        (account,) = await clearing.clearing(session, reconciler.provider.name)
    assert (account.held_minor, account.booked_minor) == (744, 744)
    assert account.kinds == {"charge": 941, "refund": -197}


async def test_second_line_of_a_key_that_is_listed_without_the_first_is_not_taken_for_it(reconciler: Reconciler):
    """The next night's statement begins after the first line, whose booking is right all the same."""
    day = timedelta(days=1)
    first = movement("ch_1", statement_ref="txn_1")
    second = movement("ch_1", 5, 0, statement_ref="txn_2", occurred_at=NOON + day)
    reconciler.provider.listed = [first, second]
    await reconciler.book(first)
    await reconciler.reconcile(Window(DAY.since, DAY.until + day), at=NIGHT + day)
    assert set(await reconciler.differences("open")) == {"missing_here:ch_1#txn_2"}
    await reconciler.reconcile(Window(DAY.until, DAY.until + day), at=NIGHT + day)
    assert set(await reconciler.differences("open")) == {"missing_here:ch_1#txn_2"}


@pytest.mark.parametrize("page", [1, 500])
@pytest.mark.parametrize("is_booked", [False, True])
async def test_which_of_two_lines_has_the_key_does_not_depend_on_which_is_read_first(
    reconciler: Reconciler, monkeypatch: pytest.MonkeyPatch, page: int, is_booked: bool
):
    monkeypatch.setattr("activities.books.reconciliation.PAGE", page)
    first = movement("ch_1", statement_ref="txn_2")
    second = movement("ch_1", 5, 0, statement_ref="txn_1", occurred_at=NOON + timedelta(minutes=1))
    if is_booked:
        await reconciler.book(first)
    start = reconciler.start()
    await reconciler.work.begin(BeginReconciliation(start=start, at=NIGHT))
    step = ReconciliationStep(run_id=start.run_id, at=NIGHT)
    for listed in ([second, first], [first, second], [second, first]):
        reconciler.provider.listed = listed
        await reconciler.work.fetch_statement(step)
    result = await reconciler.work.conclude(step)
    expected = {"missing_here:ch_1#txn_1"} if is_booked else {"missing_here:ch_1", "missing_here:ch_1#txn_1"}
    assert (result.compared, set(await reconciler.differences())) == (2, expected)


async def test_second_line_that_is_listed_days_after_the_first_was_matched_is_not_taken_for_it(reconciler: Reconciler):
    first = movement("ch_1", statement_ref="txn_1")
    second = movement("ch_1", 5, 0, statement_ref="txn_2", occurred_at=NOON + timedelta(days=4))
    await reconciler.book(first)
    reconciler.provider.listed = [first, second]
    assert (await reconciler.reconcile()).differences == 0
    later = Window(DAY.since + timedelta(days=4), DAY.until + timedelta(days=4))
    await reconciler.reconcile(later, at=NIGHT + timedelta(days=4))
    assert set(await reconciler.differences()) == {"missing_here:ch_1#txn_2"}


async def test_second_line_listed_alone_does_not_replace_a_missing_one(reconciler: Reconciler):
    day = timedelta(days=1)
    first, second = movement("ch_1", statement_ref="txn_1"), movement("ch_1", 5, 0, statement_ref="txn_2")
    reconciler.provider.listed = [first]
    await reconciler.reconcile()
    reconciler.provider.listed = [replace(second, occurred_at=NOON + day)]
    await reconciler.reconcile(Window(DAY.until, DAY.until + day), at=NIGHT + day)
    found = await reconciler.differences("open")
    assert {key: row.movement["amount_minor"] for key, row in found.items()} == {
        "missing_here:ch_1": 1_000,
        "missing_here:ch_1#txn_2": 5,
    }
