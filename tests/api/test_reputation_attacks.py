"""Refunded and charged back money gives no evidence, and its evidence cannot be given again."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import httpx2
import pytest
from temporalio.testing import ActivityEnvironment

from activities.payments.payment import PaymentActivities
from api.v1.escrows.commands import terms_of
from contracts.payments.payment import PaymentEvent, RecordedPayment
from domain.common import accounts
from domain.common.access import Actor, Role
from domain.common.money import CREDIT, parse_amount
from domain.escrow import commands
from domain.payments.payment.converge import Observation, converge
from domain.payments.payment.purposes.escrow import fulfilled, fulfilment_started
from domain.payments.payment.terms import Purpose, PurposeKind
from ledger.gateway import Ledger
from models.billing.invoice import InvoiceRow
from repositories.escrow import contract as contracts
from repositories.reputation import reputation_recalls as recalls
from runtime.database import Database, driver_connection
from runtime.identity import new_id
from services.billing import invoice_end
from services.reputation import reputation
from services.reputation.reputation import recompute_stale
from tests.api import escrowing
from tests.api.conftest import Caller, NewTenant, Tenant, good, new_key, refused
from tests.api.invoicing import pay
from tests.api.paying import NOW, Written
from tests.api.test_reputation import buy, deliver, parties, score_of, settle, site, work
from tests.api.test_reputation_levels import strangers, without_levels
from tests.conftest import DatabaseUrls
from tests.domain.subscription.building import bill, month, seen, unpaid
from tests.support.connections import as_owner
from tests.support.locks import somebody_waits
from tests.support.mirrored_bills import KIM, Mirrored
from tests.support.runs import payment_message
from tests.support.subscription_books import subscribed

pytestmark = pytest.mark.db

__all__ = ["parties", "site", "strangers"]

FIVE = dict.fromkeys(("task_success", "quality", "reliability", "response_time", "collaboration"), 5)
Parties = tuple[Tenant, Tenant]


async def given_back(
    database: Database, contract_id: str, studio: Tenant, *, cancels: bool = False, amount: int | None = None
) -> None:
    """Refund the amount that the escrow holds, or a part of it, as the payee."""
    worker, now = Actor(principal="studio", role=Role.OWNER, org_id=studio.org_id), datetime.now(UTC)
    async with database.platform() as session:
        escrow_id = terms_of(await contracts.get(session, contract_id)).escrow_id
    held = await escrowing.state(database, escrow_id)
    done = (
        commands.cancel(held, actor=worker, reason=None)
        if cancels
        else commands.refund(held, actor=worker, amount_minor=amount)
    )
    await escrowing.write(database, done, at=now)


async def delivered(database: Database, contract_id: str, studio: Tenant) -> str:
    """Deliver as the payee, and return the contract's id."""
    worker, now = Actor(principal="studio", role=Role.OWNER, org_id=studio.org_id), datetime.now(UTC)
    async with database.platform() as session:
        escrow_id = terms_of(await contracts.get(session, contract_id)).escrow_id
    held = await escrowing.state(database, escrow_id)
    done = commands.deliver(held, actor=worker, artifacts=(), note="x", milestone=None, now=now)
    await escrowing.write(database, done, at=now)
    return contract_id


async def judged(database: Database, contract_id: str) -> None:
    """Approve the delivery as a validator, which releases the held amount."""
    async with database.platform() as session:
        escrow_id = terms_of(await contracts.get(session, contract_id)).escrow_id
    judge = Actor(principal="validator", role=Role.VALIDATOR)
    held = await escrowing.state(database, escrow_id)
    done = commands.validate(held, actor=judge, score_e4=10_000, note=None, now=datetime.now(UTC))
    await escrowing.write(database, done, at=datetime.now(UTC))


async def evidence_of(caller: Caller, tenant: Tenant) -> int:
    return int((await score_of(caller, tenant.agent_id))["evidence_count"])


async def test_chargeback_voids_evidence_of_its_credits_also_after_transfers_of_others(
    operator: Caller, database: Database, parties: Parties
) -> None:
    client, studio = parties
    bought = await buy(database, client)
    await work(operator, database, client, studio, at=datetime.now(UTC))
    for _ in range(2):
        again = await work(operator, database, client, client, at=datetime.now(UTC), score=None)
        await given_back(database, again, client, cancels=True)
    assert await evidence_of(client.owner, studio) == 3
    bought.there.dispute()
    await bought.look()
    assert await evidence_of(client.owner, studio) == 0


