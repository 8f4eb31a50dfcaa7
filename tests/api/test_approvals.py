"""Acts that take two operators: never one alone, whatever keys that one has, and once for each approval."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from activities.messages.escalation import EscalationActivities
from api.bootstrap import operator_key
from contracts.messages.escalation import AcknowledgeAlert
from domain.common import accounts
from domain.common.access import Actor, Role
from domain.common.money import CREDIT, parse_amount
from domain.credits.lots import LotSource, LotTerms
from ledger.gateway import Ledger, Posting
from runtime.database import Database, driver_connection
from services.messages import notification
from tests.api.conftest import NUMBERS, Caller, NewTenant, Tenant, forget, good, new_key, refused
from tests.api.invoicing import PATH, issue, pay
from tests.api.paying import Written, paying_app
from tests.api.spending import use
from tests.conftest import DatabaseUrls

pytestmark = pytest.mark.db


@pytest.fixture
async def two(database_urls: DatabaseUrls, database: Database) -> AsyncIterator[tuple[Caller, Caller]]:
    """Two operators of an app where billing terms take both."""
    async with database.platform() as session:
        tokens = [await operator_key(session, f"operator-{next(NUMBERS)}-approvals") for _ in range(2)]
    async with paying_app(database_urls, two_operators_above="100.00", public_url="https://pay.example.com") as http:
        yield Caller(http, tokens[0]), Caller(http, tokens[1])


async def agree(caller: Caller, tenant: Tenant, currency: str = "EUR") -> Any:
    body = {"mode": "arrears", "currency": currency, "time_zone": "Europe/Berlin", "reason": "agreed"}
    return await caller.ask("PUT", f"/organizations/{tenant.org_id}/billing-terms", json=body)


async def put_credits(database: Database, tenant: Tenant, credits: int) -> None:
    """Add credits that were not granted by hand, and that cost 0.10 each."""
    async with database.platform() as session:
        exchange, deferred = (accounts.platform(name, "USD") for name in ("exchange", "deferred_revenue"))
        terms = LotTerms(source=LotSource.PURCHASE, paid_minor=10 * credits, paid_asset="USD")
        issuance, wallet = accounts.platform("credit_issuance", CREDIT), accounts.org_credits(tenant.org_id)
        await Ledger(await driver_connection(session)).post_compound(
            key=f"test:{tenant.org_id}:credits:{new_key()}",
            kind="test.credits",
            postings=[
                Posting(issuance, wallet, parse_amount(str(credits), CREDIT), terms),
                Posting(exchange, deferred, 10 * credits),
            ],
            effective_at=datetime.now(UTC),
        )


async def prepaid(database: Database, operator: Caller, tenant: Tenant, credits: int) -> dict[str, Any]:
    """Issue an invoice that these credits pay, all but a dollar."""
    await put_credits(database, tenant, credits)
    lines = [{"description": "Support", "unit_amount": f"{credits // 10 + 1}.00"}]
    return await issue(operator, tenant, lines=lines, apply_credits=True)


async def test_one_operator_alone_cannot_and_two_can_once(two: tuple[Caller, Caller], new_tenant: NewTenant) -> None:
    asking, other = two
    tenant = await new_tenant("owner")
    needed = refused(await agree(asking, tenant), 403, "approval.required")
    assert refused(await agree(asking, tenant), 403, "approval.required")["approval_id"] == needed["approval_id"]
    path = f"/approvals/{needed['approval_id']}"
    refused(await asking.post(f"{path}/approve"), 409, "approval.same_operator")
    approved = good(await other.post(f"{path}/approve"))
    assert (approved["status"], approved["content"]["currency"]) == ("approved", "EUR")
    assert good(await other.post(f"{path}/approve")) == approved
    # Something else was not approved.
    refused(await agree(asking, tenant, "GBP"), 403, "approval.required")
    assert good(await agree(asking, tenant))["currency"] == "EUR"
    assert refused(await agree(asking, tenant), 403, "approval.required")["approval_id"] != needed["approval_id"]
    refused(await other.post(f"{path}/approve"), 409, "approval.decided")


async def test_special_terms_for_one_organization_need_two_operators(
    two: tuple[Caller, Caller], new_tenant: NewTenant, database: Database
) -> None:
    """A share of an agent, a tier, an exemption, a price: none has an amount, and each may be worth any."""
    asking, other = two
    tenant = await new_tenant("owner", "agent")
    offer = {"model": "one_time", "price": "40"}
    path = f"/marketplace/agents/{tenant.agent_id}"
    # The price is the creator's own matter.
    shown = good(await Caller(asking.http, tenant.owner.token).ask("PUT", path, json=offer))
    assert shown["creator_share"] == "0.90"
    acts: list[tuple[str, str, Any, Any, str]] = [
        ("PUT", path, {**offer, "creator_share": "1"}, {"creator_share": "0.99"}, "creator_share"),
        ("PUT", f"/organizations/{tenant.org_id}/tier", {"tier": "premium"}, {"tier": "free"}, "tier"),
        (
            "PUT",
            "/billing/profile/decisions",
            {"organization_id": tenant.org_id, "exempt_reason": "Charity"},
            {"exempt_reason": "Mine"},
            "exempt_reason",
        ),
        ("POST", "/organizations", {"name": "Made", "tier": "premium"}, {"tier": "enterprise"}, "tier"),
        (
            "PUT",
            "/credits/costs/api_call",
            {"organization_id": tenant.org_id, "cost": "0.02"},
            {"cost": "0.01"},
            "cost",
        ),
        (
            "POST",
            "/pricing/rules",
            {
                "name": "For a friend",
                "priority": 100,
                "terms": {"type": "surge", "threshold": "0.8", "maximum": "1.50"},
                "organization_id": tenant.org_id,
            },
            {"priority": 101},
            "priority",
        ),
        (
            "POST",
            "/contracts",
            {
                "agent_id": tenant.agent_id,
                "organization_id": tenant.org_id,
                "title": "For a friend",
                "price": "10.00",
                "currency": "CREDIT",
                "validation_threshold": "0.80",
                "signatories": ["alice"],
                "required_signatures": 1,
                "commission_bps": 0,
            },
            {"commission_bps": 1},
            "commission_bps",
        ),
    ]
    for method, where, body, changed, field in acts:
        needed = refused(await asking.ask(method, where, json=body), 403, "approval.required")
        refused(await asking.post(f"/approvals/{needed['approval_id']}/approve"), 409, "approval.same_operator")
        good(await other.post(f"/approvals/{needed['approval_id']}/approve"))
        refused(await asking.ask(method, where, json=body | changed), 403, "approval.required")
        made = await asking.ask(method, where, json=body)
        given = {"1": "1.00"}.get(body[field], body[field])
        assert good(made, 201 if method == "POST" else 200)[field] == given
        refused(await asking.ask(method, where, json=body), 403, "approval.required")
    good(await asking.post("/organizations", {"name": "Free"}), 201)


async def test_an_approval_does_not_cover_other_content_under_the_same_key(
    two: tuple[Caller, Caller], new_tenant: NewTenant
) -> None:
    """A refusal frees the key, and the approval was used by it."""
    asking, other = two
    tenant = await new_tenant("owner", "agent")
    key, path, status = new_key(), f"/marketplace/agents/{tenant.agent_id}", f"/organizations/{tenant.org_id}"

    async def offer(share: str) -> Any:
        wanted = {"model": "one_time", "price": "40", "creator_share": share}
        return await asking.ask("PUT", path, json=wanted, headers={"Idempotency-Key": key})

    needed = refused(await offer("0.91"), 403, "approval.required")
    good(await other.post(f"/approvals/{needed['approval_id']}/approve"))
    good(await asking.post(f"{status}/suspend", {"reason": "A look at it"}))
    refused(await offer("0.91"), 403, "organization.suspended")
    good(await asking.post(f"{status}/resume", {"reason": "Looked at"}))
    refused(await offer("1"), 403, "approval.required")
    assert good(await offer("0.91"))["creator_share"] == "0.91"


async def test_an_action_under_an_approved_key_is_not_possible_after_the_approval_ends(
    two: tuple[Caller, Caller], new_tenant: NewTenant, database_urls: DatabaseUrls
) -> None:
    """Otherwise an action that was refused after its approval would stay allowed to one operator."""
    asking, other = two
    tenant = await new_tenant("owner")
    key, status = new_key(), f"/organizations/{tenant.org_id}/tier"

    async def move(tier: str) -> Any:
        return await asking.ask("PUT", status, json={"tier": tier}, headers={"Idempotency-Key": key})

    needed = refused(await move("premium"), 403, "approval.required")
    good(await other.post(f"/approvals/{needed['approval_id']}/approve"))
    assert good(await move("premium"))["tier"] == "premium"
    owner = await asyncpg.connect(database_urls.owner.replace("+asyncpg", ""))
    await owner.execute("UPDATE approvals SET expires_at = now() - interval '1 s' WHERE id = $1", needed["approval_id"])
    # The answers of keys are forgotten after some weeks.
    await owner.execute("DELETE FROM idempotency_keys WHERE key = $1", key)
    await owner.close()
    refused(await move("premium"), 403, "approval.required")


@pytest.mark.parametrize(("act", "end"), [("void", "void"), ("mark-uncollectible", "uncollectible")])
async def test_large_invoice_is_ended_by_two_and_a_small_one_by_one(
    two: tuple[Caller, Caller], new_tenant: NewTenant, act: str, end: str
) -> None:
    asking, other = two
    tenant = await new_tenant("owner")
    lines = {line: [{"description": "Support", "unit_amount": line}] for line in ("100.00", "100.01")}
    small, large = [await issue(asking, tenant, lines=each) for each in lines.values()]
    assert good(await asking.post(f"{PATH}/{small['id']}/{act}", key=new_key()))["status"] == end
    key, path = new_key(), f"{PATH}/{large['id']}/{act}"
    needed = refused(await asking.post(path, key=key), 403, "approval.required")
    assert good(await asking.get(f"{PATH}/{large['id']}"))["status"] == "open"
    assert good(await other.post(f"/approvals/{needed['approval_id']}/approve"))["content"]["amount"] == "100.01"
    assert good(await asking.post(path, key=key))["status"] == end


async def test_credit_notes_need_two_operators_once_those_of_an_invoice_exceed_the_limit(
    two: tuple[Caller, Caller], new_tenant: NewTenant
) -> None:
    asking, other = two
    large = await issue(asking, await new_tenant("owner"), lines=[{"description": "Support", "unit_amount": "300.00"}])

    async def credit(amount: str | None) -> Any:
        wish = {"reason": "agreed"} | ({} if amount is None else {"amount": amount})
        return await asking.ask("POST", f"{PATH}/{large['id']}/credit-notes", json=wish, key=new_key())

    assert good(await credit("100.00"), 201)["amount"] == "100.00"
    for amount in ("0.01", "0.01", None):
        needed = refused(await credit(amount), 403, "approval.required")
    good(await other.post(f"/approvals/{needed['approval_id']}/approve"))
    refused(await credit("0.02"), 403, "approval.required")
    assert good(await credit(None), 201)["amount"] == "200.00"


async def test_issued_credit_note_is_the_answer_to_its_key_after_later_changes(
    two: tuple[Caller, Caller], new_tenant: NewTenant, database_urls: DatabaseUrls
) -> None:
    asking, _ = two
    large = await issue(asking, await new_tenant("owner"), lines=[{"description": "Support", "unit_amount": "300.00"}])
    key, path, wish = new_key(), f"{PATH}/{large['id']}/credit-notes", {"reason": "agreed", "amount": "60.00"}
    first = good(await asking.post(path, wish, key=key), 201)
    # As after a crash before the answer was kept: its own note counts before it by then.
    owner = await asyncpg.connect(database_urls.owner.replace("+asyncpg", ""))
    await owner.execute("DELETE FROM idempotency_keys WHERE key = $1", key)
    await owner.close()
    assert good(await asking.post(path, wish, key=key), 201) == first
    refused(await asking.post(path, wish, key=new_key()), 403, "approval.required")


async def test_credits_returned_by_many_invoices_count_together_with_grants(
    two: tuple[Caller, Caller], new_tenant: NewTenant, database: Database
) -> None:
    """Each is below the setting: 100 dollars are 1,000 credits."""
    asking, other = two
    tenant = await new_tenant("owner")
    voided, noted, third, small = [await prepaid(database, asking, tenant, each) for each in (600, 600, 600, 50)]
    key = new_key()
    first = good(await asking.post(f"{PATH}/{voided['id']}/void", key=key))
    note = f"{PATH}/{noted['id']}/credit-notes"
    refused(await asking.post(note, {"reason": "agreed"}, key=new_key()), 403, "approval.required")
    good(await asking.post(note, {"reason": "agreed", "amount": "31.00"}, key=new_key()), 201)
    granted = {"organization_id": tenant.org_id, "amount": "101", "source": "reward"}
    refused(await asking.post("/credits/grants", granted, key=new_key()), 403, "approval.required")
    needed = refused(await asking.post(f"{PATH}/{third['id']}/void", key=new_key()), 403, "approval.required")
    approved = good(await other.post(f"/approvals/{needed['approval_id']}/approve"))
    assert (approved["action"], approved["content"]) == ("invoice.void", {"amount": "61.00", "currency": "USD"})
    good(await asking.post(f"{PATH}/{third['id']}/void", key=new_key()))
    refused(await asking.post(f"{PATH}/{small['id']}/void", key=new_key()), 403, "approval.required")
    # A void stays valid, also after later refunds; and an invoice that was not paid with credits returns none.
    await forget(database, key)
    assert good(await asking.post(f"{PATH}/{voided['id']}/void", key=key)) == first
    plain = await issue(asking, tenant, lines=[{"description": "Support", "unit_amount": "60.00"}])
    assert good(await asking.post(f"{PATH}/{plain['id']}/void", key=new_key()))["status"] == "void"


async def test_voids_at_once_count_each_other(
    two: tuple[Caller, Caller], new_tenant: NewTenant, database: Database
) -> None:
    asking, _ = two
    tenant = await new_tenant("owner")
    made = [await prepaid(database, asking, tenant, 600) for _ in range(2)]
    both = await asyncio.gather(*(asking.post(f"{PATH}/{each['id']}/void", key=new_key()) for each in made))
    assert sorted(answer.status_code for answer in both) == [200, 403]


async def test_grants_worth_more_take_two_also_in_small_parts_and_at_once(
    two: tuple[Caller, Caller], new_tenant: NewTenant
) -> None:
    """100 dollars are 1,000 credits."""
    asking, other = two
    tenant = await new_tenant("owner")

    def grant(caller: Caller, amount: str, key: str) -> Awaitable[Any]:
        body = {"organization_id": tenant.org_id, "amount": amount, "source": "promotion"}
        return caller.post("/credits/grants", body, key=key)

    first = new_key()
    good(await grant(asking, "600", first), 201)
    both = await asyncio.gather(grant(asking, "300", new_key()), grant(asking, "300", new_key()))
    assert sorted(answer.status_code for answer in both) == [201, 403]
    key = new_key()
    needed = refused(await grant(asking, "200", key), 403, "approval.required")
    good(await other.post(f"/approvals/{needed['approval_id']}/approve"))
    refused(await grant(asking, "201", new_key()), 403, "approval.required")
    made = good(await grant(asking, "200", key), 201)
    assert good(await grant(asking, "200", key), 201) == made
    refused(await grant(asking, "200", new_key()), 403, "approval.required")
    assert good(await tenant.owner.get("/credits/balance"))["available"] == "1100.00"


async def test_grant_is_approved_with_its_expiry_and_its_priority(
    two: tuple[Caller, Caller], new_tenant: NewTenant
) -> None:
    """Credits of a week, and those that never expire, are not one gift."""
    asking, other = two
    tenant = await new_tenant("owner")
    until = (datetime.now(UTC) + timedelta(days=7)).replace(microsecond=0)
    body = {"organization_id": tenant.org_id, "amount": "2000", "source": "promotion", "expires_at": until.isoformat()}
    needed = refused(await asking.post("/credits/grants", body, key=new_key()), 403, "approval.required")
    approved = good(await other.post(f"/approvals/{needed['approval_id']}/approve"))
    assert approved["content"] == {
        "credits": "2000.00",
        "source": "promotion",
        "expires_at": until.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "priority": 0,
    }
    for changed in ({"expires_at": None}, {"priority": -100}):
        refused(await asking.post("/credits/grants", body | changed, key=new_key()), 403, "approval.required")
    good(await asking.post("/credits/grants", body, key=new_key()), 201)


async def test_refunds_of_spends_and_grants_count_together_and_take_two(
    two: tuple[Caller, Caller], new_tenant: NewTenant, database: Database
) -> None:
    """An organization that used credits has nothing left to return for them: 100 dollars are 1,000 credits."""
    asking, other = two
    tenant, elsewhere = await new_tenant("owner"), await new_tenant("owner")
    await put_credits(database, tenant, 3_000)
    await put_credits(database, elsewhere, 3_000)
    small, large, last = [(await use(tenant.owner, amount=amount))["id"] for amount in ("400", "2000", "600")]
    away = (await use(elsewhere.owner, amount="1000"))["id"]

    def refund(caller: Caller, spend_id: str, amount: str | None = None, key: str | None = None) -> Awaitable[Any]:
        body = {} if amount is None else {"amount": amount}
        return caller.post(f"/credits/spends/{spend_id}/refunds", body, key=key or new_key())

    refused(await refund(asking, large), 403, "approval.required")
    both = await asyncio.gather(refund(asking, large, "500"), refund(asking, large, "501"))
    assert sorted(answer.status_code for answer in both) == [201, 403]
    granted = {"organization_id": tenant.org_id, "amount": "600", "source": "reward"}
    refused(await asking.post("/credits/grants", granted, key=new_key()), 403, "approval.required")
    good(await asking.post("/credits/grants", {**granted, "amount": "99"}, key=new_key()), 201)
    good(await refund(asking, small, "400"), 201)
    key = new_key()
    needed = refused(await refund(asking, last, key=key), 403, "approval.required")
    approved = good(await other.post(f"/approvals/{needed['approval_id']}/approve"))
    assert (approved["action"], approved["subject"], approved["content"]) == (
        "credits.refund",
        last,
        {"organization_id": tenant.org_id, "credits": "600.00"},
    )
    refused(await refund(asking, last, "599"), 403, "approval.required")
    made = good(await refund(asking, last, key=key), 201)
    assert good(await refund(asking, last, key=key), 201) == made
    refused(await refund(asking, last), 409, "spend.refunded")
    refused(await refund(asking, large, "0.01"), 403, "approval.required")
    # Each organization has a separate daily total.
    good(await refund(asking, away), 201)


async def test_refund_that_takes_two_is_asked_for_with_a_key_and_not_in_an_operators_link(
    two: tuple[Caller, Caller], new_tenant: NewTenant, database: Database
) -> None:
    (asking, _), tenant = two, await new_tenant("owner")
    paid = await Written(database, tenant.org_id).begin()
    paid.there.pay()
    await paid.look()
    for maker, takes_two in ((asking, True), (Caller(asking.http, tenant.owner.token), False)):
        wanted = {"principal": f"maria-{takes_two}", "role": "owner", "organization_id": tenant.org_id}
        made = good(await maker.post("/sessions/links", wanted), 201)
        token = made["url"].rpartition("/")[2]
        by_link = Caller(asking.http, good(await asking.post("/sessions/redeem", {"token": token}), 201)["token"])
        path, body = f"/payments/{paid.terms.payment_id}/refunds", {"amount": "150"}
        answer = await by_link.post(path, body, key=new_key())
        if takes_two:
            # A session does not prove the operator: a link with a chosen name would pass for another operator.
            refused(answer, 403, "session.by_link")
            listed = good(await by_link.get(f"/payments/{paid.terms.payment_id}/actions?amount=150"))["actions"]
            (refund,) = [each for each in listed if each["action"] == "refund"]
            assert (refund["reason"]["code"], refund["effect"]) == ("session.by_link", None)
        else:
            # Nobody holds it up any more but the run, which is not there.
            refused(answer, 503, "service.unavailable")


async def test_key_of_any_role_that_an_operator_issued_is_an_alert(
    two: tuple[Caller, Caller], new_tenant: NewTenant
) -> None:
    (asking, _), tenant = two, await new_tenant("owner")
    made = good(await asking.post("/organizations", {"name": "New"}, key=new_key()), 201)
    first = {"principal": "first", "role": "owner", "organization_id": made["id"]}
    good(await asking.post("/api-keys", first, key=new_key()), 201)
    alerts = f"/alerts?organization_id={first['organization_id']}"
    assert good(await asking.get(alerts))["data"] == []
    (only,) = good(await asking.get(f"/api-keys?organization_id={first['organization_id']}"))["data"]
    assert (await asking.delete(f"/api-keys/{only['id']}")).status_code == 200
    good(await asking.post("/api-keys", {**first, "principal": "second"}, key=new_key()), 201)
    assert [each["kind"] for each in good(await asking.get(alerts))["data"]] == ["api_key.made_by_operator"]
    for role in ("owner", "admin", "finance", "member", "auditor"):
        body = {"principal": f"by-operator-{role}", "role": role}
        good(await asking.post("/api-keys", {**body, "organization_id": tenant.org_id}), 201)
    good(await Caller(asking.http, tenant.owner.token).post("/api-keys", {"principal": "own", "role": "admin"}), 201)
    raised = good(await tenant.owner.get("/alerts?kind=api_key.made_by_operator"))["data"]
    listed = {key["id"]: key["role"] for key in good(await tenant.owner.get("/api-keys"))["data"]}
    assert sorted(listed[alert["subject"]] for alert in raised) == ["admin", "auditor", "finance", "member", "owner"]
    # A warning could be kept from everybody, because operators set who is notified of warnings.
    assert {alert["severity"] for alert in raised} == {"critical"}


async def test_operator_with_an_owners_key_refunds_as_an_operator_and_closes_no_alert_about_it(
    two: tuple[Caller, Caller], new_tenant: NewTenant, database: Database
) -> None:
    (asking, other), tenant = two, await new_tenant("owner")
    accomplice = await issued(asking)
    wanted = {"principal": "insider", "role": "owner", "organization_id": tenant.org_id}
    own = Caller(asking.http, good(await asking.post("/api-keys", wanted), 201)["secret"])
    issued_by_own = good(await own.post("/api-keys", {"principal": "clerk", "role": "finance"}), 201)
    clerk, owner = Caller(asking.http, issued_by_own["secret"]), Caller(asking.http, tenant.owner.token)
    paid = await Written(database, tenant.org_id, amount_minor=30_000).begin()
    paid.there.pay()
    await paid.look()
    path, body = f"/payments/{paid.terms.payment_id}/refunds", {"amount": "150"}
    for insider in (own, clerk):
        listed = good(await insider.get(f"/payments/{paid.terms.payment_id}/actions?amount=150"))["actions"]
        (refund,) = [each for each in listed if each["action"] == "refund"]
        assert refund["reason"]["code"] == "approval.required"
        needed = refused(await insider.post(path, body, key=new_key()), 403, "approval.required")
        refused(await asking.post(f"/approvals/{needed['approval_id']}/approve"), 409, "approval.same_operator")
    # The organization's first key counts as its own, although an operator issued it. No workflow runs for the refund.
    refused(await owner.post(path, body, key=new_key()), 503, "service.unavailable")

    (alert,) = good(await owner.get("/alerts?kind=api_key.made_by_operator"))["data"]
    later = {"until": (datetime.now(UTC) + timedelta(days=1)).isoformat()}
    for insider in (asking, accomplice, own, clerk):
        for act in ("acknowledge", "resolve"):
            refused(await insider.post(f"/alerts/{alert['id']}/{act}"), 403, "auth.forbidden")
        refused(await insider.post(f"/alerts/{alert['id']}/snooze", later), 403, "auth.forbidden")
    # An unsealed signal names its sender without proof.
    kim = Actor(principal="temporal-ui:kim", role=Role.OPERATOR, claimed=True)
    by_signal = EscalationActivities(database, notification.notify_roles).acknowledge(
        AcknowledgeAlert(alert_id=alert["id"], actor=kim)
    )
    assert (await by_signal).declined is not None
    assert good(await owner.post(f"/alerts/{alert['id']}/acknowledge"))["status"] == "acknowledged"
    assert good(await other.post(f"/alerts/{alert['id']}/resolve"))["status"] == "resolved"


async def test_refund_of_a_large_payment_is_sent_to_its_run_once_two_agree(
    two: tuple[Caller, Caller], new_tenant: NewTenant, database: Database
) -> None:
    asking, other = two
    large = await issue(asking, await new_tenant("owner"), lines=[{"description": "Support", "unit_amount": "300.00"}])
    paid = await pay(database, large, 30_000)
    path, key = f"/payments/{paid.terms.payment_id}/refunds", new_key()

    async def refund_of(caller: Caller) -> dict[str, Any]:
        listed = good(await caller.get(f"/payments/{paid.terms.payment_id}/actions"))["actions"]
        return next(each for each in listed if each["action"] == "refund")

    before = await refund_of(asking)
    assert (before["allowed"], before["reason"]["code"]) == (False, "approval.required")
    assert before["effect"]["to_payer"] == "300.00"
    needed = refused(await asking.post(path, {}, key=key), 403, "approval.required")
    refused(await asking.post(path, {"amount": "100.01"}, key=new_key()), 403, "approval.required")
    approved = good(await other.post(f"/approvals/{needed['approval_id']}/approve"))
    assert (approved["action"], approved["content"]["amount"]) == ("payment.refund", "all that is left")
    assert (await refund_of(asking)) == {**before, "allowed": True, "reason": None}
    # There is no Temporal here that has its run.
    refused(await asking.post(path, {}, key=key), 503, "service.unavailable")
    refused(await asking.post(path, {"amount": "100.00"}, key=new_key()), 503, "service.unavailable")


async def test_same_request_of_another_operator_approves(two: tuple[Caller, Caller], new_tenant: NewTenant) -> None:
    asking, other = two
    tenant = await new_tenant("owner")
    refused(await agree(asking, tenant), 403, "approval.required")
    assert good(await agree(other, tenant))["currency"] == "EUR"
    (entry,) = good(await asking.get("/approvals?limit=1"))["data"]
    assert entry["status"] == "used"


async def test_operator_with_a_second_key_of_its_own_making_is_still_one(
    two: tuple[Caller, Caller], new_tenant: NewTenant
) -> None:
    insider, _ = two
    tenant = await new_tenant("owner")
    body = {"principal": f"accomplice-{next(NUMBERS)}", "role": "operator"}
    before = Caller(insider.http, good(await insider.post("/api-keys", body, key=new_key()), 201)["secret"])
    needed = refused(await agree(insider, tenant), 403, "approval.required")
    path = f"/approvals/{needed['approval_id']}/approve"
    refused(await before.post(path), 409, "approval.same_operator")
    refused(await agree(before, tenant), 409, "approval.same_operator")


async def test_accomplice_that_has_issued_itself_its_second_key_is_still_the_same_operator(
    two: tuple[Caller, Caller], new_tenant: NewTenant
) -> None:
    insider, other = two
    tenant, elsewhere = await new_tenant("owner"), await new_tenant("owner")
    body = {"principal": f"accomplice-{next(NUMBERS)}", "role": "operator"}
    first = Caller(insider.http, good(await insider.post("/api-keys", body, key=new_key()), 201)["secret"])
    second = Caller(insider.http, good(await first.post("/api-keys", body, key=new_key()), 201)["secret"])
    needed = refused(await agree(insider, tenant), 403, "approval.required")
    path = f"/approvals/{needed['approval_id']}/approve"
    refused(await second.post(path), 409, "approval.same_operator")
    refused(await agree(second, tenant), 409, "approval.same_operator")
    good(await other.post(path))
    needed = refused(await agree(second, elsewhere), 403, "approval.required")
    path = f"/approvals/{needed['approval_id']}/approve"
    refused(await insider.post(path), 409, "approval.same_operator")
    good(await other.post(path))


async def issued(by: Caller, principal: str = "") -> Caller:
    body = {"principal": principal or f"accomplice-{next(NUMBERS)}", "role": "operator"}
    return Caller(by.http, good(await by.post("/api-keys", body, key=new_key()), 201)["secret"])


@pytest.mark.parametrize("shape", ["siblings", "grandchild", "cousins", "named-bootstrap"])
async def test_keys_that_lead_back_to_one_operator_are_one_approver(
    shape: str, two: tuple[Caller, Caller], new_tenant: NewTenant
) -> None:
    """Otherwise an operator that issues keys to invented names could request as one of them and approve as another."""
    insider, other = two
    tenant = await new_tenant("owner")
    if shape == "siblings":
        asks, approves = await issued(insider), await issued(insider)
    elif shape == "grandchild":
        asks, approves = insider, await issued(await issued(insider))
    elif shape == "cousins":
        asks, approves = await issued(await issued(insider)), await issued(await issued(insider))
    else:
        named = await issued(insider, "Bootstrap")
        asks, approves = insider, await issued(named)
    needed = refused(await agree(asks, tenant), 403, "approval.required")
    path = f"/approvals/{needed['approval_id']}/approve"
    refused(await approves.post(path), 409, "approval.same_operator")
    refused(await agree(approves, tenant), 409, "approval.same_operator")
    good(await other.post(path))


async def test_operator_is_one_however_the_name_of_its_keys_is_written(
    two: tuple[Caller, Caller], new_tenant: NewTenant
) -> None:
    """A new key may have another spelling of its principal's name."""
    _, other = two
    tenant, name = await new_tenant("owner"), f"insider-{next(NUMBERS)}"

    async def issue(by: Caller, principal: str) -> tuple[Caller, str]:
        made = good(await by.post("/api-keys", {"principal": principal, "role": "operator"}, key=new_key()), 201)
        return Caller(by.http, made["secret"]), made["id"]

    insider, first = await issue(other, name)
    accomplice, _ = await issue(insider, f"accomplice-{next(NUMBERS)}")
    assert (await other.delete(f"/api-keys/{first}")).status_code == 200
    insider, _ = await issue(other, name.upper())
    needed = refused(await agree(insider, tenant), 403, "approval.required")
    refused(await accomplice.post(f"/approvals/{needed['approval_id']}/approve"), 409, "approval.same_operator")
    refused(await agree(accomplice, tenant), 409, "approval.same_operator")


