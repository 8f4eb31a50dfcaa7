"""Earnings that are too little to be paid out are waived, so that their organization can be closed."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.bootstrap import operator_key
from domain.billing.document.content import Party
from domain.common import accounts
from domain.common.access import Actor, Role
from domain.common.errors import NotWaivable
from domain.common.money import CREDIT, amounts_from
from domain.credits.lots import LotSource, LotTerms
from domain.payouts.earnings import EarningsKind, account_of
from domain.payouts.payable import HoldBack
from ledger.gateway import Ledger, Posting
from runtime.database import Database, driver_connection
from runtime.settings import Settings
from services.credits.credit_lot import ManualGrantRules
from services.payouts import statement
from services.payouts.waiver import WaiverRequest, WaiverRules, waive
from tests.api.conftest import NUMBERS, Caller, NewTenant, Tenant, good, new_key, refused
from tests.api.paying import paying_app
from tests.conftest import DatabaseUrls
from tests.support.documents import selling
from tests.support.proving import prove_all

pytestmark = pytest.mark.db

OLD = timedelta(days=30)
PATH = "/billing/earnings/waivers"


def rules(minimum: str = "10.00") -> WaiverRules:
    by_hand = ManualGrantRules(two_above=None, price=Settings().price_of_credits)
    return WaiverRules(hold_back=HoldBack.default(), minimum=amounts_from(minimum), renew_days=30, by_hand=by_hand)


@pytest.fixture
async def studio(new_tenant: NewTenant) -> Tenant:
    return await new_tenant("owner", "finance", "admin", "auditor")


async def earned(
    database: Database,
    studio: Tenant,
    minor: int,
    currency: str = "USD",
    *,
    age: timedelta = OLD,
    kind: Callable[[str, str, str], accounts.Account] = accounts.agent_earnings,
) -> None:
    async with database.platform() as session:
        await Ledger(await driver_connection(session)).post(
            key=new_key(),
            kind="t",
            source=accounts.platform("exchange", currency),
            destination=kind(studio.agent_id, currency, studio.org_id),
            amount_minor=minor,
            effective_at=datetime.now(UTC) - age,
        )


async def test_organization_closes_once_its_owner_has_waived_what_is_below_the_minimum(
    operator: Caller, database: Database, studio: Tenant
) -> None:
    close = f"/organizations/{studio.org_id}/close"
    await earned(database, studio, 999)
    await earned(database, studio, 5, "KWD")
    left = refused(await operator.post(close, {"reason": "left"}), 409, "organization.not_empty")["left"]
    assert [(each["currency"], each["amount"]) for each in left] == [("KWD", "0.005"), ("USD", "9.99")]
    body, key = {"currency": "USD", "amount": "9.99"}, new_key()
    made = good(await studio.owner.post(PATH, body, key=key), 201)
    assert good(await studio.owner.post(PATH, body, key=key), 201) == made
    assert (made["organization_id"], made["amount"], made["currency"]) == (studio.org_id, "9.99", "USD")
    good(await studio.callers["finance"].post(PATH, {"currency": "KWD", "amount": "0.005"}, key=new_key()), 201)
    trail = good(await studio.auditor.get("/audit?action=earnings.waive"))["data"]
    assert sorted(entry["details"]["amount"] for entry in trail) == ["0.005", "9.99"]
    good(await operator.post(close, {"reason": "left"}))
    # A statement shows it as what it is: nothing was taken back of a sale.
    today = datetime.now(UTC).date()
    async with database.platform() as session:
        dollars = next(
            each
            for each in await statement.issue(
                session,
                studio.org_id,
                today.replace(day=1),
                selling(Party(name="Platform Inc.")),
                now=datetime.now(UTC) + timedelta(days=40),
            )
            if each.currency == "USD"
        )
    sums = {each["kind"]: each["amount_minor"] for each in dollars.content["balances"]}
    assert (sums["waived"], sums["closing"]) == (-999, 0)
    assert "taken_back" not in sums


@pytest.mark.parametrize(
    ("minor", "age", "amount"),
    [
        (1000, OLD, "10.00"),  # can be paid out
        (500, timedelta(days=1), "5.00"),  # is held back
        (500, OLD, "4.99"),  # is not what the owner has agreed to
        (500, OLD, "5.01"),
    ],
)
async def test_nothing_else_is_waived(
    database: Database, studio: Tenant, minor: int, age: timedelta, amount: str
) -> None:
    await earned(database, studio, minor, age=age)
    body = {"currency": "USD", "amount": amount}
    refused(await studio.owner.post(PATH, body, key=new_key()), 409, "earnings.not_waivable")


async def test_earnings_in_money_are_not_waived_as_credits(database: Database, studio: Tenant) -> None:
    await earned(database, studio, 500)
    nothing = await studio.owner.post(PATH, {"currency": "CREDIT", "amount": "5"}, key=new_key())
    assert refused(nothing, 409, "earnings.not_waivable")["available"] == "0.00"


async def test_nothing_is_waived_for_a_suspended_organization(
    operator: Caller, database: Database, studio: Tenant
) -> None:
    await earned(database, studio, 95_000, kind=accounts.agent_own_work)
    good(await operator.post(f"/organizations/{studio.org_id}/suspend", {"reason": "A look at it"}))
    body = {"kind": "own_work", "currency": "USD", "amount": "950.00"}
    refused(await studio.owner.post(PATH, body, key=new_key()), 403, "organization.suspended")


async def test_last_decimal_is_waived_whatever_the_minimum_is(database: Database, studio: Tenant) -> None:
    await earned(database, studio, 5, "KWD")
    actor = Actor(principal="owner", role=Role.OWNER, org_id=studio.org_id)
    wanted = WaiverRequest(org_id=studio.org_id, currency="KWD", amount_minor=5, command_id=new_key())
    async with database.platform() as session:
        made = await waive(session, actor, wanted, rules(minimum="0"), now=datetime.now(UTC))
    assert made.amount_minor == 5


async def test_organization_closes_once_its_owner_has_waived_the_money_of_own_work(
    operator: Caller, database: Database, studio: Tenant
) -> None:
    close = f"/organizations/{studio.org_id}/close"
    await earned(database, studio, 95_000, kind=accounts.agent_own_work, age=timedelta(0))
    await earned(database, studio, 12 * 10**6, "USDC", kind=accounts.agent_own_work)
    await earned(database, studio, 2_000)
    left = refused(await operator.post(close, {"reason": "left"}), 409, "organization.not_empty")["left"]
    assert {(each["kind"], each["currency"]) for each in left} == {
        ("earnings", "USD"),
        ("own_work", "USD"),
        ("own_work", "USDC"),
    }
    body = {"kind": "own_work", "currency": "USD", "amount": "950.00"}
    less = await studio.owner.post(PATH, {**body, "amount": "949.00"}, key=new_key())
    assert refused(less, 409, "earnings.not_waivable")["available"] == "950.00"
    key = new_key()
    made = good(await studio.owner.post(PATH, body, key=key), 201)
    assert (made["kind"], made["amount"]) == ("own_work", "950.00")
    assert good(await studio.owner.post(PATH, body, key=key), 201) == made
    coins = {"kind": "own_work", "currency": "USDC", "amount": "12"}
    good(await studio.owner.post(PATH, coins, key=new_key()), 201)
    # What others have paid is there as before: it can be paid out.
    left = refused(await operator.post(close, {"reason": "left"}), 409, "organization.not_empty")["left"]
    assert [(each["kind"], each["amount"]) for each in left] == [("earnings", "20.00")]
    payable = {"currency": "USD", "amount": "20.00"}
    refused(await studio.owner.post(PATH, payable, key=new_key()), 409, "earnings.not_waivable")
    granted = {"kind": "granted", "currency": "USD", "amount": "1.00"}
    refused(await studio.owner.post(PATH, granted, key=new_key()), 422, "request.invalid")


async def test_coins_that_others_have_paid_are_waived_because_nothing_pays_them_out(
    database: Database, studio: Tenant
) -> None:
    await earned(database, studio, 250 * 10**6, "USDC")
    made = good(await studio.owner.post(PATH, {"currency": "USDC", "amount": "250"}, key=new_key()), 201)
    assert (made["kind"], made["amount"], made["currency"]) == ("paid", "250.00", "USDC")


async def test_organization_closes_once_its_owner_has_waived_credits_that_expired_as_earnings(
    operator: Caller,
    database: Database,
    studio: Tenant,
    new_tenant: NewTenant,
    database_urls: DatabaseUrls,
) -> None:
    kind, payer, now = EarningsKind.OWN_WORK, await new_tenant("auditor"), datetime.now(UTC)

    async def earns(amount: int, *, expires_at: datetime | None) -> None:
        async with database.platform() as session:
            ledger, wallet = Ledger(await driver_connection(session)), accounts.org_credits(payer.org_id)
            issued = LotTerms(source=LotSource.PROMOTION, expires_at=expires_at)
            source, into = (
                accounts.platform("credit_issuance", CREDIT),
                account_of(kind, studio.agent_id, studio.org_id),
            )
            at = now - timedelta(days=100)
            await ledger.post_compound(
                key=new_key(), kind="t", postings=[Posting(source, wallet, amount, issued)], effective_at=at
            )
            await ledger.post_compound(
                key=new_key(), kind="t", postings=[Posting(wallet, into, amount)], effective_at=at
            )

    close = f"/organizations/{studio.org_id}/close"
    await earns(5 * 10**6, expires_at=now - timedelta(days=99))
    await earns(2 * 10**6, expires_at=None)
    body = {"kind": kind.value, "currency": CREDIT, "amount": "5"}
    refusal = refused(await studio.owner.post(PATH, body, key=new_key()), 409, "earnings.not_waivable")
    assert "Convert them first" in refusal["detail"]
    convert = {"agent_id": studio.agent_id, "kind": kind.value}
    good(await studio.owner.post("/credits/earnings/conversions", convert, key=new_key()), 201)
    refused(await studio.owner.post(PATH, {**body, "amount": "4"}, key=new_key()), 409, "earnings.not_waivable")
    good(await studio.owner.post(PATH, body, key=new_key()), 201)
    good(await studio.owner.post("/credits/use", {"action": "call", "amount": "2"}, key=new_key()), 201)
    good(await operator.post(close, {"reason": "left"}))
    await prove_all(database_urls)


async def test_organization_closes_once_its_owner_has_waived_paid_credits_that_expired_below_the_minimum(
    operator: Caller,
    database: Database,
    studio: Tenant,
    new_tenant: NewTenant,
    database_urls: DatabaseUrls,
) -> None:
    payer, now = await new_tenant("owner"), datetime.now(UTC)
    wallet, bought = accounts.org_credits(payer.org_id), now - timedelta(days=100)

    async def moves(at: datetime, *postings: Posting) -> None:
        async with database.platform() as session:
            await Ledger(await driver_connection(session)).post_compound(
                key=new_key(), kind="t", postings=postings, effective_at=at
            )

    async def waives(amount: int) -> None:
        """Waive when what was paid is not held back any more."""
        async with database.platform() as session:
            owner = Actor(principal="owner", role=Role.OWNER, org_id=studio.org_id)
            wanted = WaiverRequest(org_id=studio.org_id, currency=CREDIT, amount_minor=amount, command_id=new_key())
            await waive(session, owner, wanted, rules(), now=now + timedelta(days=40))

    # Credits that cannot be renewed any more: they have been converted once.
    terms = LotTerms(source=LotSource.PURCHASE, paid_minor=500, paid_asset="USD", expires_at=bought + timedelta(days=1))
    own, paid = (accounts.agent_earnings(each.agent_id, CREDIT, each.org_id) for each in (payer, studio))
    sold = Posting(accounts.platform("exchange", "USD"), accounts.platform("deferred_revenue", "USD"), 500)
    await moves(bought, Posting(accounts.platform("credit_issuance", CREDIT), wallet, 5 * 10**6, terms), sold)
    await moves(bought, Posting(wallet, own, 5 * 10**6))
    convert = {"agent_id": payer.agent_id, "kind": "paid"}
    good(await payer.owner.post("/credits/earnings/conversions", convert, key=new_key()), 201)
    await moves(now, Posting(wallet, paid, 5 * 10**6))

    body = {"kind": "paid", "currency": CREDIT, "amount": "5"}
    refusal = refused(await studio.owner.post(PATH, body, key=new_key()), 409, "earnings.not_waivable")
    assert "held back" in refusal["detail"]
    # With money of the same currency they could be paid out.
    await earned(database, studio, 600)
    with pytest.raises(NotWaivable, match=r"11\.00 USD can be paid out"):
        await waives(5 * 10**6)
    good(await studio.owner.post(PATH, {"currency": "USD", "amount": "6.00"}, key=new_key()), 201)
    with pytest.raises(NotWaivable, match=r"5\.00 CREDIT is left"):
        await waives(4 * 10**6)
    await waives(5 * 10**6)
    good(await operator.post(f"/organizations/{studio.org_id}/close", {"reason": "left"}))
    await prove_all(database_urls)


async def approved(operator: Caller, needed: dict[str, Any]) -> Any:
    return await operator.post(f"/approvals/{needed['approval_id']}/approve")


@pytest.fixture
async def limited(database_urls: DatabaseUrls, database: Database) -> AsyncIterator[tuple[Caller, Caller, Tenant]]:
    """Two operators of an app where waivers above 100.00 take one, and an organization that the first one made."""
    async with database.platform() as session:
        tokens = [await operator_key(session, f"operator-{next(NUMBERS)}-waivers") for _ in range(2)]
    async with paying_app(database_urls, two_operators_above="100.00") as http:
        operators = [Caller(http, token) for token in tokens]
        org = good(await operators[0].post("/organizations", {"name": "Studio"}), 201)
        keys = {}
        for role in ("owner", "finance"):
            body = {"organization_id": org["id"], "principal": role, "role": role}
            keys[role] = Caller(http, good(await operators[0].post("/api-keys", body), 201)["secret"])
        agent = good(await operators[0].post("/agents", {"organization_id": org["id"], "name": "Bot"}), 201)
        tenant = Tenant(org_id=org["id"], agent_id=agent["id"], callers=keys)
        yield operators[0], operators[1], tenant


async def test_waiver_above_the_limit_takes_an_operator_who_did_not_issue_the_key(
    limited: tuple[Caller, Caller, Tenant], database: Database
) -> None:
    issuer, other, studio = limited
    await earned(database, studio, 95_000, kind=accounts.agent_own_work)
    body = {"kind": "own_work", "currency": "USD", "amount": "950.00"}
    # What would be refused anyway asks nobody.
    wrong = await studio.owner.post(PATH, {**body, "amount": "949.00"}, key=new_key())
    refused(wrong, 409, "earnings.not_waivable")
    key = new_key()
    needed = refused(await studio.owner.post(PATH, body, key=key), 403, "approval.required")
    # Nobody of the organization approves it, nor whoever issued the key.
    again = refused(await studio.callers["finance"].post(PATH, body, key=new_key()), 403, "approval.required")
    assert again["approval_id"] == needed["approval_id"]
    refused(await approved(issuer, needed), 409, "approval.same_operator")
    shown = good(await approved(other, needed))
    assert shown["content"] == {"amount": "950.00", "currency": "USD", "kind": "own_work"}
    assert (shown["action"], shown["subject"]) == ("earnings.waive", studio.org_id)
    made = good(await studio.owner.post(PATH, body, key=key), 201)
    assert (made["kind"], made["amount"]) == ("own_work", "950.00")
    assert good(await studio.owner.post(PATH, body, key=key), 201) == made
    # It was for that once.
    await earned(database, studio, 95_000, kind=accounts.agent_own_work)
    refused(await studio.owner.post(PATH, body, key=new_key()), 403, "approval.required")


async def test_waiver_up_to_the_limit_takes_nobody_else(
    limited: tuple[Caller, Caller, Tenant], database: Database
) -> None:
    _, _, studio = limited
    await earned(database, studio, 10_000, kind=accounts.agent_own_work)
    body = {"kind": "own_work", "currency": "USD", "amount": "100.00"}
    good(await studio.owner.post(PATH, body, key=new_key()), 201)


async def test_key_that_an_owner_issued_leads_back_to_the_owners_operator(
    limited: tuple[Caller, Caller, Tenant], database: Database
) -> None:
    issuer, other, studio = limited
    await earned(database, studio, 20_000, "EUR", kind=accounts.agent_own_work)
    issued = good(await studio.owner.post("/api-keys", {"principal": "ann", "role": "finance"}), 201)
    body = {"kind": "own_work", "currency": "EUR", "amount": "200.00"}
    ann = Caller(issuer.http, issued["secret"])
    needed = refused(await ann.post(PATH, body, key=new_key()), 403, "approval.required")
    refused(await approved(issuer, needed), 409, "approval.same_operator")
    good(await approved(other, needed))
    good(await ann.post(PATH, body, key=new_key()), 201)
