"""The issuer's requests and reports in the books: holds, captures, refunds and disputes."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert

from activities.cards.card import CardActivities
from contracts.payments.payment import ProviderEventInput
from domain.common.accounts import org_credits
from domain.common.calendar import Window
from domain.common.ids import uuid_id, uuid_of
from domain.credits.spend.control import Limit, LimitTerms, NewControl, SubjectKind
from domain.payments.payment.snapshot import BalanceTransactionKind
from ledger.controls import Controls
from ledger.gateway import Ledger
from ledger.rates import set_credit_rate
from ledger.spending import Spending
from models.cards.card_authorization import CardAuthorization, CardSpend
from models.messages.alert import Alert
from models.payments.provider_event import ProviderEventRow
from providers.cards.base import (
    AuthorizationQuestion,
    AuthorizationSnapshot,
    AuthorizationStatus,
    CardDisputeSnapshot,
    CardDisputeStatus,
    CardSnapshot,
    CardStatus,
    CardTransactionKind,
    TransactionSnapshot,
)
from providers.payments.base import ProviderNotFound
from repositories.books import clearing
from repositories.cards import card as cards, card_authorization as authorizations, card_transaction as transactions
from repositories.messages.alert import resolve_one
from runtime.database import Database, driver_connection
from services.cards import card_authorization, card_transaction
from tests.conftest import DatabaseUrls
from tests.support.cards import (
    CREDIT,
    NOW,
    FakeIssuer,
    World,
    authorization,
    fresh,
    moved,
    question,
    transaction,
)
from tests.support.locks import somebody_waits
from tests.support.proving import broken, prove

pytestmark = pytest.mark.db
CAPTURE, REFUND = CardTransactionKind.CAPTURE, CardTransactionKind.REFUND
CLOSED, REVERSED = AuthorizationStatus.CLOSED, AuthorizationStatus.REVERSED


@pytest.fixture(scope="module")
async def database(module_database_urls: DatabaseUrls):
    made = Database(module_database_urls.tenant, module_database_urls.platform, pool_size=4)
    yield made
    await made.close()
    await prove(module_database_urls, authorizations.INVARIANTS, transactions.INVARIANTS, clearing.INVARIANTS)


@pytest.fixture
async def world(database: Database) -> World:
    return await World(database).begin()


async def ask(world: World, asked: AuthorizationQuestion, now: datetime = NOW, issuing: str = "all") -> bool:
    async with world.database.platform() as session:
        return await card_authorization.decide(session, asked, issuing, now=now)


async def apply_snapshot(world: World, snapshot, now: datetime = NOW) -> bool:
    async with world.database.platform() as session:
        book = card_transaction.book if hasattr(snapshot, "requests") else card_transaction.book_alone
        return await book(session, snapshot, "stripe", now=now)


async def exact(world: World) -> tuple[int, int]:
    """Return the available and the held credits, in minor units."""
    async with world.database.platform() as session:
        found = await Ledger(await driver_connection(session)).balance(org_credits(world.org))
    return found.posted_minor, found.pending_minor


async def row_of(world: World, ref: str) -> CardAuthorization:
    async with world.database.platform() as session:
        found = await authorizations.find(session, ref)
    assert found is not None
    return found


async def reason(world: World, ref: str, number: int = 0) -> str:
    return str((await row_of(world, ref)).requests[number]["reason"])


async def alerts(world: World) -> list[str]:
    async with world.database.platform() as session:
        return list(await session.scalars(select(Alert.kind).where(Alert.subject == world.card).order_by(Alert.id)))


async def change(world: World, statement: str, **values: object) -> None:
    async with world.database.platform() as session:
        await session.execute(text(statement), values)


async def test_an_approved_request_holds_the_credits_that_it_is_worth(world: World) -> None:
    asked = question(world, 400)
    assert await ask(world, asked)
    assert await world.balance() == (1000, 40)
    # The same answer to a repeat, and one hold.
    assert await ask(world, asked)
    assert await world.balance() == (1000, 40)
    row = await row_of(world, asked.authorization_ref)
    assert (row.status, row.amount_minor, row.requests[0]["reason"]) == ("pending", 400, "approved")


async def test_a_declined_request_is_declined_again_after_its_reason_is_gone(world: World) -> None:
    asked = question(world, 20_000)
    assert not await ask(world, asked)
    assert await reason(world, asked.authorization_ref) == "funds"
    await world.give(5_000)
    assert not await ask(world, asked)
    assert await world.balance() == (6000, 0)


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("UPDATE cards SET status = 'frozen' WHERE id = :card", "card_inactive"),
        ("UPDATE cards SET status = 'closed' WHERE id = :card", "card_inactive"),
        ("UPDATE agents SET retired_at = now(), retired_by = 'x' WHERE id = :agent", "agent_retired"),
        ("UPDATE organizations SET status = 'suspended' WHERE id = :org", "organization_stopped"),
    ],
)
async def test_request_without_enough_credits_is_declined(world: World, statement: str, expected: str) -> None:
    values = {"card": world.card, "agent": world.agent, "org": world.org}
    await change(world, statement, **{name: values[name] for name in values if f":{name}" in statement})
    asked = question(world, 400)
    assert not await ask(world, asked)
    assert await reason(world, asked.authorization_ref) == expected
    assert await world.balance() == (1000, 0)


async def test_granted_credits_pay_no_merchant(database: Database) -> None:
    world = await World(database).begin(0)
    await world.give(1_000, paid=False)
    asked = question(world, 400)
    assert not await ask(world, asked)
    assert await reason(world, asked.authorization_ref) == "funds"


async def test_a_currency_without_a_rate_is_declined(database: Database) -> None:
    world = await World(database).begin(currency="CHF")
    asked = question(world, 400, currency="CHF")
    assert not await ask(world, asked)
    assert await reason(world, asked.authorization_ref) == "no_rate"
    other = question(world, 400)
    assert not await ask(world, other)
    assert await reason(world, other.authorization_ref) == "other_currency"


async def test_an_unknown_card_is_declined_without_a_trace(world: World) -> None:
    asked = question(world, 400, card_ref="ic_unknown")
    assert not await ask(world, asked)
    async with world.database.platform() as session:
        assert await authorizations.find(session, asked.authorization_ref) is None


async def test_a_limit_of_the_agent_decides_by_what_the_merchant_asks(database: Database) -> None:
    # A payment of 4.00 USD takes 160 credits for which 0.025 USD each were paid, and counts 4.00 USD.
    world = await World(database).begin(0)
    await world.give(1_000, cents=2_500)
    new = NewControl(subject_kind=SubjectKind.AGENT, subject_id=world.agent, asset="USD")
    limits = (Limit(window=Window.DAY, amount_minor=500),)
    async with world.database.platform() as session:
        await Controls(await driver_connection(session)).write(
            org_id=world.org,
            control_id=None,
            expected_version=None,
            wanted={**new.columns(), **LimitTerms(limits=limits).columns(), "kind": "budget"},
            by="owner",
            reason=None,
            command_id=fresh("cmd"),
            at=NOW,
        )
    assert await ask(world, question(world, 400))
    assert await world.balance() == (1000, 160)
    asked = question(world, 101)
    assert not await ask(world, asked)
    assert await reason(world, asked.authorization_ref) == "spend_limit"
    assert await ask(world, question(world, 100))


async def test_a_request_that_adds_to_an_authorization_holds_for_itself(world: World) -> None:
    first = question(world, 400)
    more = question(world, 100, ref=first.authorization_ref, number=1, authorized_minor=400)
    assert await ask(world, first)
    assert await ask(world, more)
    assert await world.balance() == (1000, 50)
    assert (await row_of(world, first.authorization_ref)).amount_minor == 500
    captured = transaction(world, 450, first.authorization_ref)
    snapshot = authorization(
        world, first.authorization_ref, (400, True), (100, True), status=CLOSED, transactions=(captured,)
    )
    assert await apply_snapshot(world, snapshot)
    assert await world.balance() == (955, 0)
    assert await alerts(world) == []


async def test_a_card_declines_more_than_its_limit_in_whatever_parts(database: Database) -> None:
    world = await World(database).begin(per_authorization_minor=500)
    first = question(world, 400)
    more = question(world, 101, ref=first.authorization_ref, number=1, authorized_minor=400)
    assert await ask(world, first)
    assert not await ask(world, more)
    assert await reason(world, first.authorization_ref, 1) == "card_limit"


async def test_a_capture_settles_once_and_its_end_releases_the_rest(world: World) -> None:
    asked = question(world, 400)
    await ask(world, asked)
    captured = transaction(world, 300, asked.authorization_ref)
    snapshot = authorization(world, asked.authorization_ref, (400, True), status=CLOSED, transactions=(captured,))
    assert await apply_snapshot(world, snapshot)
    assert await apply_snapshot(world, snapshot)
    assert await world.balance() == (970, 0)
    assert (await row_of(world, asked.authorization_ref)).status == "closed"
    # An older snapshot changes nothing.
    assert await apply_snapshot(world, authorization(world, asked.authorization_ref, (400, True)))
    assert (await row_of(world, asked.authorization_ref)).status == "closed"


async def test_captures_in_parts_settle_what_they_take(world: World) -> None:
    asked = question(world, 400)
    await ask(world, asked)
    parts = tuple(transaction(world, cents, asked.authorization_ref) for cents in (100, 300))
    await apply_snapshot(world, authorization(world, asked.authorization_ref, (400, True), transactions=parts[:1]))
    assert await world.balance() == (990, 30)
    await apply_snapshot(
        world, authorization(world, asked.authorization_ref, (400, True), status=CLOSED, transactions=parts)
    )
    assert await world.balance() == (960, 0)


async def test_each_lot_pays_what_was_paid_for_it(database: Database) -> None:
    """The first 100 credits pay half of 20.00 USD, and 334.448161 credits that cost 0.0299 each the other half."""
    world = await World(database).begin(100)
    await world.give(1_000, cents=2_990)
    asked = question(world, 2_000)
    assert await ask(world, asked)
    assert await exact(world) == (1_100_000_000, 434_448_161)
    found: tuple[TransactionSnapshot, ...] = (transaction(world, 1_000, asked.authorization_ref),)
    await apply_snapshot(world, authorization(world, asked.authorization_ref, (2_000, True), transactions=found))
    assert await exact(world) == (1_000_000_000, 334_448_161)
    found = (*found, transaction(world, 500, asked.authorization_ref, REFUND))
    await apply_snapshot(world, authorization(world, asked.authorization_ref, (2_000, True), transactions=found))
    assert await exact(world) == (1_050_000_000, 334_448_161)
    found = (*found, transaction(world, 500, asked.authorization_ref))
    snapshot = authorization(world, asked.authorization_ref, (2_000, True), status=CLOSED, transactions=found)
    await apply_snapshot(world, snapshot)
    # The last captured amount is refunded first: 5.00 USD of the cheap credits, and 2.00 of the others, rounded down.
    assert await exact(world) == (1_050_000_000 - 167_224_081, 0)
    found = (*found, transaction(world, 700, asked.authorization_ref, REFUND))
    await apply_snapshot(world, replace(snapshot, transactions=found))
    assert await exact(world) == (1_069_999_999, 0)
    found = (*found, transaction(world, 300, asked.authorization_ref, REFUND))
    await apply_snapshot(world, replace(snapshot, transactions=found))
    assert await exact(world) == (1_100_000_000, 0)


@pytest.mark.parametrize("first", [300, 200])
async def test_part_of_a_capture_that_held_credits_no_longer_pay_is_forced(database: Database, first: int) -> None:
    world = await World(database).begin(0)
    await world.give(1_000, cents=10_000, asset="EUR")
    for asset_minor, at in ((10, NOW), (20, NOW + timedelta(hours=1))):
        async with database.platform() as session:
            driver = await driver_connection(session)
            await set_credit_rate(driver, asset="EUR", credit_minor=CREDIT, asset_minor=asset_minor, starts_at=at)
        if at == NOW:
            asked = question(world, 400)
            assert await ask(world, asked)
            assert await world.balance() == (1_000, 40)
    # A euro is worth half as much, so 40 credits pay 2.00 USD, and 20 more each further dollar.
    ref, later = asked.authorization_ref, NOW + timedelta(hours=2)
    found: tuple[TransactionSnapshot, ...] = (transaction(world, first, ref),)
    await apply_snapshot(world, authorization(world, ref, (400, True), transactions=found), now=later)
    assert await world.balance() == (1_000 - first // 5, 0)
    assert await alerts(world) == ["card_overspent"] * (first > 200)
    found = (*found, transaction(world, 400 - first, ref))
    await apply_snapshot(world, authorization(world, ref, (400, True), status=CLOSED, transactions=found), now=later)
    assert await world.balance() == (920, 0)
    assert "card_overspent" in await alerts(world)


@pytest.mark.parametrize("status", [REVERSED, AuthorizationStatus.EXPIRED])
async def test_reversed_authorization_is_released(world: World, status: AuthorizationStatus) -> None:
    asked = question(world, 400)
    await ask(world, asked)
    await apply_snapshot(world, authorization(world, asked.authorization_ref, (400, True), status=status))
    assert await world.balance() == (1000, 0)
    assert (await row_of(world, asked.authorization_ref)).status == status.value


async def test_capture_beyond_an_authorization_is_forced_and_alerts(world: World) -> None:
    asked = question(world, 400)
    await ask(world, asked)
    captured = transaction(world, 500, asked.authorization_ref)
    snapshot = authorization(world, asked.authorization_ref, (400, True), status=CLOSED, transactions=(captured,))
    for _ in range(2):
        await apply_snapshot(world, snapshot)
    assert await world.balance() == (950, 0)
    assert await alerts(world) == ["card_overspent"]


async def test_a_capture_without_an_authorization_is_forced_into_debt(database: Database) -> None:
    world = await World(database).begin(10)
    captured = transaction(world, 300, None)
    for _ in range(2):
        assert await apply_snapshot(world, captured)
    assert await world.balance() == (0, 0)
    assert await alerts(world) == ["card_overspent"]
    assert (await row_of(world, captured.ref)).status == "none"


async def test_a_capture_after_the_hold_has_expired_is_forced(world: World) -> None:
    asked = question(world, 400)
    await ask(world, asked)
    await apply_snapshot(
        world, authorization(world, asked.authorization_ref, (400, True), status=AuthorizationStatus.EXPIRED)
    )
    captured = transaction(world, 400, asked.authorization_ref)
    await apply_snapshot(
        world, authorization(world, asked.authorization_ref, (400, True), status=CLOSED, transactions=(captured,))
    )
    assert await world.balance() == (960, 0)
    assert await alerts(world) == ["card_overspent"]


async def test_granted_credits_pay_no_merchant_that_takes_without_a_hold(database: Database) -> None:
    world = await World(database).begin(10)
    await world.give(1_000, paid=False)
    asked = question(world, 0)
    assert await ask(world, asked)
    captured = transaction(world, 300, asked.authorization_ref)
    await apply_snapshot(
        world, authorization(world, asked.authorization_ref, (0, True), status=CLOSED, transactions=(captured,))
    )
    # 10 of the 30 credits were paid for; the others are owed, and what was granted is all there.
    assert await world.balance() == (1_000, 0)
    query = text(
        "SELECT -b.posted FROM ledger.balances b JOIN ledger.accounts a ON a.id = b.account_id WHERE path = :of"
    )
    async with world.database.platform() as session:
        assert await session.scalar(query, {"of": f"org/{world.org}/debt/CREDIT"}) == 20 * CREDIT
    # A refund pays the debt first, and what was owed was worth its money as well.
    await apply_snapshot(world, transaction(world, 250, None, REFUND))
    assert await world.balance() == (1_005, 0)


async def test_a_refund_that_is_read_with_its_forced_capture_returns_all_of_it(world: World) -> None:
    asked = question(world, 500)
    await ask(world, asked)
    both = tuple(transaction(world, 600, asked.authorization_ref, kind) for kind in (CAPTURE, REFUND))
    snapshot = authorization(world, asked.authorization_ref, (500, True), status=CLOSED, transactions=both)
    for _ in range(2):
        await apply_snapshot(world, snapshot)
    assert await world.balance() == (1000, 0)
    assert await alerts(world) == ["card_overspent"]


async def test_the_rest_of_a_hold_whose_credits_are_taken_by_rounding_is_no_overspend(database: Database) -> None:
    world = await World(database).begin(currency="JPY")
    async with database.platform() as session:
        await set_credit_rate(
            await driver_connection(session), asset="JPY", credit_minor=1, asset_minor=80, starts_at=NOW
        )
    asked = question(world, 400, currency="JPY")
    assert await ask(world, asked)
    parts = tuple(
        replace(transaction(world, amount, asked.authorization_ref), currency="JPY", movement=None)
        for amount in (390, 10)
    )
    for known in (1, 2):
        snapshot = authorization(world, asked.authorization_ref, (400, True), transactions=parts[:known])
        await apply_snapshot(world, replace(snapshot, currency="JPY"))
    assert await alerts(world) == []


async def test_a_capture_that_the_issuer_assigns_to_an_authorization_later_is_booked_once(world: World) -> None:
    captured = transaction(world, 300, None)
    await apply_snapshot(world, captured)
    ref = fresh("iauth")
    linked = replace(captured, authorization_ref=ref)
    assert await apply_snapshot(world, authorization(world, ref, (300, True), status=CLOSED, transactions=(linked,)))
    assert await world.balance() == (970, 0)


async def test_a_decline_that_is_read_before_the_late_decision_stays_one(world: World) -> None:
    asked = question(world, 400)
    await apply_snapshot(world, authorization(world, asked.authorization_ref, (400, False), status=CLOSED))
    assert not await ask(world, asked)
    assert await world.balance() == (1000, 0)
    assert await reason(world, asked.authorization_ref) == "not_taken"


async def test_an_organization_that_may_have_no_cards_any_more_pays_with_none(world: World) -> None:
    asked = question(world, 400)
    assert not await ask(world, asked, issuing="org_other")
    assert await reason(world, asked.authorization_ref) == "card_inactive"
    assert await ask(world, question(world, 400), issuing=world.org)


async def test_all_holds_are_locked_before_a_balance(world: World) -> None:
    open_one, declined = question(world, 200), question(world, 100)
    assert await ask(world, open_one)
    assert await ask(world, declined)
    captured = transaction(world, 100, open_one.authorization_ref)
    await apply_snapshot(world, authorization(world, open_one.authorization_ref, (200, True), transactions=(captured,)))
    refunded = transaction(world, 50, declined.authorization_ref, REFUND)
    snapshot = authorization(world, declined.authorization_ref, (100, False), status=CLOSED, transactions=(refunded,))
    held = (await row_of(world, open_one.authorization_ref)).requests[0]["spend_id"]
    async with world.database.platform() as session:
        driver = await driver_connection(session)
        await Spending(driver, world.org).lock_reservation(uuid_of(held))
        booking = asyncio.create_task(apply_snapshot(world, snapshot))
        await somebody_waits(world.database)
        # A transaction that locks a hold locks the balance next, so none that waits for a hold may have locked the
        # balance.
        await Ledger(driver).lock_balances([org_credits(world.org)])
    assert await booking
    assert await world.balance() == (995, 10)


async def test_a_hold_that_nobody_has_swept_yet_is_not_captured_after_its_time(world: World) -> None:
    asked = question(world, 400)
    await ask(world, asked)
    captured = transaction(world, 400, asked.authorization_ref)
    snapshot = authorization(world, asked.authorization_ref, (400, True), status=CLOSED, transactions=(captured,))
    await apply_snapshot(world, snapshot, now=NOW + timedelta(days=31))
    assert await world.balance() == (960, 0)


async def test_a_refund_gives_back_what_was_captured_and_no_more(world: World) -> None:
    asked = question(world, 400)
    await ask(world, asked)
    captured = transaction(world, 400, asked.authorization_ref)
    refunded = transaction(world, 150, asked.authorization_ref, REFUND)
    snapshot = authorization(
        world, asked.authorization_ref, (400, True), status=CLOSED, transactions=(captured, refunded)
    )
    for _ in range(2):
        await apply_snapshot(world, snapshot)
    assert await world.balance() == (975, 0)
    # A refund that fits no authorization goes to the card's last payment; the excess alerts operators.
    alone = transaction(world, 300, None, REFUND)
    for _ in range(2):
        await apply_snapshot(world, alone)
    assert await world.balance() == (1000, 0)
    assert await alerts(world) == ["card_refund_unmatched"]


@pytest.mark.parametrize("is_alone", [False, True])
async def test_a_refund_that_is_heard_before_its_capture_is_matched_when_that_comes(
    world: World, is_alone: bool
) -> None:
    asked = question(world, 400)
    await ask(world, asked)
    refunded = transaction(world, 150, None if is_alone else asked.authorization_ref, REFUND)
    early = refunded if is_alone else authorization(
        world, asked.authorization_ref, (400, True), transactions=(refunded,)
    )  # fmt: skip
    assert await apply_snapshot(world, early)
    assert await alerts(world) == ["card_refund_unmatched"]
    captured = transaction(world, 400, asked.authorization_ref)
    found = (captured,) if is_alone else (refunded, captured)
    snapshot = authorization(world, asked.authorization_ref, (400, True), status=CLOSED, transactions=found)
    for _ in range(2):
        assert await apply_snapshot(world, snapshot)
    assert await world.balance() == (975, 0)
    async with world.database.platform() as session:
        known = await transactions.find(session, refunded.ref)
        assert known is not None
        assert known.beyond_minor == 0
        alert = (await session.scalars(select(Alert).where(Alert.subject == world.card))).one()
        assert alert.status == "resolved"


async def test_a_refund_whose_credits_were_granted_by_hand_returns_none_of_a_later_payment(world: World) -> None:
    """The runbook has an operator grant them and resolve the alert; the merchant then sells something else."""
    assert await apply_snapshot(world, transaction(world, 150, None, REFUND))
    async with world.database.platform() as session:
        [found] = await session.scalars(select(Alert).where(Alert.subject == world.card))
        await resolve_one(session, found.id, "operator")
    asked = question(world, 400)
    await ask(world, asked)
    captured = transaction(world, 400, asked.authorization_ref)
    assert await apply_snapshot(
        world, authorization(world, asked.authorization_ref, (400, True), status=CLOSED, transactions=(captured,))
    )
    assert await world.balance() == (960, 0)


async def test_a_request_that_the_issuer_has_declined_after_all_holds_nothing(world: World) -> None:
    asked = question(world, 400)
    await ask(world, asked)
    for _ in range(2):
        await apply_snapshot(world, authorization(world, asked.authorization_ref, (400, False), status=CLOSED))
    assert await world.balance() == (1000, 0)
    row = await row_of(world, asked.authorization_ref)
    assert (row.status, row.amount_minor, row.requests[0]["reason"]) == ("declined", 0, "not_taken")
    assert not await ask(world, asked)


async def test_a_dispute_gives_the_credits_back_once_it_is_won(world: World) -> None:
    asked = question(world, 400)
    await ask(world, asked)
    captured = transaction(world, 400, asked.authorization_ref)
    await apply_snapshot(
        world, authorization(world, asked.authorization_ref, (400, True), status=CLOSED, transactions=(captured,))
    )
    ref = fresh("idp")
    for status, movements, balance in (
        (CardDisputeStatus.SUBMITTED, (), 960),
        (CardDisputeStatus.WON, (moved(ref, 400, BalanceTransactionKind.CARD_DISPUTE),), 1000),
        (CardDisputeStatus.WON, (moved(ref, 400, BalanceTransactionKind.CARD_DISPUTE),), 1000),
    ):
        snapshot = CardDisputeSnapshot(
            ref=ref,
            transaction_ref=captured.ref,
            status=status,
            amount_minor=400,
            currency="USD",
            created_at=NOW,
            movements=movements,
        )
        async with world.database.platform() as session:
            assert await card_transaction.book_dispute(session, snapshot, world.ref, "stripe", now=NOW)
        assert await world.balance() == (balance, 0)


async def test_a_won_dispute_about_what_was_refunded_alerts_and_returns_no_later_capture(world: World) -> None:
    ref, dispute = fresh("iauth"), fresh("idp")
    await ask(world, question(world, 400, ref=ref))
    parts = tuple(transaction(world, 400, ref, kind) for kind in (CAPTURE, REFUND, CAPTURE))
    won = CardDisputeSnapshot(
        **{"ref": dispute, "transaction_ref": parts[0].ref, "status": CardDisputeStatus.WON, "amount_minor": 400},
        **{"currency": "USD", "created_at": NOW, "movements": ()},
    )
    for known in (2, 3):
        await apply_snapshot(world, authorization(world, ref, (400, True), status=CLOSED, transactions=parts[:known]))
        async with world.database.platform() as session:
            assert await card_transaction.book_dispute(session, won, world.ref, "stripe", now=NOW)
    assert await world.balance() == (960, 0)
    assert await alerts(world) == ["card_refund_unmatched", "card_overspent"]


async def test_payment_of_a_card_is_an_expense_and_leaves_the_balance_at_the_issuer(world: World) -> None:
    asked = question(world, 400)
    await ask(world, asked)
    captured = transaction(world, 300, asked.authorization_ref)
    await apply_snapshot(
        world, authorization(world, asked.authorization_ref, (400, True), status=CLOSED, transactions=(captured,))
    )
    query = text(
        "SELECT a.path, sum(e.amount) FROM ledger.transfers t JOIN ledger.entries e ON e.transfer_id = t.id"
        " JOIN ledger.accounts a ON a.id = e.account_id WHERE t.idempotency_key = :key GROUP BY 1 ORDER BY 1"
    )
    async with world.database.platform() as session:
        found = (await session.execute(query, {"key": f"card-movement:{captured.ref}"})).all()
    assert [tuple(each) for each in found] == [("platform/card_purchases", -300), ("provider/stripe/clearing", 300)]


async def test_the_spender_of_a_card_is_its_agent(world: World) -> None:
    asked = question(world, 400)
    await ask(world, asked)
    query = text("SELECT agent_id, action, metadata ->> 'card_id' FROM ledger.spends WHERE org_id = :org")
    async with world.database.platform() as session:
        assert tuple((await session.execute(query, {"org": world.org})).one()) == (
            world.agent,
            "card.payment",
            world.card,
        )
        spend = (await session.scalars(select(CardSpend).where(CardSpend.card_id == world.card))).one()
    assert (await row_of(world, asked.authorization_ref)).requests[0]["spend_id"] == uuid_id("spd", spend.spend_id)


@pytest.mark.parametrize("event_type", ["issuing_authorization.updated", "issuing_transaction.created"])
async def test_an_event_of_the_issuer_is_read_again_booked_and_marked(world: World, event_type: str) -> None:
    asked, issuer, event_id = question(world, 400), FakeIssuer(), fresh("evt")
    await ask(world, asked)
    captured = transaction(world, 400, asked.authorization_ref)
    issuer.transactions[captured.ref] = captured
    issuer.authorizations[asked.authorization_ref] = authorization(
        world, asked.authorization_ref, (400, True), status=CLOSED, transactions=(captured,)
    )
    ref = captured.ref if "transaction" in event_type else asked.authorization_ref
    outcome = await _take(world, issuer, event_id, event_type, ref)
    assert outcome == "handled"
    assert await world.balance() == (960, 0)
    assert await _take(world, issuer, event_id, event_type, ref) == "handled"


async def test_a_card_that_is_cancelled_at_the_issuer_is_closed_here(world: World) -> None:
    issuer = FakeIssuer()
    await issuer.set_status(world.ref, CardStatus.CANCELLED, idempotency_key="k")
    assert await _take(world, issuer, fresh("evt"), "issuing_card.updated", world.ref) == "handled"
    async with world.database.platform() as session:
        assert (await cards.get(session, world.card)).status == "closed"


async def test_a_card_that_was_unfrozen_while_its_freeze_was_read_stays_active(world: World) -> None:
    class Slow(FakeIssuer):
        async def retrieve_card(self, ref: str) -> CardSnapshot:
            await change(world, "UPDATE cards SET status = 'active' WHERE id = :card", card=world.card)
            return await super().retrieve_card(ref)

    issuer = Slow()
    await issuer.set_status(world.ref, CardStatus.FROZEN, idempotency_key="k")
    for before, after in (("frozen", "active"), ("active", "frozen")):
        await change(world, "UPDATE cards SET status = :it WHERE id = :card", card=world.card, it=before)
        assert await _take(world, issuer, fresh("evt"), "issuing_card.updated", world.ref) == "handled"
        async with world.database.platform() as session:
            assert (await cards.get(session, world.card)).status == after


async def test_an_event_about_an_object_unknown_to_the_issuer_is_unmatched(world: World) -> None:
    class Gone(FakeIssuer):
        async def retrieve_authorization(self, ref: str) -> AuthorizationSnapshot:
            raise ProviderNotFound("There is no such authorization.")

    assert await _take(world, Gone(), fresh("evt"), "issuing_authorization.created", fresh("iauth")) == "unmatched"


async def test_an_event_waits_for_the_issuer_where_cards_were_made(world: World) -> None:
    with pytest.raises(RuntimeError, match="BURSAR_ISSUING"):
        await _take(world, None, fresh("evt"), "issuing_authorization.created", fresh("iauth"))


async def test_an_event_about_a_card_of_other_software_is_unmatched(world: World) -> None:
    issuer, other = FakeIssuer(), World(world.database)
    ref = fresh("iauth")
    issuer.authorizations[ref] = authorization(other, ref, (400, True))
    assert await _take(world, issuer, fresh("evt"), "issuing_authorization.created", ref) == "unmatched"


async def test_verify_finds_payments_missing_in_the_books(fresh_database_urls: DatabaseUrls) -> None:
    database = Database(fresh_database_urls.tenant, fresh_database_urls.platform, pool_size=2)
    try:
        world = await World(database).begin()
        await ask(world, question(world, 400))
        rules = (*authorizations.INVARIANTS, *transactions.INVARIANTS)
        assert await broken(fresh_database_urls, rules) == set()
        await change(world, "UPDATE card_spends SET captured_minor = 100, captured_credits = 1")
        await change(world, "UPDATE card_authorizations SET status = 'closed'")
        assert await broken(fresh_database_urls, rules) == {each.name for each in authorizations.INVARIANTS}
    finally:
        await database.close()


async def test_an_event_where_no_card_was_ever_made_waits_for_no_issuer(fresh_database_urls: DatabaseUrls) -> None:
    database = Database(fresh_database_urls.tenant, fresh_database_urls.platform, pool_size=1)
    try:
        assert await _take(World(database), None, fresh("evt"), "issuing_card.created", "ic_other") == "unmatched"
    finally:
        await database.close()


async def _take(world: World, issuer: FakeIssuer | None, event_id: str, event_type: str, ref: str) -> str:
    async with world.database.platform() as session:
        await session.execute(
            insert(ProviderEventRow)
            .values(
                **{"provider": "stripe", "event_id": event_id, "type": event_type, "status": "received"},
                **{"refs": [ref], "livemode": False, "payload": {}, "occurred_at": NOW},
            )
            .on_conflict_do_nothing()
        )
    activities = CardActivities(world.database, issuer)
    return (await activities.book_card_event(ProviderEventInput(provider="stripe", event_id=event_id))).outcome
