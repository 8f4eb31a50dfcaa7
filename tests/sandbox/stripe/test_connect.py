"""Connected accounts: onboarding, transfers out of the platform's balance, reversals, payouts and their events."""

import sqlite3

import pytest
import stripe

from dev.sandbox.stripe.store import Store
from tests.sandbox.stripe.receiver import receiving
from tests.sandbox.stripe.test_money_payments import pay, refused

DAY = 86_400
NUMBER, NO_ACCOUNT = "000123456789", "000111111116"


async def connected(sandbox, number=NUMBER, interval="manual"):
    """Returns an account that has been onboarded."""
    account = await sandbox.client.v1.accounts.create_async(
        {
            "type": "express",
            "country": "US",
            "capabilities": {"transfers": {"requested": True}},
            "settings": {"payouts": {"schedule": {"interval": interval}}},
        }
    )
    await sandbox.control("account", account=account.id, number=number)
    return await sandbox.client.v1.accounts.retrieve_async(account.id)


async def funded(sandbox):
    """Has 2,000 cents arrive, available, of which 88 are the fee."""
    await pay(sandbox, "pm_card_bypassPending")


async def transfer(sandbox, account, amount=1000, **more):
    params = {"amount": amount, "currency": "usd", "destination": account.id, **more}
    return await sandbox.client.v1.transfers.create_async(params)


async def available(sandbox, account=None):
    options = {} if account is None else {"stripe_account": account.id}
    balance = await sandbox.client.v1.balance.retrieve_async(options=options)
    return {each.currency: each.amount for each in balance.available}["usd"]


async def happened_to(sandbox, account):
    events = await sandbox.client.v1.events.list_async(options={"stripe_account": account.id})
    return [event.type for event in reversed(events.data)]


async def test_account_can_be_paid_once_its_person_has_been_on_the_page(stripe_sandbox):
    client, http = stripe_sandbox.client.v1, stripe_sandbox.http
    account = await client.accounts.create_async(
        {"type": "express", "email": "dev@example.com", "capabilities": {"transfers": {"requested": True}}}
    )
    assert (account.payouts_enabled, account.details_submitted) == (False, False)
    assert account.capabilities.transfers == "inactive"
    assert "external_account" in account.requirements.currently_due
    early = await refused(transfer(stripe_sandbox, account))
    assert early.code == "insufficient_capabilities_for_transfer"

    urls = {"refresh_url": "https://example.com/again", "return_url": "https://example.com/done"}
    link = await client.account_links.create_async({"account": account.id, "type": "account_onboarding", **urls})
    assert link.expires_at > link.created
    assert NO_ACCOUNT in (await http.get(link.url)).text
    wrong = await http.post(link.url, data={"number": "42"})
    assert (wrong.status_code, "Only the numbers" in wrong.text) == (402, True)
    done = await http.post(link.url, data={"number": NUMBER})
    assert (done.status_code, done.headers["location"]) == (303, urls["return_url"])
    assert (await http.post(link.url, data={"number": NUMBER})).status_code == 404
    assert (await http.get(link.url)).headers["location"] == urls["refresh_url"]

    ready = await client.accounts.retrieve_async(account.id)
    assert (ready.payouts_enabled, ready.capabilities.transfers) == (True, "active")
    assert ready.requirements.currently_due == []
    (bank,) = ready.external_accounts.data
    assert (bank.last4, bank.currency) == ("6789", "usd")
    assert "account.updated" in await happened_to(stripe_sandbox, account)
    assert (await client.accounts.login_links.create_async(account.id)).url


async def test_links_run_out_and_name_a_known_account(stripe_sandbox):
    links = stripe_sandbox.client.v1.account_links
    account = await connected(stripe_sandbox)
    params = {"type": "account_onboarding", "refresh_url": "https://a.example", "return_url": "https://b.example"}
    link = await links.create_async({"account": account.id, **params})
    await stripe_sandbox.control("clock", advance=300)
    assert (await stripe_sandbox.http.get(link.url)).headers["location"] == "https://a.example"
    assert (await refused(links.create_async({"account": "acct_none", **params}))).param == "account"


