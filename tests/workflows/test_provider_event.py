"""Inbox events reach their payment when late, early or repeated, or nobody when unknown."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from temporalio.client import WorkflowHandle

from models.billing.billing_profile import BillingProfile
from models.messages.alert import Alert
from models.tenants.audit import AuditEntry
from providers.payments.base import CredentialsRefused, ProviderRefused
from providers.payments.stripe.customers import MethodView
from repositories.payments import customer as customers, provider_event
from runtime.identity import new_id
from tests.support.histories import replay, replay_and_keep
from tests.support.inbox import Mailroom

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]


async def outcome_of(mailroom: Mailroom, event_id: str) -> str:
    handle = await mailroom.start(event_id)
    return str((await handle.result()).outcome)


async def test_event_that_names_its_payment_is_forwarded(mailroom):
    payment_id = await mailroom.payment()
    event_id = await mailroom.store(payment_id=payment_id)
    handle = await mailroom.start(event_id)
    result = await handle.result()
    assert (result.outcome, result.payment_id) == ("forwarded", payment_id)
    assert await mailroom.forwarded(payment_id) == [event_id]
    row = await mailroom.row(event_id)
    assert (row.status, row.payment_id, row.handled_at) == ("forwarded", payment_id, None)
    await replay_and_keep(await handle.fetch_history(), "provider-event/forwarded")


async def test_event_that_names_only_objects_of_the_provider_finds_its_payment(mailroom):
    ref = new_id("pi")
    payment_id = await mailroom.payment(ref=ref)
    event_id = await mailroom.store("charge.dispute.created", refs=("dp_1", ref))
    assert await outcome_of(mailroom, event_id) == "forwarded"
    assert await mailroom.forwarded(payment_id) == [event_id]


async def test_payment_of_another_provider_is_not_signalled(mailroom):
    ref = new_id("pi")
    await mailroom.payment(provider="paypal", ref=ref)
    assert await outcome_of(mailroom, await mailroom.store(refs=(ref,))) == "unmatched"


@pytest.mark.slow
async def test_payment_whose_run_has_ended_starts_again_from_the_books(mailroom):
    payment_id = await mailroom.payment()
    first, second = await mailroom.store(payment_id=payment_id), await mailroom.store(payment_id=payment_id)
    assert await outcome_of(mailroom, first) == "forwarded"
    await mailroom.of(payment_id).signal("end")
    await mailroom.of(payment_id).result()
    assert await outcome_of(mailroom, second) == "forwarded"
    assert await mailroom.forwarded(payment_id) == [second]
    assert await mailroom.of(payment_id).query("resumed") is True


async def test_pitfall_28_event_that_is_earlier_than_its_payment_waits_for_it(mailroom):
    payment_id = new_id("pay")
    event_id = await mailroom.store(payment_id=payment_id)
    handle = await mailroom.start(event_id)
    await mailroom.env.fast_forward(handle, timedelta(seconds=30))
    assert (await mailroom.row(event_id)).handled_at is None
    await mailroom.payment(payment_id)
    await mailroom.env.fast_forward(handle, timedelta(minutes=1))
    assert (await handle.result()).outcome == "forwarded"
    assert await mailroom.forwarded(payment_id) == [event_id]
    await replay(await handle.fetch_history())


@pytest.mark.slow
async def test_event_of_an_unknown_payment_is_given_up_after_ten_minutes(mailroom):
    event_id = await mailroom.store(payment_id=new_id("pay"))
    handle = await mailroom.start(event_id)
    await mailroom.env.fast_forward(handle, timedelta(minutes=9))
    assert (await mailroom.row(event_id)).handled_at is None
    await mailroom.env.fast_forward(handle, timedelta(minutes=2))
    assert (await handle.result()).outcome == "unmatched"
    row = await mailroom.row(event_id)
    assert (row.status, row.handled_at is None) == ("unmatched", False)


async def test_foreign_provider_object_is_not_awaited_and_raises_one_alert(mailroom):
    refund, change = new_id("charge.refund."), new_id("customer.subscription.")
    first, second = await mailroom.store(refund), await mailroom.store(refund)
    bill = await mailroom.store(change, refs=("sub_of_nobody", "cus_of_nobody"))
    for event_id in (first, second, bill):
        assert await outcome_of(mailroom, event_id) == "unmatched"
        assert (await mailroom.row(event_id)).handled_at is not None
    async with mailroom.database.platform() as session:
        query = select(Alert.subject, Alert.detail).where(Alert.kind == "webhook.unmatched")
        found = await session.execute(query.where(Alert.subject.in_([first, second, bill])))
        alerts = {row.subject: row.detail for row in found}
    assert set(alerts) == {first, bill}
    assert "about sub_of_nobody, cus_of_nobody, which the books do not have" in alerts[bill]


async def test_charge_of_a_customer_of_ours_that_names_no_payment_is_left_to_its_subscription(mailroom):
    _, customer = await customer_with(mailroom)
    event_id = await mailroom.store("charge.updated", refs=("ch_1", customer))
    assert await outcome_of(mailroom, event_id) == "ignored"
    async with mailroom.database.platform() as session:
        assert await session.scalar(select(Alert.id).where(Alert.subject == event_id)) is None


async def test_handled_event_is_not_forwarded_again(mailroom):
    payment_id = await mailroom.payment()
    event_id = await mailroom.store(payment_id=payment_id)
    assert await outcome_of(mailroom, event_id) == "forwarded"
    async with mailroom.database.platform() as session:
        await provider_event.mark(session, "stripe", [event_id], status="handled", payment_id=payment_id, handled=True)
    assert await outcome_of(mailroom, event_id) == "handled"
    assert await mailroom.forwarded(payment_id) == [event_id]


@pytest.mark.slow
async def test_event_handled_before_the_mark_stays_handled(mailroom):
    event_id = await mailroom.store()
    async with mailroom.database.platform() as session:
        for status, handled in (("handled", True), ("forwarded", False)):
            await provider_event.mark(session, "stripe", [event_id], status=status, payment_id=None, handled=handled)
    assert (await mailroom.row(event_id)).status == "handled"


@pytest.mark.slow
async def test_event_that_the_books_lost_ends_its_run(mailroom):
    assert await outcome_of(mailroom, "evt_of_a_lost_day") == "unmatched"


@pytest.mark.parametrize("event_type", ["payment_method.attached", "payment_method.detached"])
async def test_payment_method_is_recorded_for_its_organization(event_type, mailroom):
    org_id, customer, method = await mailroom.organization(), new_id("cus"), new_id("pm")
    async with mailroom.database.platform() as session:
        await customers.add(session, org_id, "stripe", customer)
    event_id = await mailroom.store(event_type, refs=(method, customer))
    handle = await mailroom.start(event_id)
    assert (await handle.result()).outcome == "handled"
    async with mailroom.database.tenant(org_id) as session:
        (entry,) = list(await session.scalars(select(AuditEntry).where(AuditEntry.target == method)))
    assert (entry.action, entry.principal, entry.details["event_id"]) == (event_type, "stripe", event_id)
    assert (await mailroom.row(event_id)).status == "handled"


@pytest.mark.parametrize(
    ("cards", "paid_by", "kept"),
    [
        ([("pm_1", "DE", False)], None, None),
        ([("pm_1", "DE", False), ("pm_2", "FR", False)], "FR", "FR"),
        ([("pm_1", "DE", False), ("pm_2", "FR", True)], "DE", "FR"),
        ([], None, None),
    ],
)
async def test_country_of_the_used_card_is_stored(cards, paid_by, kept, mailroom):
    org_id, customer = await customer_with(mailroom)
    mailroom.customers.cards[customer] = [card(*each) for each in cards]
    if paid_by is not None:
        mailroom.customers.paid_by[customer] = paid_by
    event_id = await mailroom.store("payment_method.attached", refs=("pm_1", customer))
    assert await outcome_of(mailroom, event_id) == "handled"
    assert await evidence(mailroom, org_id) == kept


@pytest.mark.slow
async def test_changed_default_method_is_recorded_and_other_customer_changes_are_ignored(mailroom):
    org_id, customer = await customer_with(mailroom)
    event_id = await mailroom.store("customer.updated", refs=(customer,), before={"email": "a@b.example"})
    mailroom.customers.cards[customer] = [card("pm_1", "FR", True)]
    assert await outcome_of(mailroom, event_id) == "ignored"
    assert await evidence(mailroom, org_id) is None
    before = {"invoice_settings": {"default_payment_method": None}}
    event_id = await mailroom.store("customer.updated", refs=(customer,), before=before)
    assert await outcome_of(mailroom, event_id) == "handled"
    assert await evidence(mailroom, org_id) == "FR"
    # What Stripe refuses to tell says nothing, and takes nothing back.
    mailroom.customers.errors.append(ProviderRefused("No such customer."))
    event_id = await mailroom.store("payment_method.detached", refs=("pm_1", customer))
    assert await outcome_of(mailroom, event_id) == "handled"
    assert await evidence(mailroom, org_id) == "FR"


@pytest.mark.slow
async def test_country_of_a_new_card_is_read_once_stripe_accepts_our_key_again(mailroom):
    org_id, customer = await customer_with(mailroom)
    mailroom.customers.cards[customer] = [card("pm_1", "FR", True)]
    mailroom.customers.errors.append(CredentialsRefused("The key is rejected.", code="stripe.key_refused"))
    event_id = await mailroom.store("payment_method.attached", refs=("pm_1", customer))
    assert await outcome_of(mailroom, event_id) == "handled"
    assert await evidence(mailroom, org_id) == "FR"


async def evidence(mailroom: Mailroom, org_id: str) -> str | None:
    async with mailroom.database.platform() as session:
        row = await session.get(BillingProfile, org_id)
    return None if row is None else row.card_country


def card(id: str, country: str, is_default: bool) -> MethodView:
    known = {"type": "card", "brand": "visa", "last4": "4242", "exp_month": 12, "exp_year": 2040}
    return MethodView(id=id, is_default=is_default, country=country, **known)


async def test_payment_method_of_an_unknown_customer_is_unmatched(mailroom):
    event_id = await mailroom.store("payment_method.attached", refs=("pm_1", "cus_unknown"))
    assert await outcome_of(mailroom, event_id) == "unmatched"


async def customer_with(mailroom: Mailroom, **cash: int) -> tuple[str, str]:
    """Return an organization and its customer with unused money."""
    org_id, customer = await mailroom.organization(), new_id("cus")
    async with mailroom.database.platform() as session:
        await customers.add(session, org_id, "stripe", customer)
    mailroom.customers.cash[customer] = cash
    return org_id, customer


async def alerts_of(mailroom: Mailroom, org_id: str) -> list[str]:
    async with mailroom.database.platform() as session:
        query = select(Alert.detail).where(Alert.subject == org_id, Alert.kind == "customer.unused_cash")
        return list(await session.scalars(query.order_by(Alert.id)))


async def after_a_moment(mailroom: Mailroom, event_id: str) -> WorkflowHandle[Any, Any]:
    """Run an event until received money may have been applied and the rest was read."""
    handle = await mailroom.start(event_id)
    await mailroom.env.fast_forward(handle, timedelta(minutes=2))
    assert (await handle.result()).outcome == "handled"
    return handle


async def test_unused_money_raises_one_alert(mailroom):
    org_id, customer = await customer_with(mailroom, USD=30_050, JPY=400)
    first = await mailroom.store("cash_balance.funds_available", refs=(customer,))
    second = await mailroom.store("customer_cash_balance_transaction.created", refs=("ccsbtxn_1", customer))
    handle = await after_a_moment(mailroom, first)
    await after_a_moment(mailroom, second)
    yen, dollars = await alerts_of(mailroom, org_id)
    assert yen.startswith(f"{org_id} has sent 400 JPY to stripe, as {customer}")
    assert dollars.startswith(f"{org_id} has sent 300.50 USD to stripe, as {customer}")
    assert (await mailroom.row(first)).status == (await mailroom.row(second)).status == "handled"
    await replay_and_keep(await handle.fetch_history(), "provider-event/reported")


@pytest.mark.slow
async def test_unused_money_is_read_once_stripe_accepts_our_key_again(mailroom):
    org_id, customer = await customer_with(mailroom, USD=30_050)
    mailroom.customers.errors.append(CredentialsRefused("The key is rejected.", code="stripe.key_refused"))
    await after_a_moment(mailroom, await mailroom.store("cash_balance.funds_available", refs=(customer,)))
    (dollars,) = await alerts_of(mailroom, org_id)
    assert dollars.startswith(f"{org_id} has sent 300.50 USD to stripe, as {customer}")


@pytest.mark.slow
async def test_soon_used_money_is_not_reported(mailroom):
    org_id, customer = await customer_with(mailroom, USD=300)
    handle = await mailroom.start(
        await mailroom.store("customer_cash_balance_transaction.created", refs=("ccsbtxn_2", customer))
    )
    await mailroom.env.fast_forward(handle, timedelta(seconds=30))
    mailroom.customers.cash[customer] = {}
    await mailroom.env.fast_forward(handle, timedelta(minutes=1))
    assert (await handle.result()).outcome == "handled"
    assert await alerts_of(mailroom, org_id) == []


@pytest.mark.slow
async def test_unused_money_of_unknown_amount_raises_an_alert(mailroom):
    org_id, customer = await customer_with(mailroom)
    mailroom.customers.errors.append(ProviderRefused("This customer has no cash balance."))
    event_id = await mailroom.store("cash_balance.funds_available", refs=(customer,))
    await after_a_moment(mailroom, event_id)
    (told,) = await alerts_of(mailroom, org_id)
    assert "money (This customer has no cash balance.)" in told


@pytest.mark.slow
async def test_money_of_an_unknown_customer_is_unmatched(mailroom):
    event_id = await mailroom.store("cash_balance.funds_available", refs=("cus_unknown",))
    assert await outcome_of(mailroom, event_id) == "unmatched"