async def test_charged_back_bill_of_a_subscription_voids_evidence_of_its_credits_until_it_is_won(
    operator: Caller, database: Database, parties: Parties
) -> None:
    client, studio = parties
    one = await subscribed(database, org_id=client.org_id)
    await one.look(seen(bill(0, 2_900, month(0))))
    paid = await Mirrored.of(one)
    await work(operator, database, client, studio, at=datetime.now(UTC))
    assert await evidence_of(client.owner, studio) == 3
    ref = paid.there.dispute()
    await paid.look()
    assert await evidence_of(client.owner, studio) == 0
    paid.there.close_dispute(ref, won=True)
    await paid.look()
    assert await evidence_of(client.owner, studio) == 3
    lost = paid.there.dispute(1_000)
    paid.there.close_dispute(lost, won=False)
    await paid.look()
    # The rest of the bill pays for more credits than the escrow had.
    assert await evidence_of(client.owner, studio) == 3
    paid.there.dispute(1_900)
    await paid.look()
    assert await evidence_of(client.owner, studio) == 0


async def test_evidence_follows_the_payment_that_paid_a_bill_in_the_end(
    operator: Caller, database: Database, parties: Parties
) -> None:
    client, studio = parties
    one = await subscribed(database, org_id=client.org_id)
    await one.look(seen(bill(0, 2_900, month(0))))
    paid = await Mirrored.of(one)
    await work(operator, database, client, studio, at=datetime.now(UTC))
    (issued,) = await one.rows(InvoiceRow)
    paid.there.close_dispute(paid.there.dispute(), won=False)
    await paid.look()
    assert await evidence_of(client.owner, studio) == 0
    invoice = {"id": issued.id, "currency": "USD", "organization_id": client.org_id}
    again = await pay(database, invoice, 2_900)
    assert (await one.rows(InvoiceRow))[0].status == "paid"
    assert await evidence_of(client.owner, studio) == 3
    again.there.dispute()
    await again.look()
    assert await evidence_of(client.owner, studio) == 0


async def test_credits_of_a_bill_that_is_given_up_are_taken_and_give_no_evidence(
    operator: Caller, database: Database, parties: Parties
) -> None:
    client, studio = parties
    one = await subscribed(database, net_days=30, org_id=client.org_id)
    await one.look(seen(unpaid(0, 2_900, month(0))))
    # An operator has marked it as paid at the provider, and no payment came.
    await one.look(seen(replace(bill(0, 2_900, month(0)), payment_ref="")))
    await work(operator, database, client, studio, at=datetime.now(UTC))
    assert await evidence_of(client.owner, studio) == 3
    (issued,) = await one.rows(InvoiceRow)
    async with database.platform() as session:
        await invoice_end.mark_uncollectible(session, KIM, issued.id, new_key(), datetime.now(UTC))
    await reputation.recompute_stale(database, limit=100)
    assert await evidence_of(client.owner, studio) == 0
    assert good(await client.owner.get("/credits/balance"))["available"] == "0.00"


async def test_credits_that_no_escrow_kept_are_taken_first(
    operator: Caller, database: Database, parties: Parties
) -> None:
    client, studio = parties
    bought = await buy(database, client)
    again = await work(operator, database, client, studio, at=datetime.now(UTC), score=None)
    await given_back(database, again, studio, cancels=True)
    await work(operator, database, client, studio, at=datetime.now(UTC))
    earned = await score_of(client.owner, studio.agent_id)
    bought.there.refund(400)
    await bought.look()
    assert await score_of(client.owner, studio.agent_id) == earned