async def test_another_bank_account_has_another_fingerprint_and_is_told(stripe_sandbox):
    account = await connected(stripe_sandbox)
    await stripe_sandbox.control("account", account=account.id, number="DE89370400440532013000")
    changed = await stripe_sandbox.client.v1.accounts.retrieve_async(account.id)
    (old,), (new,) = account.external_accounts.data, changed.external_accounts.data
    assert new.fingerprint != old.fingerprint
    assert "account.external_account.deleted" in await happened_to(stripe_sandbox, account)


async def test_requirement_that_comes_later_stops_transfers_and_payouts(stripe_sandbox):
    account = await connected(stripe_sandbox)
    await stripe_sandbox.control("account", account=account.id, requirement="individual.verification.document")
    stopped = await stripe_sandbox.client.v1.accounts.retrieve_async(account.id)
    assert (stopped.payouts_enabled, stopped.capabilities.transfers) == (False, "inactive")
    assert stopped.requirements.disabled_reason == "requirements.past_due"
    rejected = await stripe_sandbox.client.v1.accounts.reject_async(account.id, {"reason": "fraud_other"})
    assert rejected.requirements.disabled_reason == "rejected.platform_fraud"


async def test_transfer_moves_available_money_once(stripe_sandbox):
    await funded(stripe_sandbox)
    account = await connected(stripe_sandbox)
    options = {"idempotency_key": "payout:1"}
    params = {"amount": 1000, "currency": "usd", "destination": account.id, "metadata": {"payout_id": "po_1"}}
    made = await stripe_sandbox.client.v1.transfers.create_async(params, options)
    again = await stripe_sandbox.client.v1.transfers.create_async(params, options)
    assert made.id == again.id
    assert (await available(stripe_sandbox), await available(stripe_sandbox, account)) == (912, 1000)
    (line,) = (await stripe_sandbox.client.v1.balance_transactions.list_async({"source": made.id})).data
    assert (line.type, line.amount, line.id) == ("transfer", -1000, made.balance_transaction)
    listed = await stripe_sandbox.client.v1.transfers.list_async({"destination": account.id})
    assert [(each.id, each.metadata["payout_id"]) for each in listed.data] == [(made.id, "po_1")]


async def test_transfer_beyond_what_is_available_is_refused(stripe_sandbox):
    account = await connected(stripe_sandbox)
    await pay(stripe_sandbox)  # pending for two days
    assert (await refused(transfer(stripe_sandbox, account))).code == "balance_insufficient"
    await stripe_sandbox.control("clock", advance=2 * DAY)
    await transfer(stripe_sandbox, account, 1912)
    assert (await refused(transfer(stripe_sandbox, account, 1))).code == "balance_insufficient"
    assert (await refused(transfer(stripe_sandbox, account, 0))).param == "amount"


async def test_reversals_never_pass_the_transfer(stripe_sandbox):
    await funded(stripe_sandbox)
    account = await connected(stripe_sandbox)
    made = await transfer(stripe_sandbox, account)
    reversals = stripe_sandbox.client.v1.transfers.reversals
    part = await reversals.create_async(made.id, {"amount": 400})
    assert (await refused(reversals.create_async(made.id, {"amount": 601}))).param == "amount"
    await reversals.create_async(made.id)
    whole = await stripe_sandbox.client.v1.transfers.retrieve_async(made.id)
    assert (whole.amount_reversed, whole.reversed) == (1000, True)
    assert (await available(stripe_sandbox), await available(stripe_sandbox, account)) == (1912, 0)
    assert (await reversals.retrieve_async(made.id, part.id)).amount == 400
    assert len((await reversals.list_async(made.id)).data) == 2


async def test_reversal_is_refused_when_the_account_has_paid_the_money_out(stripe_sandbox):
    await funded(stripe_sandbox)
    account = await connected(stripe_sandbox)
    made = await transfer(stripe_sandbox, account)
    options = {"stripe_account": account.id}
    await stripe_sandbox.client.v1.payouts.create_async({"amount": 700, "currency": "usd"}, options)
    error = await refused(stripe_sandbox.client.v1.transfers.reversals.create_async(made.id, {"amount": 301}))
    assert error.code == "balance_insufficient"
    assert (await stripe_sandbox.client.v1.transfers.retrieve_async(made.id)).amount_reversed == 0


