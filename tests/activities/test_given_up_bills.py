"""A payment of a given-up bill: the price of used credits is kept, and the rest goes back."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from sqlalchemy import text

from domain.common import accounts
from ledger.gateway import Ledger
from models.billing.invoice import InvoiceRow
from models.billing.subscription import SubscriptionGrant
from models.payouts.recovery import Recovery
from repositories.billing import subscription_bill
from runtime.database import Database, driver_connection
from tests.activities.test_disputed_credits import credits, give_up, next_month, won_after_all
from tests.api.paying import NOW
from tests.conftest import DatabaseUrls
from tests.domain.subscription.building import YEAR, bill, month, seen
from tests.support.mirrored_bills import Mirrored, paid, use
from tests.support.proving import prove_about
from tests.support.subscription_books import Subscribed, subscribed

pytestmark = pytest.mark.db

#: A bill over 29.00 grants 500 credits.
GROSS = 2_900
_LOST = """
    SELECT coalesce(-sum(e.amount), 0)::bigint FROM ledger.entries e JOIN ledger.accounts a ON a.id = e.account_id
    JOIN ledger.transfers t ON t.id = e.transfer_id
    WHERE a.path = 'platform/bad_debt' AND t.reference = ANY (:references)
"""


@pytest.fixture(autouse=True, scope="module")
async def proven(database_urls: DatabaseUrls) -> AsyncIterator[None]:
    yield
    await prove_about(database_urls, "subscription", "deferred", "lot", "reserved", "hold", "invoice", "receivable")


@dataclass(frozen=True, kw_only=True)
class Books:
    """Distribution of a bill's money: revenue and loss of the platform; cash, amount due and debt of the payer."""

    kept: int = 0
    lost: int = 0
    cash: int = 0
    due: int = 0
    owed: int = 0


async def books(one: Subscribed, made: Mirrored) -> Books:
    (invoice,) = await one.rows(InvoiceRow)
    async with one.database.platform() as session:
        ledger = Ledger(await driver_connection(session))
        cash, receivable, debt = [
            (await ledger.balance(account)).posted_minor
            for account in (
                accounts.org_cash(one.org_id, "USD"),
                accounts.org_receivable(one.org_id, "USD"),
                accounts.org_debt(one.org_id, "USD"),
            )
        ]
        lost = await session.scalar(text(_LOST), {"references": [invoice.id, made.terms.payment_id]})
    assert lost == invoice.written_off_minor
    return Books(kept=invoice.paid_minor, lost=lost, cash=cash, due=-receivable, owed=-debt)


async def short(one: Subscribed) -> int:
    """Return the credits that creators are liable for, if they earned them."""
    return int(sum(each.amount_minor for each in await one.rows(Recovery) if each.closed_at is None)) // 10**6


async def walk(one: Subscribed, made: Mirrored, steps: str) -> None:
    """Take the steps of the one dispute of the whole payment, and give the bill up in between."""
    ref = next(iter(made.there.disputes), "")
    for step in steps.split():
        match step:
            case "open":
                ref = made.there.dispute()
            case "up":
                (invoice,) = await one.rows(InvoiceRow)
                if invoice.status == "open":  # after the first time nothing is due where nothing was used
                    await give_up(one)
                continue
            case "won" | "lost":
                made.there.close_dispute(ref, won=step == "won")
            case "appealed":
                await won_after_all(made, ref)
            case "again":
                made.there.dispute_again(ref)
        await made.look()


#: Of the credits of the bill: none, some and all.
USED = [pytest.param(0, marks=pytest.mark.slow), 100, pytest.param(500, marks=pytest.mark.slow)]