async def test_refund_voids_good_evidence_and_no_bad_evidence(
    operator: Caller, database: Database, parties: Parties
) -> None:
    client, studio = parties
    bought = await buy(database, client)
    now = datetime.now(UTC)
    failed = await work(operator, database, client, studio, at=now, score=None)
    await given_back(database, await delivered(database, failed, studio), studio)
    blame = {"contract_id": failed, "ratings": dict.fromkeys(FIVE, 1)}
    good(await client.owner.post("/reputation/feedback", blame), 201)
    blamed = await score_of(client.owner, studio.agent_id)
    assert blamed["evidence_count"] == 2
    praised = await work(operator, database, client, studio, at=now)
    assert await evidence_of(client.owner, studio) == 5
    bought.there.refund(1_000)
    await bought.look()
    assert await score_of(client.owner, studio.agent_id) == blamed
    # Evidence given while the money is charged back counts in the same way.
    given = {"contract_id": praised, "ratings": FIVE}
    rated = good(await client.owner.post("/reputation/feedback", given), 201)
    assert await score_of(client.owner, studio.agent_id) == blamed
    change = {"ratings": dict.fromkeys(FIVE, 1)}
    good(await client.owner.ask("PUT", f"/reputation/feedback/{rated['id']}", json=change))
    assert await evidence_of(client.owner, studio) == 3


async def test_chargeback_voids_bad_evidence_until_it_is_won(
    operator: Caller, database: Database, parties: Parties
) -> None:
    client, studio = parties
    bought = await buy(database, client)
    failed = await work(operator, database, client, studio, at=datetime.now(UTC), score=None)
    await given_back(database, await delivered(database, failed, studio), studio)
    blamed = (await score_of(client.owner, studio.agent_id))["overall_score"]
    newcomer = 5.0
    assert blamed < newcomer
    ref = bought.there.dispute()
    await bought.look()
    assert (await score_of(client.owner, studio.agent_id))["overall_score"] == newcomer
    bought.there.close_dispute(ref, won=True)
    await bought.look()
    assert (await score_of(client.owner, studio.agent_id))["overall_score"] == blamed
    bought.there.refund(1_000)
    await bought.look()
    assert (await score_of(client.owner, studio.agent_id))["overall_score"] == blamed
    # A bank that does not care what was refunded takes it along, and brings it back.
    ref = bought.there.dispute(beyond=True)
    await bought.look()
    assert (await score_of(client.owner, studio.agent_id))["overall_score"] == newcomer
    bought.there.close_dispute(ref, won=True)
    await bought.look()
    assert (await score_of(client.owner, studio.agent_id))["overall_score"] == blamed


async def test_discount_that_takes_the_whole_commission_hides_no_refund(
    operator: Caller, database: Database, parties: Parties
) -> None:
    client, studio = parties
    await buy(database, client)
    priced = {
        "json": {"pricing": {"model": "one_time", "amount": "50", "currency": "CREDIT"}},
        "headers": {"If-Match": "*"},
    }
    good(await studio.owner.ask("PATCH", f"/agents/{studio.agent_id}", **priced))
    terms = {"type": "tier", "tier": "free", "multiplier": "0.80"}
    rule = {"name": "free", "priority": 1, "agent_id": studio.agent_id, "terms": terms}
    made = good(await operator.post("/pricing/rules", rule), 201)["id"]

    async def deal() -> str:
        asked = {"organization_id": client.org_id}
        quote = good(await operator.post(f"/payments/pricing/{studio.agent_id}/quotes", asked), 201)
        assert (quote["adjusted_price"], quote["commission_bps"]) == ("47.50", 0)
        quoted = {"price": None, "quote_id": quote["id"]}
        return str(await work(operator, database, client, studio, at=datetime.now(UTC), score=None, **quoted))

    try:
        await judged(database, await delivered(database, await deal(), studio))
        before = await score_of(client.owner, studio.agent_id)
        assert before["evidence_count"] == 0
        await given_back(database, await delivered(database, await deal(), studio), studio)
    finally:
        good(await operator.delete(f"/pricing/rules/{made}"))
    after = await score_of(client.owner, studio.agent_id)
    assert after["evidence_count"] == 1
    assert float(after["overall_score"]) < float(before["overall_score"])


