"""Events that the books refuse raise an alert and write nothing."""

import dataclasses
from collections import Counter
from types import SimpleNamespace

import pytest
from sqlalchemy import insert, select

from activities.books.books import BooksRefused
from activities.payments.payment import MAX_RECOUNTS, SpentMeanwhile
from domain.common import accounts
from domain.common.access import Actor, Role
from domain.common.money import CREDIT
from domain.payments.payment import commands
from domain.payments.payment.converge import Observation, converge
from domain.payments.payment.snapshot import CreatePayment, Decline
from domain.payments.payment.state import Outcome, PaymentPosting, PaymentPostingKind
from ledger.gateway import Ledger
from models.credits.credit_lot import CreditLot
from models.messages.alert import Alert
from models.tenants.organization import Organization
from repositories.payments import payment as payments
from runtime.database import Database, driver_connection
from runtime.identity import new_id
from tests.activities.recording import marked, record
from tests.api.paying import Written
from tests.conftest import DatabaseUrls
from tests.domain.subscription.building import START, bill, month, seen
from tests.support.payments import TERMS, Account
from tests.support.proving import prove_all
from tests.support.runs import ask_for
from tests.support.subscription_books import subscribed

pytestmark = pytest.mark.db

CREDITS = 10_000_000


async def opened(database: Database, **details: object) -> Outcome:
    org = new_id("org")
    async with database.platform() as session:
        await session.execute(insert(Organization).values(id=org, name=org, command_id=org, created_by="test"))
    terms = dataclasses.replace(TERMS, payment_id=new_id("pay"), org_id=org)
    await ask_for(database, terms)
    made = commands.created(terms, actor=Actor(principal="procurement", role=Role.OWNER, org_id=org))
    return dataclasses.replace(made, details={**made.details, **details})


async def alerts(database: Database, outcome: Outcome) -> list[str]:
    async with database.platform() as session:
        query = select(Alert.kind).where(Alert.subject == outcome.payment.terms.payment_id)
        return list(await session.scalars(query))


async def test_credits_that_stay_spent_are_recounted_and_then_raise_an_alert(database: Database):
    short = PaymentPosting(kind=PaymentPostingKind.RETIRE, amount_minor=1, asset=CREDIT)
    outcome = dataclasses.replace(await opened(database), moves=(short,))
    for attempt in range(1, MAX_RECOUNTS + 1):
        with pytest.raises(SpentMeanwhile):
            await record(database, outcome, attempt)
    assert await alerts(database, outcome) == []
    with pytest.raises(BooksRefused):
        await record(database, outcome, MAX_RECOUNTS + 1)
    assert await alerts(database, outcome) == ["payment.books_refused"]


async def test_unstorable_text_of_a_provider_raises_an_alert_without_a_decline(database: Database):
    outcome = await opened(database)
    await record(database, outcome)
    said = commands.outcome_unknown(outcome.payment, detail="\x00", at=outcome.payment.updated_at)
    with pytest.raises(BooksRefused):
        await record(database, said)
    assert await alerts(database, outcome) == ["payment.books_refused"]
    async with database.platform() as session:
        row = await payments.get(session, outcome.payment.terms.payment_id)
    assert row is not None
    assert row.version == 1


async def test_unstorable_event_without_changes_raises_an_alert_until_it_is_booked(database: Database):
    outcome = await opened(database)
    await record(database, outcome)
    await marked(database, outcome, "evt_1")
    with pytest.raises(BooksRefused):
        await marked(database, outcome, "evt_\x00")
    async with database.platform() as session:
        query = select(Alert).where(Alert.subject == outcome.payment.terms.payment_id)
        (raised,) = await session.scalars(query)
    assert raised.kind == "payment.books_refused"
    await marked(database, outcome, "evt_1")
    async with database.platform() as session:
        (closed,) = await session.scalars(query)
    assert closed.acknowledged_by == "books"


async def test_an_event_whose_predecessor_the_books_lack_is_alerted(database: Database):
    outcome = await opened(database)
    later = dataclasses.replace(outcome, payment=dataclasses.replace(outcome.payment, version=3))
    with pytest.raises(BooksRefused, match="cannot follow"):
        await record(database, later)
    assert await alerts(database, outcome) == ["payment.books_refused"]


