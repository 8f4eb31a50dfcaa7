"""The adapter of Stripe Connect against the sandbox: accounts, transfers that are found again, reversals."""

import dataclasses
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import stripe

from domain.payments.payment.snapshot import BalanceTransactionKind
from providers.payments.base import OutcomeUnknown, ProviderNotFound, ProviderRefused
from providers.payouts.base import AccountSnapshot, BalanceShort, NewAccount, NewTransfer
from providers.payouts.stripe import StripeConnect
from runtime.identity import new_id
from tests.providers.harness import key
from tests.providers.stripe_harness import SECRETS, SandboxHarness, signed

NO_ACCOUNT = "000111111116"


@pytest.fixture
def connect(sandbox: SandboxHarness) -> StripeConnect:
    return StripeConnect(sandbox.client)


async def onboarded(sandbox, connect, number="000123456789"):
    made = await connect.create_account(NewAccount(org_id="org_1", country="US"), idempotency_key=key())
    await sandbox.control("account", account=made.ref, number=number)
    return await connect.retrieve_account(made.ref)


async def funded(sandbox, amount_minor=5000):
    """Adds immediately available money."""
    await sandbox.provider.create(
        sandbox.payment(amount_minor=amount_minor, method_ref="pm_card_bypassPending", off_session=True),
        idempotency_key=key(),
    )


def asked(account, amount_minor=1000):
    return NewTransfer(payout_id=new_id("po"), account_ref=account.ref, amount_minor=amount_minor, currency="USD")


async def test_account_has_requirements_and_destination(sandbox, connect):
    options = {"idempotency_key": key()}
    wanted = NewAccount(org_id="org_1", country="US", email="owner@example.com")
    made = await connect.create_account(wanted, **options)
    assert made.ref == (await connect.create_account(wanted, **options)).ref
    assert (made.org_id, made.transfers_enabled, made.payouts_enabled, made.destination) == (
        "org_1",
        False,
        False,
        None,
    )
    assert "external_account" in made.requirements_due
    urls = {"return_url": "https://a.example", "refresh_url": "https://b.example"}
    link = await connect.onboard(made.ref, **urls, idempotency_key=key())
    assert link.expires_at > datetime.now(UTC)
    assert link.url.startswith("http")

    await sandbox.control("account", account=made.ref, number="000123456789")
    ready = await connect.retrieve_account(made.ref)
    assert (ready.transfers_enabled, ready.payouts_enabled, ready.requirements_due) == (True, True, ())
    assert (ready.destination_last4, ready.currency) == ("6789", "USD")
    await sandbox.control("account", account=made.ref, number="DE89370400440532013000")
    moved = await connect.retrieve_account(made.ref)
    assert moved.destination != ready.destination
    with pytest.raises(ProviderRefused):
        await connect.retrieve_account("acct_none")


def bank(id: str, currency: str, *, default: bool = True) -> dict[str, Any]:
    known = {"currency": currency, "default_for_currency": default, "fingerprint": f"print of {id}", "last4": id[-4:]}
    return {"id": id, "object": "bank_account", **known}


class Pages:
    """A page of a longer list."""

    def __init__(self, banks: Sequence[dict[str, Any]]) -> None:
        self.banks = banks

    async def auto_paging_iter(self) -> AsyncIterator[stripe.BankAccount]:
        for each in self.banks:
            yield stripe.BankAccount.construct_from(each, "sk_test_1")


async def destination(*banks: dict[str, Any], first: int = 10) -> str | None:
    return (await account_with(*banks, first=first)).destination