async def test_level_without_a_commission_hides_no_refund(
    operator: Caller,
    database: Database,
    database_urls: DatabaseUrls,
    parties: Parties,
    strangers: httpx2.AsyncClient,
) -> None:
    client, studio = parties
    # If one operator created both, a level waives nothing between them.
    boss = replace(operator, http=strangers)
    await buy(database, client)
    free = {"levels": [{"name": "best", "commission_bps": 0}]}
    good(await operator.ask("PUT", "/reputation/levels", json=free))
    try:
        paid = await work(boss, database, client, studio, at=datetime.now(UTC), score=None)
        await judged(database, await delivered(database, paid, studio))
        before = await score_of(client.owner, studio.agent_id)
        assert before["evidence_count"] == 0
        failed = await work(boss, database, client, studio, at=datetime.now(UTC), score=None)
        assert good(await client.owner.get(f"/contracts/{failed}"))["commission_bps"] == 0
        await given_back(database, await delivered(database, failed, studio), studio)
    finally:
        await without_levels(database_urls)
    after = await score_of(client.owner, studio.agent_id)
    assert after["evidence_count"] == 1
    assert after["overall_score"] < before["overall_score"]


async def test_praise_of_partly_refunded_work_weighs_by_the_amount_paid(
    operator: Caller, database: Database, parties: Parties
) -> None:
    client, studio = parties
    await buy(database, client)
    now = datetime.now(UTC)
    parts = [{"name": "a", "amount": "0.01"}, {"name": "b", "amount": "99.99"}]
    contract_id = await work(operator, database, client, studio, at=now, score=None, price="100", milestones=parts)
    await deliver(database, contract_id, studio, at=now, score=10_000)
    await given_back(database, contract_id, studio)
    before = (await score_of(client.owner, studio.agent_id))["overall_score"]
    given = {"contract_id": contract_id, "ratings": FIVE}
    made = good(await client.owner.post("/reputation/feedback", given), 201)
    praised = (await score_of(client.owner, studio.agent_id))["overall_score"]
    assert 0 <= praised - before < 0.01
    # Bad evidence weighs in full: clients can still rate the work as worthless.
    blame = {"ratings": dict.fromkeys(FIVE, 1)}
    good(await client.owner.ask("PUT", f"/reputation/feedback/{made['id']}", json=blame))
    assert (await score_of(client.owner, studio.agent_id))["overall_score"] < before - 0.1


async def test_blame_of_work_that_was_nearly_refunded_before_its_release_weighs_in_full(
    operator: Caller, database: Database, parties: Parties
) -> None:
    client, studio = parties
    await buy(database, client)
    now = datetime.now(UTC)
    contract_id = await work(operator, database, client, studio, at=now, score=None)
    await deliver(database, contract_id, studio, at=now, score=0)
    await given_back(database, contract_id, studio, amount=49_990_000)
    await judged(database, contract_id)
    before = (await score_of(client.owner, studio.agent_id))["overall_score"]
    blame = {"contract_id": contract_id, "ratings": dict.fromkeys(FIVE, 1)}
    good(await client.owner.post("/reputation/feedback", blame), 201)
    assert (await score_of(client.owner, studio.agent_id))["overall_score"] < before - 0.1


async def test_feedback_that_an_operator_has_voided_is_not_changed(
    operator: Caller, database: Database, parties: Parties
) -> None:
    client, studio = parties
    contract_id = await settle(operator, database, client, studio, at=datetime.now(UTC))
    given = {"contract_id": contract_id, "ratings": {"quality": 1}}
    made = good(await client.owner.post("/reputation/feedback", given), 201)
    good(await operator.post(f"/reputation/events/{made['event_id']}/void", {"reason": "Extortion."}))
    before = await score_of(client.owner, studio.agent_id)
    change = {"ratings": dict.fromkeys(FIVE, 1)}
    answer = await client.owner.ask("PUT", f"/reputation/feedback/{made['id']}", json=change)
    refused(answer, 409, "reputation.window_closed")
    assert await score_of(client.owner, studio.agent_id) == before