@pytest.mark.parametrize("used", USED)
@pytest.mark.parametrize(
    "steps",
    [
        "open up won",
        "open up lost appealed",
        "open lost up appealed",
        "open up won again won",
        "open up won again up won",
        "open up won again lost appealed",
        "open lost up appealed again up won",
    ],
)
async def test_money_after_a_write_off_pays_for_the_used_credits(database: Database, steps: str, used: int) -> None:
    one, made = await paid(database)
    if used:
        await use(one, used)
    price = GROSS * 4 // 5 * used // 500
    await walk(one, made, steps)
    assert await books(one, made) == Books(kept=price, lost=GROSS - price, cash=GROSS - price)
    assert (await credits(one), await short(one)) == ((0, 0), 0)


async def test_given_up_invoice_is_paid_once_no_money_is_lost(database: Database) -> None:
    one, made = await paid(database)
    await use(one, 100)
    await walk(one, made, "open up won")
    (invoice,) = await one.rows(InvoiceRow)
    assert invoice.status == "uncollectible"
    await walk(one, made, "again")
    (invoice,) = await one.rows(InvoiceRow)
    assert invoice.status == "open"
    await walk(one, made, "won")
    (invoice,) = await one.rows(InvoiceRow)
    assert invoice.status == "paid"
    # The rest was returned, so the bill is as unpaid as before.
    async with database.platform() as session:
        given_up = await subscription_bill.given_up(session, one.state.subscription_id)
        unpaid = await subscription_bill.has_unpaid(session, one.org_id)
    assert (bool(given_up), unpaid) == (True, True)


@pytest.mark.parametrize("used", USED)
@pytest.mark.parametrize(
    "steps", ["open up lost", "open lost up", "open up won again up lost", "open up won again lost up"]
)
async def test_given_up_and_lost_bill_is_a_full_loss_and_creators_are_liable_for_used_credits(
    database: Database, steps: str, used: int
) -> None:
    one, made = await paid(database)
    if used:
        await use(one, used)
    await walk(one, made, steps)
    assert await books(one, made) == Books(lost=GROSS)
    assert (await credits(one), await short(one)) == ((0, 0), used)


async def test_kept_money_is_due_again_after_another_lost_dispute(database: Database) -> None:
    one, made = await paid(database)
    await use(one, 100)
    await walk(one, made, "open up won again lost")
    assert await books(one, made) == Books(lost=2_436, due=464)
    assert await short(one) == 100


async def test_spent_returned_money_becomes_a_debt_after_another_dispute(database: Database) -> None:
    one, made = await paid(database)
    await use(one, 100)
    await walk(one, made, "open up won")
    async with database.platform() as session:
        await Ledger(await driver_connection(session)).post(
            key=f"spent:{one.org_id}",
            kind="test",
            source=accounts.org_cash(one.org_id, "USD"),
            destination=accounts.platform("corrections", "USD"),
            amount_minor=2_436,
            effective_at=NOW,
        )
    (ref,) = made.there.disputes
    made.there.dispute_again(ref)
    await made.look()
    assert await books(one, made) == Books(lost=2_436, due=464, owed=2_436)
    made.there.close_dispute(ref, won=True)
    await made.look()
    assert await books(one, made) == Books(kept=464, lost=2_436)


@pytest.mark.parametrize(
    ("disputed", "kept", "cash"),
    # What was left of the payment pays for used credits first: 19.00 of 29.00, or 3.00.
    [(1_000, 1_900, 1_000), (2_600, 464, 2_436)],
)
async def test_won_part_pays_the_amount_left_by_the_rest_of_the_payment(
    database: Database, disputed: int, kept: int, cash: int
) -> None:
    one, made = await paid(database)
    await use(one, 100)
    ref = made.there.dispute(disputed)
    await made.look()
    await give_up(one)
    made.there.close_dispute(ref, won=True)
    await made.look()
    assert await books(one, made) == Books(kept=kept, lost=GROSS - kept, cash=cash)