async def account_with(*banks: dict[str, Any], first: int = 10, currency: str | None = None) -> AccountSnapshot:
    account: dict[str, Any] = {
        "id": "acct_1",
        "object": "account",
        "country": "DE",
        "default_currency": currency,
        "details_submitted": True,
        "payouts_enabled": True,
        "capabilities": {"transfers": "active"},
        "requirements": {"currently_due": []},
        "metadata": {},
        "external_accounts": {
            "object": "list",
            "data": list(banks[:first]),
            "has_more": first < len(banks),
            "url": "/",
        },
    }

    async def retrieve(ref: str) -> Any:
        return stripe.Account.construct_from(account, "sk_test_1")

    async def list_banks(ref: str, params: Any) -> Any:
        return Pages(banks)

    accounts = SimpleNamespace(retrieve_async=retrieve, external_accounts=SimpleNamespace(list_async=list_banks))
    client: Any = SimpleNamespace(v1=SimpleNamespace(accounts=accounts))
    return await StripeConnect(client).retrieve_account("acct_1")


async def test_other_bank_of_any_currency_is_another_destination() -> None:
    """Each currency has a bank account of its own, and a payout names any currency."""
    usd, eur = bank("ba_usd_1111", "usd"), bank("ba_eur_2222", "eur")
    assert await destination() is None
    assert await destination(usd) == "print of ba_usd_1111"
    assert await destination(bank("ba_usd_1111", "usd", default=False)) == "print of ba_usd_1111"
    both = await destination(usd, eur)
    assert both == await destination(eur, usd)
    assert both != await destination(bank("ba_eur_9999", "eur"), usd, bank("ba_eur_2222", "eur", default=False))
    assert both != await destination(usd)
    assert both == await destination(usd, eur, first=1)


async def test_bank_of_another_currency_does_not_change_in_which_one_is_paid_out() -> None:
    usd, eur = bank("ba_usd_1111", "usd"), bank("ba_eur_2222", "eur")
    for banks in ((usd, eur), (eur, usd)):
        account = await account_with(*banks, currency="usd")
        assert (account.currency, account.destination_last4) == ("USD", "1111")
    assert (await account_with(eur, currency="usd")).currency == "EUR"
    assert (await account_with(eur, usd)).currency == "EUR"
    assert (await account_with(currency="usd")).currency is None


async def test_transfer_is_made_once_and_found_without_its_key(sandbox, connect):
    await funded(sandbox)
    wanted, options = asked(await onboarded(sandbox, connect)), {"idempotency_key": key()}
    assert await connect.find_transfer(wanted) is None
    made = await connect.transfer(wanted, **options)
    assert made == await connect.transfer(wanted, **options) == await connect.find_transfer(wanted)
    assert (made.payout_id, made.amount_minor, made.reversed_minor) == (wanted.payout_id, 1000, 0)
    assert (made.movement.kind, made.movement.amount_minor) == (BalanceTransactionKind.PAYOUT, -1000)


async def test_transfer_with_a_lost_response_is_found(sandbox, connect):
    await funded(sandbox)
    wanted = asked(await onboarded(sandbox, connect))
    sandbox.lose_next_answer()
    with pytest.raises(OutcomeUnknown):
        await connect.transfer(wanted, idempotency_key=key())
    found = await connect.find_transfer(wanted)
    assert found is not None
    assert found.amount_minor == 1000


@pytest.mark.parametrize("says", [{}, {"currency": "bgn"}, {"currency": "isk", "amount": 1001}])
async def test_unreadable_transfer_is_unknown_and_not_refused(says: dict[str, Any]) -> None:
    """Stripe may not show the balance transaction yet; after a refusal the transfer would be sent again."""

    async def transfer(params: Any, options: Any) -> Any:
        known = {name: params[name] for name in ("amount", "currency", "destination", "metadata")}
        values = {"id": "tr_1", "object": "transfer", "amount_reversed": 0, "balance_transaction": None}
        return stripe.Transfer.construct_from(known | values | says, "sk_test_1")

    async def reverse(ref: str, params: Any, options: Any) -> Any:
        known = {"amount": params["amount"], "currency": "usd", "metadata": params["metadata"]}
        values = {"id": "trr_1", "object": "transfer_reversal", "transfer": ref, "balance_transaction": None}
        return stripe.TransferReversal.construct_from(known | values | says, "sk_test_1")

    transfers = SimpleNamespace(create_async=transfer, reversals=SimpleNamespace(create_async=reverse))
    client: Any = SimpleNamespace(v1=SimpleNamespace(transfers=transfers))
    connect, options = StripeConnect(client), {"idempotency_key": key()}
    wanted = NewTransfer(payout_id="po_1", account_ref="acct_1", amount_minor=1000, currency="USD")
    with pytest.raises(OutcomeUnknown):
        await connect.transfer(wanted, **options)
    with pytest.raises(OutcomeUnknown):
        await connect.reverse("tr_1", reversal_id="rev_1", amount_minor=400, currency="USD", **options)