async def test_suspended_organization_rates_nobody_and_is_rated(
    operator: Caller, database: Database, parties: Parties
) -> None:
    client, studio = parties
    contract_id = await settle(operator, database, client, studio, at=datetime.now(UTC))
    another = await settle(operator, database, client, studio, at=datetime.now(UTC))
    given = {"contract_id": contract_id, "ratings": {"quality": 5}}
    made = good(await client.owner.post("/reputation/feedback", given), 201)
    before = await score_of(operator, studio.agent_id)
    blame = {"ratings": dict.fromkeys(FIVE, 1)}
    good(await operator.post(f"/organizations/{client.org_id}/suspend", {"reason": "A look at it"}))
    change = await client.owner.ask("PUT", f"/reputation/feedback/{made['id']}", json=blame)
    refused(change, 403, "organization.suspended")
    refused(
        await client.owner.post("/reputation/feedback", {"contract_id": another, **blame}),
        403,
        "organization.suspended",
    )
    assert await score_of(operator, studio.agent_id) == before
    good(await operator.post(f"/organizations/{client.org_id}/resume", {"reason": "Looked at"}))
    good(await operator.post(f"/organizations/{studio.org_id}/suspend", {"reason": "A look at it"}))
    good(await client.owner.post("/reputation/feedback", {"contract_id": another, **blame}), 201)


async def test_change_of_feedback_waits_for_a_concurrent_refund(
    operator: Caller, database: Database, parties: Parties
) -> None:
    client, studio = parties
    bought = await buy(database, client)
    contract_id = await work(operator, database, client, studio, at=datetime.now(UTC))
    given = {"contract_id": contract_id, "ratings": {"quality": 5}}
    made = good(await client.owner.post("/reputation/feedback", given), 201)
    async with database.platform() as session:
        connection = await driver_connection(session)
        escrow_id = terms_of(await contracts.get(session, contract_id)).escrow_id
        await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"reputation:{escrow_id}")
        change = client.owner.ask("PUT", f"/reputation/feedback/{made['id']}", json={"ratings": {"quality": 4}})
        async with asyncio.TaskGroup() as group:
            changed = group.create_task(change)
            await somebody_waits(database)
            await recalls.recall(connection, bought.terms.payment_id, [escrow_id])
            await session.commit()
    assert good(changed.result())["ratings"] == {"quality": 4}
    await recompute_stale(database, limit=10)
    assert await evidence_of(client.owner, studio) == 0