@pytest.mark.parametrize(
    ("first_won", "second_won", "expected", "answered"),
    [
        (True, True, Books(kept=464, lost=2_436, cash=2_436), 0),
        (True, False, Books(kept=464, lost=2_436, cash=536), 0),
        (False, True, Books(kept=464, lost=2_436, cash=1_436), 0),
        (False, False, Books(lost=2_900), 100),
    ],
)
async def test_two_disputes_of_a_given_up_bill_pay_for_used_credits_once(
    database: Database, first_won: bool, second_won: bool, expected: Books, answered: int
) -> None:
    one, made = await paid(database)
    await use(one, 100)
    first, second = made.there.dispute(1_000), made.there.dispute(1_900)
    await made.look()
    await give_up(one)
    for ref, won in ((first, first_won), (second, second_won)):
        made.there.close_dispute(ref, won=won)
        await made.look()
    assert (await books(one, made), await short(one)) == (expected, answered)


async def test_returned_part_of_a_lost_given_up_bill_pays_for_used_credits(database: Database) -> None:
    one, made = await paid(database)
    await use(one, 100)
    await walk(one, made, "open lost up")
    (ref,) = made.there.disputes
    made.there.return_part(ref)
    await made.look()
    assert await books(one, made) == Books(kept=464, lost=2_436, cash=1_450 - 464)


async def test_refund_at_the_provider_that_fails_after_its_bill_was_given_up_pays_for_used_credits(
    database: Database,
) -> None:
    one, made = await paid(database)
    await use(one, 100)
    ref = made.there.refund(GROSS)
    await made.look()
    await give_up(one)
    assert await books(one, made) == Books(lost=GROSS)
    made.there.fail_refund(ref)
    await made.look()
    assert await books(one, made) == Books(kept=464, lost=2_436, cash=2_436)


async def test_payment_of_a_bill_that_was_given_up_before_it_was_known_pays_for_used_credits(
    database: Database,
) -> None:
    one = await subscribed(database)
    await one.look(seen(bill(0, GROSS, month(0))))
    await use(one, 100)
    await give_up(one, by_plan=True)
    made = await Mirrored.of(one)
    assert await books(one, made) == Books(kept=464, lost=2_436, cash=2_436)
    assert await credits(one) == (0, 0)


async def test_reopened_bill_with_a_given_up_part_restores_no_credits(database: Database) -> None:
    one, made = await paid(database)
    await use(one, 100)
    first = made.there.dispute(1_000)
    await made.look()
    made.there.close_dispute(first, won=False)
    await made.look()
    await give_up(one)
    second = made.there.dispute(500)
    await made.look()
    made.there.close_dispute(second, won=True)
    await made.look()
    assert await books(one, made) == Books(kept=1_900, lost=1_000)
    assert await credits(one) == (0, 0)


async def test_months_omitted_in_a_given_up_year_are_never_granted(database: Database) -> None:
    one = await subscribed(database, interval=YEAR)
    await one.look(seen(bill(0, 29_000, month(0, 12)), period=month(0, 12)))
    made = await Mirrored.of(one)
    await use(one, 100)
    ref = made.there.dispute()
    await made.look()
    await next_month(one, 1)
    await give_up(one)
    for again in (False, True):
        if again:
            made.there.dispute_again(ref)
            await made.look()
        made.there.close_dispute(ref, won=True)
        await made.look()
        # A fifth of the 19.33 of the first month, rounded up, is kept.
        assert await books(one, made) == Books(kept=387, lost=28_613, cash=28_613)
        await next_month(one, 2 + again)
        assert (await credits(one), len(await one.rows(SubscriptionGrant))) == ((0, 0), 1)


async def test_refund_of_returned_money_leaves_the_price_of_used_credits(database: Database) -> None:
    one, made = await paid(database)
    await use(one, 100)
    await walk(one, made, "open up won")
    refused = await made.refund(GROSS)
    assert refused.declined is not None
    assert refused.declined.extra == {"refundable": "24.36"}
    assert (await made.refund(2_436)).applied
    await made.done()
    assert await books(one, made) == Books(kept=464, lost=2_436)
