"""Every order of the adapters of Stripe, where the first answer to its key is a failure that Stripe repeats for a day.

`500_stored` is never done, `500_after_commit` is done. The next try under the same key looks, and has the effect once.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from domain.payments.payment.snapshot import DisputeEvidence, ProviderStatus
from providers.payments.base import OutcomeUnknown, ProviderUnavailable
from providers.payments.stripe.customers import StripeCustomers
from providers.payouts.base import NewAccount, NewTransfer
from providers.payouts.stripe import StripeConnect
from providers.subscriptions.base import Item
from providers.subscriptions.stripe import StripeSubscriptions
from tests.providers.harness import key
from tests.providers.stripe_harness import RETURN_URL, SandboxHarness, paid_with
from tests.providers.subscriptions.test_stripe import BEGAN, Buyer, terms

#: What is asked for, and what has come of it: a value that is true once it has had its effect once.
Order = tuple[Callable[[], Awaitable[object]], Callable[[], Awaitable[object]]]


async def buyer(sandbox: SandboxHarness) -> Buyer:
    return await Buyer(sandbox).open()


async def price(sandbox: SandboxHarness) -> Order:
    there, wanted = StripeSubscriptions(sandbox.client), terms("starter")
    made: set[str] = set()

    async def order() -> None:
        made.add(await there.price("Starter", wanted, idempotency_key="once"))

    async def seen() -> bool:
        return [each.id for each in (await sandbox.client.v1.prices.list_async({"limit": 9})).data] == list(made)

    return order, seen


async def checkout_page(sandbox: SandboxHarness) -> Order:
    one = await buyer(sandbox)
    wanted, pages = await one.new("starter"), set[str]()

    async def order() -> None:
        page = await one.there.check_out(wanted, return_url=RETURN_URL, idempotency_key="once")
        pages.add(page.ref)

    async def seen() -> bool:
        return len(pages) == 1

    return order, seen


async def closed_page(sandbox: SandboxHarness) -> Order:
    one = await buyer(sandbox)
    page = await one.there.check_out(await one.new("starter"), return_url=RETURN_URL, idempotency_key="page")

    async def seen() -> bool:
        return (await sandbox.client.v1.checkout.sessions.retrieve_async(page.ref)).status == "expired"

    return lambda: one.there.close_page(page.ref, idempotency_key="once"), seen


async def cancelled_now(sandbox: SandboxHarness) -> Order:
    one = await buyer(sandbox)
    ref = (await one.subscribe("starter")).ref

    async def seen() -> bool:
        return (await one.there.retrieve(ref)).ended_at is not None

    return lambda: one.there.cancel(ref, at_period_end=False, idempotency_key="once"), seen


async def suspended(sandbox: SandboxHarness) -> Order:
    one = await buyer(sandbox)
    ref = (await one.subscribe("starter")).ref

    async def seen() -> bool:
        return (await one.there.retrieve(ref)).cancel_at_period_end

    return lambda: one.there.cancel(ref, at_period_end=True, idempotency_key="once"), seen


async def more_seats(sandbox: SandboxHarness) -> Order:
    one = await buyer(sandbox)
    made = await one.subscribe("starter")
    wanted: dict[str, Any] = {"at": BEGAN, "quantity": 3, "held": Item(price_id=made.price_id), "most_minor": 9_999}

    async def seen() -> bool:
        now = await one.there.retrieve(made.ref)
        return now.quantity == 3 and len(now.bills) == 2

    return lambda: one.there.upgrade(made.ref, made.price_id, idempotency_key="once", **wanted), seen


async def undone_upgrade(sandbox: SandboxHarness) -> Order:
    one = await buyer(sandbox)
    made = await one.subscribe("starter")
    await one.shop.pays_by(one.customer, "pm_usBankAccount_processing")
    large = (await one.price(terms("professional"))).price_id or ""
    bill = (await one.there.upgrade(made.ref, large, at=BEGAN, idempotency_key="up")).bills[-1].ref
    held = Item(price_id=made.price_id)

    async def seen() -> bool:
        now = await one.there.retrieve(made.ref)
        return (now.price_id, now.bills[-1].state.value) == (made.price_id, "void")

    return lambda: one.there.undo(made.ref, held, bill_ref=bill, until=None, idempotency_key="once"), seen


async def customer(sandbox: SandboxHarness) -> Order:
    there = StripeCustomers(sandbox.client)

    async def seen() -> bool:
        return len((await sandbox.client.v1.customers.list_async({"limit": 9})).data) == 1

    return lambda: there.ensure("org_1", "Acme", idempotency_key="once"), seen


async def stored(sandbox: SandboxHarness) -> tuple[StripeCustomers, str, str]:
    there = StripeCustomers(sandbox.client)
    ref = await there.ensure("org_1", "Acme", idempotency_key="customer")
    return there, ref, (await sandbox.client.v1.payment_methods.attach_async("pm_card_visa", {"customer": ref})).id


async def email(sandbox: SandboxHarness) -> Order:
    there, ref, _ = await stored(sandbox)

    async def seen() -> bool:
        return (await sandbox.client.v1.customers.retrieve_async(ref)).email == "pay@acme.example"

    return lambda: there.set_email(ref, "pay@acme.example", idempotency_key="once"), seen


async def default_method(sandbox: SandboxHarness) -> Order:
    there, ref, method = await stored(sandbox)

    async def seen() -> bool:
        return (await there.methods(ref))[0].is_default

    return lambda: there.set_default(ref, method, idempotency_key="once"), seen


async def detached_method(sandbox: SandboxHarness) -> Order:
    there, ref, method = await stored(sandbox)

    async def seen() -> bool:
        return await there.methods(ref) == []

    return lambda: there.detach(ref, method, idempotency_key="once"), seen


async def setup(sandbox: SandboxHarness) -> Order:
    there, ref, _ = await stored(sandbox)
    made = set[str]()

    async def order() -> None:
        made.add((await there.setup_intent(ref, idempotency_key="once")).id)

    async def seen() -> bool:
        return len(made) == 1

    return order, seen


async def portal(sandbox: SandboxHarness) -> Order:
    there, ref, _ = await stored(sandbox)
    made = set[str]()

    async def order() -> None:
        made.add(await there.portal(ref, RETURN_URL, idempotency_key="once"))

    async def seen() -> bool:
        return len(made) == 1

    return order, seen


async def captured(sandbox: SandboxHarness) -> Order:
    held = await sandbox.pay(await sandbox.provider.create(sandbox.payment(manual_capture=True), idempotency_key=key()))

    async def seen() -> bool:
        now = await sandbox.provider.retrieve(held.ref)
        return now.status is ProviderStatus.SUCCEEDED and len(now.movements) == 1

    return lambda: sandbox.provider.capture(held.ref, sandbox.amount_minor, idempotency_key="once"), seen


async def cancelled_payment(sandbox: SandboxHarness) -> Order:
    made = await sandbox.provider.create(sandbox.payment(), idempotency_key=key())

    async def seen() -> bool:
        return (await sandbox.provider.retrieve(made.ref)).status is ProviderStatus.CANCELLED

    return lambda: sandbox.provider.cancel(made.ref, idempotency_key="once"), seen


async def evidence(sandbox: SandboxHarness) -> Order:
    paid = await paid_with(sandbox, "pm_card_createDispute")
    [dispute] = (await sandbox.provider.retrieve(paid.ref)).disputes
    written = DisputeEvidence(text="It was delivered.", final=True)

    async def seen() -> bool:
        details = (await sandbox.client.v1.disputes.retrieve_async(dispute.ref)).evidence_details
        return details.submission_count == 1

    return lambda: sandbox.provider.submit_evidence(dispute.ref, written, idempotency_key="once"), seen


async def connected(sandbox: SandboxHarness) -> tuple[StripeConnect, str]:
    there = StripeConnect(sandbox.client)
    made = await there.create_account(NewAccount(org_id="org_1", country="US"), idempotency_key="account")
    await sandbox.control("account", account=made.ref, number="000123456789")
    payment = sandbox.payment(method_ref="pm_card_bypassPending", off_session=True)
    await sandbox.provider.create(payment, idempotency_key=key())
    return there, made.ref


async def account(sandbox: SandboxHarness) -> Order:
    there, made = StripeConnect(sandbox.client), set[str]()

    async def order() -> None:
        wanted = NewAccount(org_id="org_1", country="US")
        made.add((await there.create_account(wanted, idempotency_key="once")).ref)

    async def seen() -> bool:
        return [each.id for each in (await sandbox.client.v1.accounts.list_async({"limit": 9})).data] == list(made)

    return order, seen


async def onboarding(sandbox: SandboxHarness) -> Order:
    there, ref = await connected(sandbox)
    links = set[str]()

    async def order() -> None:
        link = await there.onboard(ref, return_url=RETURN_URL, refresh_url=RETURN_URL, idempotency_key="once")
        links.add(link.url)

    async def seen() -> bool:
        return len(links) == 1

    return order, seen


async def transfer(sandbox: SandboxHarness) -> Order:
    there, ref = await connected(sandbox)
    wanted = NewTransfer(payout_id="po_1", account_ref=ref, amount_minor=1_000, currency="USD")

    async def seen() -> bool:
        return len((await sandbox.client.v1.transfers.list_async({"limit": 9})).data) == 1

    return lambda: there.transfer(wanted, idempotency_key="once"), seen


async def reversal(sandbox: SandboxHarness) -> Order:
    there, ref = await connected(sandbox)
    wanted = NewTransfer(payout_id="po_1", account_ref=ref, amount_minor=1_000, currency="USD")
    sent = (await there.transfer(wanted, idempotency_key="sent")).ref
    back: dict[str, Any] = {"reversal_id": "rev_1", "amount_minor": 400, "currency": "USD", "idempotency_key": "once"}

    async def seen() -> bool:
        return (await sandbox.client.v1.transfers.retrieve_async(sent)).amount_reversed == 400

    return lambda: there.reverse(sent, **back), seen


ORDERS = [
    *(price, checkout_page, closed_page, cancelled_now, suspended, more_seats, undone_upgrade),
    *(customer, email, default_method, detached_method, setup, portal),
    *(captured, cancelled_payment, evidence, account, onboarding, transfer, reversal),
]


@pytest.mark.parametrize("mode", ["500_stored", pytest.param("500_after_commit", marks=pytest.mark.slow)])
@pytest.mark.parametrize("prepare", ORDERS, ids=lambda each: each.__name__)
async def test_request_with_a_stored_failure_has_its_effect_once(
    sandbox: SandboxHarness, prepare: Callable[[SandboxHarness], Awaitable[Order]], mode: str
) -> None:
    order, seen = await prepare(sandbox)
    # A cancellation is a DELETE, which has no key and no answer that is kept.
    method = "DELETE" if prepare is cancelled_now else "POST"
    await sandbox.control("faults", mode=mode, method=method)
    if prepare is customer:
        await order()  # it tries again by itself
    else:
        with pytest.raises((OutcomeUnknown, ProviderUnavailable)):
            await order()
    for _ in range(2):
        await order()
        assert await seen()