async def test_scores_are_recomputed_by_the_attempt_after_a_crash(
    operator: Caller, database: Database, parties: Parties, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, studio = parties
    bought = await buy(database, client)
    await work(operator, database, client, studio, at=datetime.now(UTC))
    assert bought.payment is not None
    bought.there.dispute()
    seen = Observation(snapshot=bought.there.snapshot(), at=NOW, revalued={})
    events = (PaymentEvent.of(outcome, at=NOW, command_id=None) for outcome in converge(bought.payment, seen))
    message = await payment_message(database, *events, at=NOW)
    record = PaymentActivities(database).record

    async def attempt() -> RecordedPayment:
        environment = ActivityEnvironment()
        environment.info = replace(environment.info, is_local=True)
        return await environment.run(record, message)

    async def dies(*_: object, **__: object) -> int:
        raise ConnectionError

    with monkeypatch.context() as patched:
        patched.setattr(reputation, "recompute_stale", dies)
        with pytest.raises(ConnectionError):
            await attempt()
    assert await evidence_of(client.owner, studio) == 3
    assert not (await attempt()).applied
    assert await evidence_of(client.owner, studio) == 0


async def test_money_that_returned_before_scores_were_recomputed_counts_once(
    operator: Caller, database: Database, parties: Parties
) -> None:
    client, studio = parties
    bought = await buy(database, client)
    contract_id = await work(operator, database, client, studio, at=datetime.now(UTC))
    earned = await score_of(client.owner, studio.agent_id)
    async with database.platform() as session:
        connection = await driver_connection(session)
        escrow_id = terms_of(await contracts.get(session, contract_id)).escrow_id
        # As where the worker dies between the payment's transaction and the scores.
        await recalls.recall(connection, bought.terms.payment_id, [escrow_id])
    async with database.platform() as session:
        connection = await driver_connection(session)
        for event_id in await recalls.recall(connection, bought.terms.payment_id, []):
            await recalls.restore_event(connection, event_id, new_id("rev"), at=datetime.now(UTC))
    again = await score_of(client.owner, studio.agent_id)
    assert (again["overall_score"], again["evidence_count"]) == (earned["overall_score"], 3)


async def test_client_that_states_one_tax_id_after_the_other_stays_one_counterparty(
    operator: Caller, database: Database, database_urls: DatabaseUrls, parties: Parties, new_tenant: NewTenant
) -> None:
    first, studio = parties
    # Made before the client, so that their ids come first.
    shells = [await new_tenant("owner") for _ in range(2)]
    client = (await new_tenant("owner")).through(first.owner.http)
    stated = "INSERT INTO billing_profiles (org_id, vat_id, updated_by) VALUES ($1, $2, 'test')"
    anew = f"{stated} ON CONFLICT (org_id) DO UPDATE SET vat_id = excluded.vat_id"
    for each in shells:
        await as_owner(database_urls, stated, each.org_id, f"X {each.org_id}")
    for shell in (None, *shells):
        if shell is not None:
            await as_owner(database_urls, anew, client.org_id, f"X {shell.org_id}")
        for _ in range(2):
            await settle(operator, database, client, studio, at=datetime.now(UTC))
    async with database.platform() as session:
        connection = await driver_connection(session)
        found = await connection.fetch(
            "SELECT counterparty FROM reputation_given WHERE agent_id = $1 AND dimension = 'quality'", studio.agent_id
        )
    assert [row["counterparty"] for row in found] == [client.org_id]


async def into_balance(database: Database, payer: Tenant) -> Written:
    """Pay 50 dollars into the payer's balance."""
    money = Purpose(kind=PurposeKind.BALANCE, goods_asset="USD", goods_minor=5_000)
    paid = await Written(database, payer.org_id, amount_minor=5_000, purpose=money).begin()
    paid.there.pay()
    return await paid.look()


async def work_for_cash(operator: Caller, database: Database, payer: Tenant, payee: Tenant) -> None:
    now = datetime.now(UTC)
    await work(operator, database, payer, payee, at=now, source=commands.BALANCE, currency="USD")


async def test_chargeback_of_money_in_a_balance_voids_evidence_of_the_balance_until_it_is_won(
    operator: Caller, database: Database, parties: Parties
) -> None:
    client, studio = parties
    paid = await into_balance(database, client)
    await work_for_cash(operator, database, client, studio)
    assert await evidence_of(client.owner, studio) == 3
    ref = paid.there.dispute()
    await paid.look()
    assert await evidence_of(client.owner, studio) == 0
    paid.there.close_dispute(ref, won=True)
    await paid.look()
    assert await evidence_of(client.owner, studio) == 3


async def test_chargebacks_of_a_balance_void_evidence_by_the_debt_for_money_of_any_origin(
    operator: Caller, database: Database, parties: Parties
) -> None:
    client, studio = parties
    first = await into_balance(database, client)
    await work_for_cash(operator, database, client, studio)
    second, third = await into_balance(database, client), await into_balance(database, client)
    # The amount that the balance can refund has paid for no work.
    first.there.dispute()
    await first.look()
    assert await evidence_of(client.owner, studio) == 3
    await work_for_cash(operator, database, client, studio)
    assert await evidence_of(client.owner, studio) == 6
    for each, left in ((second, 3), (third, 0)):
        each.there.dispute()
        await each.look()
        assert await evidence_of(client.owner, studio) == left


@pytest.mark.parametrize("currency", ["USD", "CREDIT"])
async def test_chargeback_follows_money_refunded_by_an_escrow_to_the_next_one(
    operator: Caller, database: Database, parties: Parties, currency: str
) -> None:
    client, studio = parties
    now = datetime.now(UTC)
    contract_id = await escrowing.contract_between(
        operator, client, studio, price="50", currency=currency, signatories=["procurement"]
    )
    async with database.platform() as session:
        agreed = terms_of(await contracts.get(session, contract_id))
    buyer = Actor(principal="procurement", role=Role.OWNER, org_id=client.org_id)
    await escrowing.write(database, commands.opened(agreed, actor=buyer, now=now), at=now)
    money = Purpose(
        kind=PurposeKind.ESCROW,
        goods_asset=currency,
        goods_minor=agreed.amount_minor,
        escrow_id=agreed.escrow_id,
        contract_id=contract_id,
    )
    paid = await Written(database, client.org_id, amount_minor=5_000, purpose=money).begin()
    paid.there.pay()
    await paid.look()
    assert paid.payment is not None
    await paid._write(fulfilment_started(paid.payment, at=now))
    platform = Actor(principal="payments", role=Role.OPERATOR)
    source = commands.payment_source(paid.terms.payment_id)
    held = await escrowing.state(database, agreed.escrow_id)
    funding = commands.fund(held, actor=platform, source=source, now=now, amount_minor=agreed.amount_minor)
    await escrowing.write(database, funding, at=now)
    await paid._write(fulfilled(paid.payment, at=now))
    await given_back(database, contract_id, studio, cancels=True)
    if currency == "USD":
        await work_for_cash(operator, database, client, studio)
    else:
        await work(operator, database, client, studio, at=now)
    assert await evidence_of(client.owner, studio) == 3
    paid.there.dispute()
    await paid.look()
    assert await evidence_of(client.owner, studio) == 0


async def test_chargeback_voids_evidence_of_agents_paid_by_its_payee_until_it_is_won(
    operator: Caller, database: Database, parties: Parties, new_tenant: NewTenant
) -> None:
    (client, studio), last = parties, await new_tenant("owner", "agent")
    bought = await buy(database, client)
    await work(operator, database, client, studio, at=datetime.now(UTC))
    converted = {"agent_id": studio.agent_id, "kind": "paid"}
    good(await studio.owner.post("/credits/earnings/conversions", converted, key=new_key()), 201)
    await work(operator, database, studio, last, at=datetime.now(UTC), price="40")
    assert await evidence_of(client.owner, studio) == 3
    assert (await score_of(operator, last.agent_id))["evidence_count"] == 3
    ref = bought.there.dispute()
    await bought.look()
    assert (await score_of(operator, last.agent_id))["evidence_count"] == 0
    bought.there.close_dispute(ref, won=True)
    await bought.look()
    assert await evidence_of(client.owner, studio) == 3
    assert (await score_of(operator, last.agent_id))["evidence_count"] == 3


async def test_chargeback_voids_evidence_of_agents_paid_with_a_sellers_sales_until_it_is_won(
    operator: Caller, database: Database, parties: Parties, new_tenant: NewTenant
) -> None:
    (client, studio), last = parties, await new_tenant("owner", "agent")
    bought = await buy(database, client)
    sold = accounts.agent_earnings(studio.agent_id, CREDIT, studio.org_id)
    async with database.platform() as session:
        await Ledger(await driver_connection(session)).post(
            key=f"test:{new_key()}",
            kind="test.sale",
            source=accounts.org_credits(client.org_id),
            destination=sold,
            amount_minor=parse_amount("50", CREDIT),
            effective_at=datetime.now(UTC),
        )
    converted = {"agent_id": studio.agent_id, "kind": "paid"}
    good(await studio.owner.post("/credits/earnings/conversions", converted, key=new_key()), 201)
    await work(operator, database, studio, last, at=datetime.now(UTC), price="40")
    assert (await score_of(operator, last.agent_id))["evidence_count"] == 3
    ref = bought.there.dispute()
    await bought.look()
    assert (await score_of(operator, last.agent_id))["evidence_count"] == 0
    bought.there.close_dispute(ref, won=True)
    await bought.look()
    assert (await score_of(operator, last.agent_id))["evidence_count"] == 3


async def test_operator_voids_permanently_evidence_voided_by_a_charged_back_bill(
    operator: Caller, database: Database, parties: Parties
) -> None:
    client, studio = parties
    one = await subscribed(database, org_id=client.org_id)
    await one.look(seen(bill(0, 2_900, month(0))))
    paid = await Mirrored.of(one)
    await work(operator, database, client, studio, at=datetime.now(UTC))
    ref = paid.there.dispute()
    await paid.look()
    events = good(await operator.get(f"/reputation/score/{studio.agent_id}/explanation"))["events"]
    assert {event["void_reason"] for event in events} == {"The money behind it went back."}
    path = f"/reputation/events/{events[0]['id']}/void"
    assert good(await operator.post(path, {"reason": "Farmed."}))["void_reason"] == "Farmed."
    paid.there.close_dispute(ref, won=True)
    await paid.look()
    assert await evidence_of(client.owner, studio) == 2