@pytest.mark.parametrize(("number", "status", "left"), [(NUMBER, "paid", 0), (NO_ACCOUNT, "failed", 1000)])
async def test_payout_ends_as_its_bank_account_says(stripe_sandbox, number, status, left):
    await funded(stripe_sandbox)
    account = await connected(stripe_sandbox, number, "daily")
    await transfer(stripe_sandbox, account)
    await stripe_sandbox.control("clock", advance=3 * DAY)
    options = {"stripe_account": account.id}
    (payout,) = (await stripe_sandbox.client.v1.payouts.list_async(options=options)).data
    assert (payout.status, payout.automatic, payout.amount) == (status, True, 1000)
    assert await available(stripe_sandbox, account) == left
    assert f"payout.{status}" in await happened_to(stripe_sandbox, account)
    after = await stripe_sandbox.client.v1.accounts.retrieve_async(account.id)
    assert after.payouts_enabled is (status == "paid")


async def test_payout_of_more_than_there_is_and_of_the_platform_are_refused(stripe_sandbox):
    await funded(stripe_sandbox)
    account = await connected(stripe_sandbox)
    payouts, params = stripe_sandbox.client.v1.payouts, {"amount": 1, "currency": "usd"}
    error = await refused(payouts.create_async(params, {"stripe_account": account.id}))
    assert error.code == "balance_insufficient"
    assert (await refused(payouts.create_async(params))).param == "currency"
    await transfer(stripe_sandbox, account)
    made = await payouts.create_async(params, {"stripe_account": account.id})
    assert (await payouts.cancel_async(made.id, options={"stripe_account": account.id})).status == "canceled"
    assert await available(stripe_sandbox, account) == 1000


async def test_accounts_see_their_own_and_are_kept_apart(stripe_sandbox):
    await funded(stripe_sandbox)
    one, other = await connected(stripe_sandbox), await connected(stripe_sandbox)
    await transfer(stripe_sandbox, one)
    assert (await available(stripe_sandbox, one), await available(stripe_sandbox, other)) == (1000, 0)
    options = {"stripe_account": one.id}
    made = await stripe_sandbox.client.v1.payouts.create_async({"amount": 1, "currency": "usd"}, options)
    foreign = stripe_sandbox.client.v1.payouts.retrieve_async(made.id, options={"stripe_account": other.id})
    assert (await refused(foreign)).code == "resource_missing"
    with pytest.raises(stripe.PermissionError):
        await stripe_sandbox.client.v1.balance.retrieve_async(options={"stripe_account": "acct_none"})
    answer = await stripe_sandbox.raw("GET", "/v1/customers", Stripe_Account=one.id)
    assert answer.status_code == 501


async def test_endpoint_hears_of_the_platform_or_of_its_accounts(stripe_sandbox):
    async with receiving(stripe_sandbox.client, connect=True) as accounts, receiving(stripe_sandbox.client) as platform:
        await funded(stripe_sandbox)
        account = await connected(stripe_sandbox)
        await transfer(stripe_sandbox, account)
        await stripe_sandbox.control("webhooks/flush")
    assert {event.account for event in accounts.events} == {account.id}
    assert "account.updated" in accounts.types
    assert "transfer.created" in platform.types
    assert "account.updated" not in platform.types


def test_state_from_before_there_were_accounts_is_read(tmp_path):
    old = sqlite3.connect(tmp_path / "old.sqlite")
    old.execute(
        "CREATE TABLE objects (seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, id TEXT NOT NULL UNIQUE,"
        " created INTEGER NOT NULL, body TEXT NOT NULL)"
    )
    old.execute("""INSERT INTO objects (kind, id, created, body) VALUES ('customer', 'cus_1', 0, '{"id": "cus_1"}')""")
    old.commit()
    store = Store(tmp_path / "old.sqlite")
    assert store.get("customer", "cus_1") == {"id": "cus_1"}
    with store.within("acct_1"):
        assert store.get("customer", "cus_1") is None
    store.close()