async def test_alert_about_a_refused_event_closes_once_it_is_booked(database: Database):
    outcome = await opened(database)
    short = dataclasses.replace(
        outcome, moves=(PaymentPosting(kind=PaymentPostingKind.RETIRE, amount_minor=1, asset=CREDIT),)
    )
    with pytest.raises(BooksRefused):
        await record(database, short, MAX_RECOUNTS + 1)
    await record(database, outcome)
    async with database.platform() as session:
        (alert,) = await session.scalars(select(Alert).where(Alert.subject == outcome.payment.terms.payment_id))
    assert (alert.kind, alert.acknowledged_by) == ("payment.books_refused", "books")


class CountingMeter:
    """Counts what activities count; only what they use of a meter."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, ...]] = Counter()

    def with_additional_attributes(self, _attributes: object) -> "CountingMeter":
        return self

    def create_counter(self, name: str, _description: str) -> SimpleNamespace:
        def add(value: int, attributes: dict[str, str]) -> None:
            self.counts[name, *attributes.values()] += value

        return SimpleNamespace(add=add)


async def test_a_refused_payment_is_counted_once_and_only_when_it_is_booked(database: Database):
    outcome, meter = await opened(database), CountingMeter()
    await record(database, outcome, meter=meter)
    why = Decline(code="insufficient_funds", detail="Your card has insufficient funds.")
    refused = commands.refused(outcome.payment, decline=why, at=outcome.payment.updated_at)
    short = PaymentPosting(kind=PaymentPostingKind.RETIRE, amount_minor=1, asset=CREDIT)
    unbooked = dataclasses.replace(refused, moves=(short,))
    with pytest.raises(SpentMeanwhile):
        await record(database, unbooked, meter=meter)
    for _ in range(2):
        await record(database, refused, meter=meter)
    assert meter.counts == {("bursar_payment_failures", refused.payment.terms.provider, "insufficient_funds"): 1}


@pytest.mark.parametrize("lost", [False, True])
async def test_partly_won_dispute_keeps_the_books_consistent(
    fresh_database: Database, fresh_database_urls: DatabaseUrls, lost: bool
) -> None:
    org = new_id("org")
    async with fresh_database.platform() as session:
        await session.execute(insert(Organization).values(id=org, name=org, command_id=org, created_by="test"))
    made = await Written(fresh_database, org).begin()
    made.there.pay()
    await made.look()
    ref = made.there.dispute()
    await made.look()
    if lost:
        made.there.close_dispute(ref, won=False)
        await made.look()
    made.there.return_part(ref)
    await made.look()
    await prove_all(fresh_database_urls)
    if lost:
        made.there.appeal(ref)
    made.there.close_dispute(ref, won=True)
    await made.look()
    await prove_all(fresh_database_urls)
    async with fresh_database.platform() as session:
        ledger = Ledger(await driver_connection(session))
        assert (await ledger.balance(accounts.org_credits(org))).posted_minor == 100_000_000


async def test_lots_say_how_much_of_them_paid_a_debt(
    fresh_database: Database, fresh_database_urls: DatabaseUrls
) -> None:
    one = await subscribed(fresh_database)
    async with fresh_database.platform() as session:
        await Ledger(await driver_connection(session)).post(
            key=one.org_id,
            kind="test",
            source=accounts.org_debt(one.org_id, CREDIT),
            destination=accounts.platform("credit_issuance", CREDIT),
            amount_minor=230 * 10**6,
            effective_at=START,
        )
    for _ in range(2):
        made = await Written(fresh_database, one.org_id).begin()
        made.there.pay()
        await made.look()
    await one.look(seen(bill(0, 2_900, month(0))))
    assert sorted(lot.debt_minor // 10**6 for lot in await one.rows(CreditLot)) == [30, 100, 100]
    await prove_all(fresh_database_urls)


async def test_high_fees_after_refunds_alert_operators_once_a_month(database: Database):
    outcome = await opened(database)
    await record(database, outcome)
    terms = outcome.payment.terms
    account = Account(
        asked=CreatePayment(
            payment_id=terms.payment_id,
            org_id=terms.org_id,
            amount_minor=1000,
            currency="USD",
            description="",
            expires_at=terms.expires_at,
        ),
        ref=terms.payment_id,
    )
    account.pay(fee=5_000)
    account.refund(400)
    account.refund(600)
    seen = Observation(snapshot=account.snapshot(), at=outcome.payment.updated_at, revalued={})
    for booked in converge(outcome.payment, seen):
        await record(database, booked)
    async with database.platform() as session:
        (raised,) = await session.scalars(select(Alert).where(Alert.subject == terms.org_id))
    assert (raised.kind, "cost 50.00 USD in fees" in raised.detail) == ("payment.fees_high", True)