async def test_insufficient_balance_differs_from_a_restricted_destination(sandbox, connect):
    ready = await onboarded(sandbox, connect)
    with pytest.raises(BalanceShort):
        await connect.transfer(asked(ready), idempotency_key=key())
    await funded(sandbox)
    await sandbox.control("account", account=ready.ref, requirement="individual.verification.document")
    with pytest.raises(ProviderRefused) as refused:
        await connect.transfer(asked(ready), idempotency_key=key())
    assert not isinstance(refused.value, BalanceShort)


async def test_reversal_takes_back_at_most_the_transfer_and_is_found_again(sandbox, connect):
    await funded(sandbox)
    made = await connect.transfer(asked(await onboarded(sandbox, connect)), idempotency_key=key())
    options = {"amount_minor": 400, "currency": "USD"}
    back = await connect.reverse(made.ref, reversal_id="rev_1", idempotency_key=key(), **options)
    assert (back.transfer_ref, back.movement.amount_minor) == (made.ref, 400)
    assert await connect.find_reversal(made.ref, reversal_id="rev_1") == back
    assert await connect.find_reversal(made.ref, reversal_id="rev_2") is None
    with pytest.raises(ProviderRefused):
        await connect.reverse(made.ref, reversal_id="rev_3", idempotency_key=key(), amount_minor=601, currency="USD")
    with pytest.raises(ProviderNotFound):
        await connect.reverse("tr_none", reversal_id="rev_4", idempotency_key=key(), **options)


async def test_event_of_a_reversed_transfer_names_its_payout(sandbox, connect):
    await funded(sandbox)
    made = await connect.transfer(asked(await onboarded(sandbox, connect)), idempotency_key=key())
    options = {"amount_minor": 400, "currency": "USD", "idempotency_key": key()}
    await connect.reverse(made.ref, reversal_id="rev_1", **options)
    (event,) = (await sandbox.client.v1.events.list_async({"type": "transfer.reversed"})).data
    told = await sandbox.provider.verify_webhook(*signed(str(event), SECRETS[0]))
    assert told.refs == (made.ref, made.payout_id)


async def test_reversal_is_short_when_the_creator_has_paid_out(sandbox, connect):
    await funded(sandbox)
    ready = await onboarded(sandbox, connect)
    made = await connect.transfer(asked(ready), idempotency_key=key())
    await sandbox.client.v1.payouts.create_async({"amount": 1000, "currency": "usd"}, {"stripe_account": ready.ref})
    with pytest.raises(BalanceShort):
        await connect.reverse(made.ref, reversal_id="rev_1", idempotency_key=key(), amount_minor=1, currency="USD")


async def test_statement_names_transfers_as_the_snapshot_does(sandbox, connect):
    await funded(sandbox)
    made = await connect.transfer(asked(await onboarded(sandbox, connect)), idempotency_key=key())
    back = await connect.reverse(made.ref, reversal_id="rev_1", idempotency_key=key(), amount_minor=400, currency="USD")
    until = datetime.now(UTC) + timedelta(minutes=1)
    listed = sandbox.provider.list_movements(since=until - timedelta(hours=1), until=until)
    found = {movement.key: movement async for movement in listed}
    assert dataclasses.replace(found[made.ref]) == made.movement
    assert found[back.ref] == back.movement