async def test_unused_approval_can_be_withdrawn(two: tuple[Caller, Caller], new_tenant: NewTenant) -> None:
    """The approval was a mistake, or the key was used by somebody else."""
    asking, other = two
    tenant = await new_tenant("owner")
    needed = refused(await agree(asking, tenant), 403, "approval.required")
    path = f"/approvals/{needed['approval_id']}"
    good(await other.post(f"{path}/approve"))
    taken_back = good(await other.post(f"{path}/reject"))
    assert taken_back["status"] == "rejected"
    assert good(await other.post(f"{path}/reject")) == taken_back
    refused(await asking.post(f"{path}/reject"), 409, "approval.decided")
    refused(await other.post(f"{path}/approve"), 409, "approval.decided")
    again = refused(await agree(asking, tenant), 403, "approval.required")
    assert again["approval_id"] != needed["approval_id"]
    entries = good(await asking.get(f"/audit?target={needed['approval_id']}"))["data"]
    assert [entry["action"] for entry in entries] == ["approval.reject", "approval.approve", "approval.request"]
    # A used approval has ended.
    path = f"/approvals/{again['approval_id']}"
    good(await other.post(f"{path}/approve"))
    good(await agree(asking, tenant))
    refused(await other.post(f"{path}/reject"), 409, "approval.decided")


async def test_of_concurrent_use_and_withdrawal_one_succeeds(two: tuple[Caller, Caller], new_tenant: NewTenant) -> None:
    asking, other = two
    for _ in range(5):
        tenant = await new_tenant("owner")
        needed = refused(await agree(asking, tenant), 403, "approval.required")
        path = f"/approvals/{needed['approval_id']}"
        good(await other.post(f"{path}/approve"))
        done, taken_back = await asyncio.gather(agree(asking, tenant), other.post(f"{path}/reject"))
        assert (done.status_code, taken_back.status_code) in {(200, 409), (403, 200)}


async def test_rejected_and_expired_requests_cannot_be_used(
    two: tuple[Caller, Caller], new_tenant: NewTenant, database_urls: DatabaseUrls
) -> None:
    asking, other = two
    tenant = await new_tenant("owner")
    needed = refused(await agree(asking, tenant), 403, "approval.required")
    assert good(await other.post(f"/approvals/{needed['approval_id']}/reject"))["status"] == "rejected"
    again = refused(await agree(asking, tenant), 403, "approval.required")
    assert again["approval_id"] != needed["approval_id"]
    owner = await asyncpg.connect(database_urls.owner.replace("+asyncpg", ""))
    await owner.execute("UPDATE approvals SET expires_at = now() - interval '1 s' WHERE id = $1", again["approval_id"])
    await owner.close()
    refused(await other.post(f"/approvals/{again['approval_id']}/approve"), 409, "approval.decided")
    for status, expected in {"requested": [], "rejected": [needed], "expired,rejected": [again, needed]}.items():
        listed = good(await other.get(f"/approvals?subject={tenant.org_id}&status={status}"))["data"]
        assert [row["id"] for row in listed] == [each["approval_id"] for each in expected]
