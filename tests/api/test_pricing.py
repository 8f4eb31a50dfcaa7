"""Prices over HTTP: rules by operators, prices that explain themselves, quotes that are used once."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from domain.common.ids import escrow_id_of
from domain.common.money import parse_amount
from domain.risk.case import HoldKind, NewHold
from repositories.risk import case as cases
from runtime.database import Database
from runtime.identity import new_id
from tests.api.conftest import Caller, NewTenant, Tenant, forget, good, new_key, refused
from tests.api.metering import event, send, statuses
from tests.api.related import share
from tests.api.test_reputation import settle, work
from tests.conftest import DatabaseUrls
from tests.support.cases import for_each
from tests.support.connections import as_owner

pytestmark = pytest.mark.db


class Shop:
    """An agent with a price of 10 credits and what operators do to it; its rules are ended when a test ends."""

    def __init__(self, seller: Tenant, operator: Caller, agent_id: str) -> None:
        self.seller, self.operator, self.agent_id = seller, operator, agent_id
        self.rules: list[str] = []

    def rule(self, priority: int = 1, /, *, scoped: bool = True, **terms: Any) -> dict[str, Any]:
        more = {name: terms.pop(name) for name in list(terms) if name == "stacking"}
        more |= {"organization_id": terms.pop("organization_id")} if "organization_id" in terms else {}
        more |= {"agent_id": self.agent_id} if scoped else {}
        return {"name": f"rule {priority}", "priority": priority, "terms": terms, **more}

    async def add(self, priority: int = 1, /, **terms: Any) -> dict[str, Any]:
        made: dict[str, Any] = good(await self.operator.post("/pricing/rules", self.rule(priority, **terms)), 201)
        self.rules.append(made["id"])
        return made

    async def refuse(self, code: str, priority: int = 1, /, **terms: Any) -> dict[str, Any]:
        return refused(await self.operator.post("/pricing/rules", self.rule(priority, **terms)), 422, code)

    async def price(self, by: Caller, **query: Any) -> dict[str, Any]:
        found: dict[str, Any] = good(await by.get(f"/payments/pricing/{self.agent_id}", params=query))
        return found

    async def quote(self, by: Caller, **body: Any) -> dict[str, Any]:
        made: dict[str, Any] = good(await by.post(f"/payments/pricing/{self.agent_id}/quotes", body), 201)
        return made

    async def set(self, **said: Any) -> None:
        good(await self.seller.owner.ask("PUT", f"/pricing/agents/{self.agent_id}", json=said))


async def make_by(urls: DatabaseUrls, org_id: str | None, made_by: str | None = None) -> None:
    """Set the maker of an organization, or none, because the tests' operator would relate all of them."""
    statement = "UPDATE organizations SET created_by = coalesce($2, id) WHERE id = $1"
    await as_owner(urls, statement, org_id, made_by)


@pytest.fixture(scope="session")
def new_tenant(new_tenant: NewTenant, database_urls: DatabaseUrls) -> NewTenant:
    async def make(*roles: str) -> Tenant:
        made = await new_tenant(*roles)
        await make_by(database_urls, made.org_id)
        return made

    return make


@pytest.fixture
async def shop(operator: Caller, new_tenant: NewTenant, database_urls: DatabaseUrls) -> AsyncIterator[Shop]:
    seller = await new_tenant("owner")
    pricing = {"model": "one_time", "amount": "10", "currency": "CREDIT"}
    agent = good(
        await seller.owner.post("/agents", {"name": "Priced", "visibility": "public", "pricing": pricing}), 201
    )
    found = Shop(seller, operator, agent["id"])
    yield found
    for rule in found.rules:
        good(await operator.delete(f"/pricing/rules/{rule}"))
    # A later proof of this database's books must not find escrows without money.
    await as_owner(database_urls, "DELETE FROM escrows WHERE agent_id = $1", found.agent_id)


@pytest.fixture
async def client(new_tenant: NewTenant) -> Tenant:
    return await new_tenant("owner", "auditor")


def award(shop: Shop, **more: Any) -> dict[str, Any]:
    return {"agent_id": shop.agent_id, "title": "a", **more}


async def fund(
    database: Database, shop: Shop, payer: Caller, jobs: int, status: str = "funded", price: str = "10", back: str = "0"
) -> None:
    """Write open work, as escrows do, of which some was refunded."""
    for _ in range(jobs):
        contract = good(await payer.post("/contracts", award(shop, price=price)), 201)
        async with database.platform() as session:
            await session.execute(
                text(
                    "INSERT INTO escrows (id, contract_id, org_id, payee_org_id, signatory_org_ids, agent_id,"
                    " workflow_id, status, version, currency, amount_minor, funded_minor, released_minor,"
                    " refunded_minor, commission_minor, state, created_at, updated_at)"
                    " VALUES (:id, :contract, :org, :payee, '{}', :agent, 'w', :status, 1, 'CREDIT', :amount,"
                    " :amount, :paid, :back, 0, '{}', now(), now())"
                ),
                {
                    "id": escrow_id_of(contract["id"]),
                    "contract": contract["id"],
                    "org": payer.org_id,
                    "payee": shop.seller.org_id,
                    "agent": shop.agent_id,
                    "status": status,
                    "amount": parse_amount(price, "CREDIT"),
                    "paid": parse_amount(price, "CREDIT") if status == "released" else 0,
                    "back": parse_amount(back, "CREDIT", zero=True),
                },
            )


async def paid_work(database: Database, shop: Shop, payer: Tenant, urls: DatabaseUrls, days: int = 121) -> None:
    """Buy 100 credits for an organization and pay 50 of them to the seller's agent, a number of days ago."""
    await settle(shop.operator, database, payer, shop.seller, at=datetime.now(UTC))
    aged = """
        UPDATE escrows SET updated_at = now() - $2 * interval '1 day'
        WHERE org_id = $1 AND updated_at > now() - interval '1 day'
    """
    await as_owner(urls, aged, payer.org_id, days)


async def test_price_has_the_shape_that_clients_rely_on(
    shop: Shop, client: Tenant, new_tenant: NewTenant, database: Database
) -> None:
    rule = shop.rule(type="surge", threshold="0.8", maximum="1.20") | {"name": "surge_pricing_0.8"}
    shop.rules.append(good(await shop.operator.post("/pricing/rules", rule), 201)["id"])
    await shop.set(capacity=4)
    for _ in range(4):
        await fund(database, shop, (await new_tenant("owner")).owner, 1)
    assert await shop.price(client.owner, base_price="10.00") == {
        "base_price": "10.00",
        "adjusted_price": "12.00",
        "multiplier": 1.2,
        "discount": "0.00",
        "borne_by": None,
        "adjustments": [
            {
                "rule": "surge_pricing_0.8",
                "type": "surge",
                "multiplier": 1.2,
                "description": "Surge pricing when demand exceeds 0.8",
            }
        ],
    }


async def test_price_without_a_rule_is_the_listings(shop: Shop, client: Tenant) -> None:
    plain = {"base_price": "20.00", "adjusted_price": "20.00", "multiplier": 1.0, "adjustments": []}
    plain |= {"discount": "0.00", "borne_by": None}
    assert await shop.price(client.owner, quantity=2) == plain
    assert await shop.price(shop.operator, quantity=2) == plain
    assert (await shop.price(client.owner, base_price="3", currency="JPY"))["base_price"] == "3"


async def test_demand_counts_open_work_of_others_and_of_each_a_quarter_at_most(
    shop: Shop, client: Tenant, database: Database
) -> None:
    await shop.add(type="surge", threshold="0.1")
    await shop.set(capacity=8)
    await fund(database, shop, shop.seller.owner, 5)
    await fund(database, shop, client.owner, 3, "released")
    assert (await shop.price(client.owner))["multiplier"] == 1.0
    await fund(database, shop, client.owner, 5, "delivered")
    explained = good(await shop.operator.get(f"/payments/pricing/{shop.agent_id}/explanation"))
    assert "2 funded jobs of unrelated organizations count as demand, which is 0.25 of its capacity" in str(explained)


async def test_work_below_half_of_the_listed_price_is_no_demand(
    shop: Shop, client: Tenant, new_tenant: NewTenant, database: Database
) -> None:
    await shop.set(capacity=4)
    await shop.add(type="surge", threshold="0.1")
    await fund(database, shop, (await new_tenant("owner")).owner, 1, price="0.01")
    await fund(database, shop, (await new_tenant("owner")).owner, 1, price="4.99")
    await fund(database, shop, (await new_tenant("owner")).owner, 1, price="10", back="5.01")
    assert (await shop.price(client.owner))["multiplier"] == 1.0
    await fund(database, shop, (await new_tenant("owner")).owner, 1, price="5")
    assert (await shop.price(client.owner))["multiplier"] > 1.0


async def test_demand_of_related_organizations_is_that_of_one_and_of_probes_and_the_sellers_own_none(
    shop: Shop, new_tenant: NewTenant, database: Database, database_urls: DatabaseUrls
) -> None:
    await shop.set(capacity=8)
    ring = [await new_tenant("owner") for _ in range(3)]
    for payer in ring:
        await fund(database, shop, payer.owner, 2)
    await shop.add(type="surge", threshold="0.1")

    async def counted() -> str:
        path = f"/payments/pricing/{shop.agent_id}/explanation"
        evidence: list[str] = good(await shop.operator.get(path))["evidence"]
        return evidence[1].partition("; ")[2].partition(" ")[0]

    assert await counted() == "6"
    trait = "INSERT INTO organization_traits (org_id, kind, digest) VALUES ($1, 'probe', $1)"
    await as_owner(database_urls, trait, ring[0].org_id)
    assert await counted() == "4"
    for payer in ring:
        await make_by(database_urls, payer.org_id, "ring")
    assert await counted() == "2"
    await make_by(database_urls, shop.seller.org_id, "ring")
    assert await counted() == "0"


@pytest.mark.parametrize("what", ["tax id", "payout account"])
async def test_pitfall_43_organizations_with_a_shared_tax_id_or_payout_account_move_no_price(
    shop: Shop, client: Tenant, database: Database, database_urls: DatabaseUrls, what: str
) -> None:
    await shop.set(capacity=4, bears_discounts=True)
    await trust(database_urls, client.org_id, 40)
    await fund(database, shop, client.owner, 1)
    await paid_work(database, shop, client, database_urls)
    await shop.add(type="surge", threshold="0.1")
    await shop.add(2, type="volume", currency="CREDIT", steps=[{"amount": "1.00", "multiplier": "0.90"}])
    lines = (await shop.price(client.owner))["adjustments"]
    assert [line["type"] for line in lines] == ["surge", "volume", "reputation"]
    await share(database_urls, what, client.org_id, shop.seller.org_id)
    assert (await shop.price(client.owner))["adjustments"] == []


@pytest.mark.parametrize("how", ["made by an operator", "chain"])
async def test_organizations_with_a_shared_card_are_related_also_under_another_name(
    shop: Shop, client: Tenant, new_tenant: NewTenant, database: Database, database_urls: DatabaseUrls, how: str
) -> None:
    await shop.set(capacity=4, bears_discounts=True)
    await trust(database_urls, client.org_id, 40)
    await fund(database, shop, client.owner, 1)
    await paid_work(database, shop, client, database_urls)
    await shop.add(type="surge", threshold="0.1")
    await shop.add(2, type="volume", currency="CREDIT", steps=[{"amount": "1.00", "multiplier": "0.90"}])
    if how == "chain":
        # The client is known by the first of those that it shares something with, which is not the seller's first.
        first = f"org_{'0' * 25}1"
        made = "INSERT INTO organizations (id, name, created_by, command_id) VALUES ($1, $1, $1, $1)"
        await as_owner(database_urls, made, first)
        await share(database_urls, "card", first, client.org_id)
    else:
        await make_by(database_urls, client.org_id, "somebody")
    await share(database_urls, "card", client.org_id, shop.seller.org_id)
    assert (await shop.price(client.owner))["adjustments"] == []


async def test_calls_of_the_last_day_are_demand(shop: Shop, new_tenant: NewTenant) -> None:
    await shop.add(type="surge", threshold="0.2", full="0.5")
    await shop.set(calls_per_day=100)
    for days, calls in ((0, 10), (0, 90), (2, 10)):
        at = (datetime.now(UTC) - timedelta(days=days)).isoformat()
        caller = await new_tenant("owner")
        sent = await send(caller.owner, *(event(time=at, data={"agent_id": shop.agent_id}) for _ in range(calls)))
        assert set(statuses(sent)) == {"accepted"}
    explained = good(await shop.operator.get(f"/payments/pricing/{shop.agent_id}/explanation"))
    assert "35 of the last day, of unrelated organizations, count as demand, which is 0.35" in str(explained)
    assert explained["adjusted_price"] == "12.50"


async def test_one_organization_alone_moves_no_price_by_calls(shop: Shop, new_tenant: NewTenant) -> None:
    await shop.add(type="surge", threshold="0.25")
    caller = await new_tenant("owner")
    at = datetime.now(UTC).isoformat()
    sent = await send(caller.owner, *(event(time=at, data={"agent_id": shop.agent_id}) for _ in range(9)))
    assert set(statuses(sent)) == {"accepted"}
    for calls_per_day in (1, 3, 4, 7, 100):
        await shop.set(calls_per_day=calls_per_day)
        assert (await shop.price(caller.owner))["multiplier"] == 1.0


async def test_rule_is_for_any_plan_that_is_sold_and_no_other(shop: Shop, client: Tenant, database: Database) -> None:
    rule = await shop.add(type="tier", tier="enterprise", multiplier="0.90")
    assert (await shop.price(client.owner))["adjusted_price"] == "10.00"
    async with database.platform() as session:
        await session.execute(
            text("UPDATE organizations SET tier = 'enterprise' WHERE id = :id"), {"id": client.org_id}
        )
    assert (await shop.price(client.owner))["adjusted_price"] == "9.50"
    assert rule["terms"]["tier"] == "enterprise"
    unknown = shop.rule(type="tier", tier="enterprize", multiplier="0.90")
    refused(await shop.operator.post("/pricing/rules", unknown), 422, "request.invalid")
    refused(await shop.operator.ask("PUT", f"/pricing/rules/{rule['id']}", json=unknown), 422, "request.invalid")


async def test_change_of_a_rule_counts_with_the_next_price(shop: Shop, client: Tenant, database: Database) -> None:
    rule = await shop.add(type="tier", tier="free", multiplier="1.10")
    assert (await shop.price(client.owner))["adjusted_price"] == "11.00"
    path, body = f"/pricing/rules/{rule['id']}", shop.rule(type="tier", tier="free", multiplier="1.30")
    changed = good(await shop.operator.ask("PUT", path, json=body))
    assert (changed["version"], changed["terms"]["multiplier"]) == (2, "1.30")
    async with database.platform() as session:
        same = "SELECT book_version = (SELECT version FROM pricing_book) FROM pricing_rules WHERE id = :id"
        assert await session.scalar(text(same), {"id": rule["id"]})
    assert (await shop.price(client.owner))["adjusted_price"] == "13.00"
    assert good(await shop.operator.delete(path))["ended_at"] == good(await shop.operator.delete(path))["ended_at"]
    assert (await shop.price(client.owner))["adjusted_price"] == "10.00"
    refused(await shop.operator.ask("PUT", path, json=body), 404, "not_found")
    assert good(await shop.operator.get(path))["ended_at"] is not None
    listed = good(await shop.operator.get("/pricing/rules", params={"agent_id": shop.agent_id}))["data"]
    assert listed == []


ALL_TERMS: list[dict[str, Any]] = [
    {"type": "surge", "threshold": "0.80", "maximum": "1.50", "full": "1.00"},
    {"type": "time_of_day", "zone": "Europe/Vienna", "multiplier": "1.10", "weekdays": [5, 6], "begins": "22:00"}
    | {"ends": "06:00"},
    {"type": "bulk", "steps": [{"quantity": 10, "multiplier": "0.95"}]},
    {"type": "volume", "currency": "USD", "steps": [{"amount": "100.00", "multiplier": "0.90"}]},
    {"type": "tier", "tier": "premium", "multiplier": "0.9725"},
    {"type": "contract_price", "unit_price": "8.00", "currency": "CREDIT"},
    {"type": "custom", "expression": "quantity > 5 ? 9000 : 10000"},
    {"type": "bounds", "floor": "0.50", "ceiling": "2.00", "floor_amount": "1.00", "ceiling_amount": None}
    | {"currency": "CREDIT"},
]


@pytest.mark.parametrize("terms", ALL_TERMS, ids=lambda terms: terms["type"])
async def test_every_kind_of_rule_is_kept_as_it_was_written(shop: Shop, client: Tenant, terms: dict[str, Any]) -> None:
    more = {"organization_id": client.org_id} if terms["type"] == "contract_price" else {}
    made = await shop.add(7, **terms, **more)
    assert made["terms"] == terms
    assert good(await shop.operator.get(f"/pricing/rules/{made['id']}")) == made
    assert (await shop.price(client.owner))["base_price"] == "10.00"


async def test_rule_of_a_command_is_made_once(shop: Shop) -> None:
    key, body = new_key(), shop.rule(type="tier", tier="free", multiplier="1.10")
    made = [good(await shop.operator.post("/pricing/rules", body, key=key), 201)["id"] for _ in range(2)]
    shop.rules.append(made[0])
    assert made[0] == made[1]


async def test_forgotten_key_of_a_rule_makes_no_other_one(shop: Shop, database: Database) -> None:
    key = new_key()
    body = shop.rule(type="tier", tier="free", multiplier="1.10") | {"valid_until": "2030-01-01T00:00:00Z"}
    made = good(await shop.operator.post("/pricing/rules", body, key=key), 201)
    shop.rules.append(made["id"])
    for other, code in (({}, None), ({"valid_until": "2031-01-01T00:00:00Z"}, "idempotency.conflict")):
        await forget(database, key)
        answer = await shop.operator.post("/pricing/rules", body | other, key=key)
        assert good(answer, 201) == made if code is None else refused(answer, 422, code)


@for_each(
    "terms, code, field",
    [
        ({"type": "bounds", "floor": "2", "ceiling": "1"}, "pricing.floor_above_ceiling", "terms.floor"),
        (
            {"type": "time_of_day", "zone": "Mars/Base", "multiplier": "1.1"},
            "pricing.unknown_zone",
            "terms.zone",
        ),
        ({"type": "bulk", "steps": [{"quantity": 2, "multiplier": "0.4"}]}, "pricing.total_falls", "terms.steps"),
        ({"type": "tier", "tier": "free", "multiplier": "1.00001"}, "pricing.rule_invalid", "terms.multiplier"),
        ({"type": "custom", "expression": "1.2"}, "pricing.expression_result", "terms.expression"),
        ({"type": "custom", "expression": "10000 +"}, "pricing.expression_invalid", "terms.expression"),
        ({"type": "custom", "expression": "[1].map(x, x)[0]"}, "pricing.expression_unsafe", "terms.expression"),
        ({"type": "custom", "expression": "10000" + " " * 996}, "pricing.expression_too_long", "terms.expression"),
    ],
)
async def test_bad_rule_is_refused_with_its_field(shop: Shop, terms: dict[str, Any], code: str, field: str) -> None:
    assert (await shop.refuse(code, **terms))["field"] == field


async def test_refusal_names_the_position_of_an_error_in_an_expression(shop: Shop) -> None:
    for code, expression, position in (
        ("unsafe", "10000 + size(tier)", 9),
        ("too_long", "10000" + " " * 996, 1_001),
        ("result", "10000 / demand", 7),
        ("result", "quantity * 100", 1),
    ):
        document = await shop.refuse(f"pricing.expression_{code}", type="custom", expression=expression)
        assert document["position"] == position


async def test_two_rules_that_can_meet_need_different_priorities(shop: Shop, client: Tenant) -> None:
    first = await shop.add(type="tier", tier="free", multiplier="1.10")
    again = {"type": "surge", "threshold": "0.8"}
    assert (await shop.refuse("pricing.overlap", **again))["rule_id"] == first["id"]
    await shop.refuse("pricing.overlap", **again, organization_id=client.org_id)
    second = await shop.add(2, **again)
    path = f"/pricing/rules/{second['id']}"
    refused(await shop.operator.ask("PUT", path, json=shop.rule(**again)), 422, "pricing.overlap")


async def test_rule_that_has_expired_keeps_its_priority_from_no_other(shop: Shop, database_urls: DatabaseUrls) -> None:
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    body = shop.rule(type="tier", tier="free", multiplier="0.90") | {"valid_until": soon}
    sale = good(await shop.operator.post("/pricing/rules", body), 201)
    shop.rules.append(sale["id"])
    await shop.refuse("pricing.overlap", type="tier", tier="free", multiplier="0.95")
    over = "UPDATE pricing_rules SET valid_until = now() - interval '1 second' WHERE id = $1"
    await as_owner(database_urls, over, sale["id"])
    tried = {"rule": shop.rule(type="tier", tier="free", multiplier="0.95")}
    good(await shop.operator.post("/pricing/rules/dry-run", tried))
    await shop.add(type="tier", tier="free", multiplier="0.95")
    # Once it is to hold again, both can meet.
    refused(await shop.operator.ask("PUT", f"/pricing/rules/{sale['id']}", json=body), 422, "pricing.overlap")


async def test_score_of_the_seller_raises_the_price_unless_a_case_holds_it(
    shop: Shop, client: Tenant, database: Database
) -> None:
    await shop.add(type="reputation", whose="seller", multiplier="1.20")
    assert (await shop.price(client.owner))["adjusted_price"] == "10.00"
    async with database.platform() as session:
        await session.execute(
            text(
                "INSERT INTO reputation_agents (agent_id, started_on, evidence_e6, response_buckets, stars_e6,"
                " rank_e6) VALUES (:agent, current_date, 12000000, '{}', 990000, 800000)"
            ),
            {"agent": shop.agent_id},
        )
    price = await shop.price(client.owner)
    assert (price["adjusted_price"], price["adjustments"][0]["description"]) == (
        "11.00",
        "The seller's score is at least 8.0 from 12 units of evidence",
    )
    hold = NewHold(kind=HoldKind.SCORE, subject=shop.agent_id, org_id=shop.seller.org_id)
    async with database.platform() as session:
        await cases.hold(session, new_id(cases.PREFIX), [hold], datetime.now(UTC))
    assert (await shop.price(client.owner))["adjusted_price"] == "10.00"


async def trust(
    urls: DatabaseUrls, org_id: str | None, good: int, *, bad: int = 0, idle: int = 0, stays: int | None = None
) -> None:
    """Write the trust in an organization as a client, in units of evidence, after a number of idle nights.

    `stays` is the good evidence that can no longer be charged back; by default all of it.
    """
    today = "(now() AT TIME ZONE 'UTC')::date"
    for table, prior, units in (
        ("reputation_clients", ", 500000", good),
        ("reputation_seasoned_clients", "", good if stays is None else stays),
    ):
        await as_owner(
            urls,
            f"INSERT INTO {table} (org_id, good_e6, bad_e6, since, held_e6, through{', prior_e6' if prior else ''})"
            f" VALUES ($1, $2, $3, {today} - $4::integer, $3, {today}{prior})"
            " ON CONFLICT (org_id) DO UPDATE SET good_e6 = $2, held_e6 = $3, since = excluded.since",
            org_id,
            units * 1_000_000,
            bad * 1_000_000,
            idle,
        )


async def test_trusted_client_pays_less_without_any_rule_of_an_operator(
    shop: Shop, client: Tenant, database_urls: DatabaseUrls
) -> None:
    await shop.set(bears_discounts=True)
    assert (await shop.price(client.owner))["adjusted_price"] == "10.00"
    prices = []
    for good_units, bad, idle in ((9, 0, 0), (12, 0, 0), (40, 0, 0), (40, 0, 90), (40, 30, 0)):
        await trust(database_urls, client.org_id, good_units, bad=bad, idle=idle)
        prices.append((await shop.price(client.owner))["adjusted_price"])
    assert prices == ["10.00", "8.38", "8.00", "10.00", "10.00"]
    await trust(database_urls, client.org_id, 40, stays=0)
    assert (await shop.price(client.owner))["adjusted_price"] == "10.00"
    await trust(database_urls, client.org_id, 12)
    (line,) = (await shop.price(client.owner))["adjustments"]
    assert (line["rule"], line["type"]) == ("trusted_client", "reputation")
    assert line["description"] == "The client's score is at least 8.6 from 12 units of evidence"
    price = await shop.price(client.owner)
    assert (price["discount"], price["borne_by"]) == ("1.62", "agent")
    await shop.set()
    quote = await shop.quote(client.owner)
    assert (quote["adjusted_price"], quote["commission_bps"]) == ("9.50", 0)
    assert (quote["discount"], quote["borne_by"]) == ("0.50", "platform")
    explained = good(
        await shop.operator.get(
            f"/payments/pricing/{shop.agent_id}/explanation", params={"organization_id": client.org_id}
        )
    )
    assert (
        explained["evidence"][-1] == "The platform bears discounts, from its commission, up to 5 % of the base price."
    )


async def test_trusted_buying_agent_keeps_its_price_and_its_organization_awards_at_it(
    shop: Shop, new_tenant: NewTenant, database_urls: DatabaseUrls
) -> None:
    buying = await new_tenant("owner", "agent", "auditor")
    await shop.set(bears_discounts=True)
    today = "(now() AT TIME ZONE 'UTC')::date"
    for table, columns, values in (
        ("reputation_agents", "started_on, response_buckets, stars_e6, rank_e6", f"{today}, '{{}}', 990000, 990000"),
        (
            "reputation_seasoned",
            "through, evidence_count, good_e6, bad_e6, held_e6, since, evidence_e6",
            f"{today}, 40, array_fill(40000000::bigint, ARRAY[5]), array_fill(0::bigint, ARRAY[5]),"
            f" array_fill(0::bigint, ARRAY[5]), array_fill({today}, ARRAY[5]), 40000000",
        ),
    ):
        statement = f"INSERT INTO {table} (agent_id, {columns}) VALUES ($1, {values})"
        await as_owner(database_urls, statement, buying.agent_id)
    price = await shop.price(buying.agent)
    assert (price["adjusted_price"], price["adjustments"][0]["description"]) == (
        "8.00",
        "The buying agent's score is at least 9.5 from 40 units of evidence",
    )
    assert (await shop.price(buying.owner))["adjusted_price"] == "10.00"
    path = f"/payments/pricing/{shop.agent_id}/quotes"
    refused(await buying.auditor.post(path, {}), 403, "auth.forbidden")
    quote = await shop.quote(buying.agent)
    assert quote["adjusted_price"] == "8.00"
    assert good(await buying.owner.post("/contracts", award(shop, quote_id=quote["id"])), 201)["price"] == "8.00"


async def test_trusted_client_earns_nothing_with_its_own_agents_or_related_ones(
    shop: Shop, client: Tenant, database_urls: DatabaseUrls
) -> None:
    await shop.set(bears_discounts=True)
    await trust(database_urls, shop.seller.org_id, 40)
    assert (await shop.price(shop.seller.owner))["adjusted_price"] == "10.00"
    await trust(database_urls, client.org_id, 40)
    assert (await shop.price(client.owner))["adjusted_price"] == "8.00"
    for org_id in (client.org_id, shop.seller.org_id):
        await make_by(database_urls, org_id, "somebody")
    assert (await shop.price(client.owner))["adjusted_price"] == "10.00"
    path = f"/payments/pricing/{shop.agent_id}/explanation"
    explained = good(await shop.operator.get(path, params={"organization_id": client.org_id}))
    assert "are the same or related, so the client's score gives no discount" in str(explained["evidence"])


async def test_rule_for_nobody_is_refused(shop: Shop) -> None:
    body = shop.rule(type="tier", tier="free", multiplier="1.10") | {"agent_id": f"agt_{'0' * 26}"}
    refused(await shop.operator.post("/pricing/rules", body), 404, "not_found")


async def test_agreed_price_is_for_one_client(shop: Shop, client: Tenant, stranger: Tenant) -> None:
    await shop.add(type="contract_price", unit_price="9.80", organization_id=client.org_id)
    assert (await shop.price(client.owner))["adjusted_price"] == "9.80"
    assert (await shop.price(stranger.owner))["adjusted_price"] == "10.00"
    assert (await shop.price(shop.operator, organization_id=client.org_id))["adjusted_price"] == "9.80"


async def test_volume_counts_payments_to_unrelated_organizations(
    shop: Shop, client: Tenant, database: Database, database_urls: DatabaseUrls
) -> None:
    await shop.add(type="volume", steps=[{"amount": "60.00", "multiplier": "0.96"}])
    await paid_work(database, shop, client, database_urls)
    assert (await shop.price(client.owner))["adjusted_price"] == "10.00"
    await paid_work(database, shop, client, database_urls)
    assert (await shop.price(client.owner))["adjusted_price"] == "9.60"
    await paid_work(database, shop, shop.seller, database_urls)
    await paid_work(database, shop, shop.seller, database_urls)
    assert (await shop.price(shop.seller.owner))["adjusted_price"] == "10.00"
    for org_id in (client.org_id, shop.seller.org_id):
        await make_by(database_urls, org_id, "somebody")
    assert (await shop.price(client.owner))["adjusted_price"] == "10.00"


async def test_volume_leaves_out_payments_that_can_still_be_charged_back(
    shop: Shop, client: Tenant, database: Database, database_urls: DatabaseUrls
) -> None:
    await shop.add(type="volume", steps=[{"amount": "1.00", "multiplier": "0.96"}])
    for days in (1, 119, 151):
        await paid_work(database, shop, client, database_urls, days)
        assert (await shop.price(client.owner))["adjusted_price"] == "10.00"
    await paid_work(database, shop, client, database_urls, 149)
    assert (await shop.price(client.owner))["adjusted_price"] == "9.60"


async def test_volume_leaves_out_payments_with_credits_that_were_given_away(
    shop: Shop, client: Tenant, database: Database, database_urls: DatabaseUrls
) -> None:
    await shop.add(type="volume", steps=[{"amount": "20.00", "multiplier": "0.98"}])
    grant = {"organization_id": client.org_id, "amount": "70", "source": "reward"}
    good(await shop.operator.post("/credits/grants", grant, key=new_key()), 201)
    await work(shop.operator, database, client, shop.seller, at=datetime.now(UTC))
    assert (await shop.price(client.owner))["adjusted_price"] == "10.00"
    # The other 20 were given away as well, so 30 of 50 are paid.
    await paid_work(database, shop, client, database_urls)
    assert (await shop.price(client.owner))["adjusted_price"] == "9.80"
    query = {"organization_id": client.org_id}
    explained = str(good(await shop.operator.get(f"/payments/pricing/{shop.agent_id}/explanation", params=query)))
    assert "Rules by volume count 30.00 CREDIT that it paid in 30 days" in explained


async def test_volume_leaves_out_refunded_work(
    shop: Shop, client: Tenant, database: Database, database_urls: DatabaseUrls
) -> None:
    await shop.add(type="volume", steps=[{"amount": "1.00", "multiplier": "0.96"}])
    await paid_work(database, shop, client, database_urls)
    assert (await shop.price(client.owner))["adjusted_price"] == "9.60"
    recalled = "INSERT INTO reputation_recalls (escrow_id, payment_id) SELECT id, $1 FROM escrows WHERE org_id = $1"
    await as_owner(database_urls, recalled, client.org_id)
    assert (await shop.price(client.owner))["adjusted_price"] == "10.00"
    restored = "UPDATE reputation_recalls SET restored_at = now() WHERE payment_id = $1"
    await as_owner(database_urls, restored, client.org_id)
    assert (await shop.price(client.owner))["adjusted_price"] == "9.60"


async def test_discount_is_paid_from_the_commission_until_the_agent_bears_it(shop: Shop, client: Tenant) -> None:
    await shop.add(type="tier", tier="free", multiplier="0.80")
    cut = await shop.price(client.owner)
    assert (cut["adjusted_price"], [line["type"] for line in cut["adjustments"]]) == ("9.50", ["tier", "commission"])
    quote = await shop.quote(client.owner)
    assert (quote["adjusted_price"], quote["commission_bps"]) == ("9.50", 0)
    await shop.set(bears_discounts=True)
    assert (await shop.price(client.owner))["adjusted_price"] == "8.00"
    assert (await shop.quote(client.owner))["commission_bps"] == 500


async def test_quote_holds_when_the_rules_change_and_gives_the_contract_price_and_commission(
    shop: Shop, client: Tenant
) -> None:
    rule = await shop.add(type="tier", tier="free", multiplier="0.98")
    before = datetime.now(UTC)
    quote = await shop.quote(client.owner, quantity=10)
    assert (quote["base_price"], quote["adjusted_price"], quote["currency"]) == ("100.00", "98.00", "CREDIT")
    lasts = timedelta(minutes=15)
    assert before + lasts <= datetime.fromisoformat(quote["expires_at"]) <= datetime.now(UTC) + lasts
    # Its base price is the listing's, whatever a client would like.
    refused(
        await client.owner.post(f"/payments/pricing/{shop.agent_id}/quotes", {"base_price": "1"}),
        422,
        "request.invalid",
    )
    assert quote["adjustments"][0]["rule"] == "rule 1"
    good(await shop.operator.delete(f"/pricing/rules/{rule['id']}"))
    body = award(shop, quote_id=quote["id"], quantity=10)
    contract = good(await client.owner.post("/contracts", body), 201)
    # The agent gets 95.00, as it would for 100.00 with a commission of 5 %.
    assert (contract["price"], contract["commission_bps"], contract["quote_id"]) == ("98.00", 306, quote["id"])
    used = good(await client.auditor.get(f"/payments/pricing/{shop.agent_id}/quotes/{quote['id']}"))
    assert (used["contract_id"], used["used_at"] is not None) == (contract["id"], True)
    refused(await client.owner.post("/contracts", body), 409, "pricing.quote_used")


async def test_discount_that_the_platform_pays_for_is_within_the_price_that_an_agent_lists(
    shop: Shop, client: Tenant
) -> None:
    listed = {"json": {"terms": {"price": {"min": "10.00", "currency": "CREDIT"}}}, "headers": {"If-Match": "*"}}
    good(await shop.seller.owner.ask("PATCH", f"/agents/{shop.agent_id}", **listed))
    await shop.add(type="tier", tier="free", multiplier="0.98")
    # The agent gets 9.50 of either price; once it bears discounts it gets 9.31.
    for bears, outside in ((False, []), (True, ["price"])):
        await shop.set(bears_discounts=bears)
        quote = await shop.quote(client.owner)
        assert quote["adjusted_price"] == "9.80"
        contract = good(await client.owner.post("/contracts", award(shop, quote_id=quote["id"])), 201)
        assert contract["outside_listing"] == outside


async def test_contract_of_a_quote_is_the_same_when_its_answer_was_lost(
    shop: Shop, client: Tenant, database: Database
) -> None:
    body, key = award(shop, quote_id=(await shop.quote(client.owner))["id"]), new_key()
    first = good(await client.owner.post("/contracts", body, key=key), 201)
    await forget(database, key)
    assert good(await client.owner.post("/contracts", body, key=key), 201)["id"] == first["id"]


async def test_quote_is_the_same_when_its_answer_was_lost_and_the_price_is_gone(
    shop: Shop, client: Tenant, database: Database
) -> None:
    path, key = f"/payments/pricing/{shop.agent_id}/quotes", new_key()
    first = good(await client.owner.post(path, {"quantity": 2}, key=key), 201)
    change = {"json": {"pricing": {"model": "free"}}, "headers": {"If-Match": "*"}}
    good(await shop.seller.owner.ask("PATCH", f"/agents/{shop.agent_id}", **change))
    await forget(database, key)
    assert good(await client.owner.post(path, {"quantity": 2}, key=key), 201) == first
    await forget(database, key)
    refused(await client.owner.post(path, {"quantity": 3}, key=key), 422, "idempotency.conflict")
    refused(await client.owner.post(path, {"quantity": 2}, key=new_key()), 422, "pricing.no_price")


async def test_quote_that_two_contracts_want_at_once_makes_one(shop: Shop, client: Tenant) -> None:
    body = award(shop, quote_id=(await shop.quote(client.owner))["id"])
    answers = await asyncio.gather(*(client.owner.post("/contracts", body, key=new_key()) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"pricing.quote_used"}


async def test_rules_that_are_written_at_once_never_share_a_priority(shop: Shop) -> None:
    body = shop.rule(type="tier", tier="free", multiplier="1.10")
    answers = await asyncio.gather(*(shop.operator.post("/pricing/rules", body, key=new_key()) for _ in range(4)))
    shop.rules += [answer.json()["id"] for answer in answers if answer.status_code == 201]
    assert sorted(answer.status_code for answer in answers) == [201, 422, 422, 422]


async def test_quote_of_a_command_is_made_once(shop: Shop, client: Tenant) -> None:
    path, key = f"/payments/pricing/{shop.agent_id}/quotes", new_key()
    made = [good(await client.owner.post(path, {}, key=key), 201)["id"] for _ in range(2)]
    assert made[0] == made[1]


async def test_quote_is_no_use_to_others_or_for_something_else(
    shop: Shop, client: Tenant, stranger: Tenant, tenant: Tenant
) -> None:
    quote = await shop.quote(client.owner, quantity=3)
    body = award(shop, quote_id=quote["id"])
    refused(await stranger.owner.post("/contracts", body), 404, "not_found")
    refused(await stranger.owner.get(f"/payments/pricing/{shop.agent_id}/quotes/{quote['id']}"), 404, "not_found")
    refused(await client.owner.get(f"/payments/pricing/{tenant.agent_id}/quotes/{quote['id']}"), 404, "not_found")
    for field, value in (("quantity", 4), ("price", "1"), ("currency", "USD"), ("agent_id", tenant.agent_id)):
        document = refused(await client.owner.post("/contracts", body | {field: value}), 422, "pricing.quote_mismatch")
        assert document["field"] == field
    good(await client.owner.post("/contracts", body | {"price": "30.00", "currency": "CREDIT"}), 201)


async def test_quote_expires(shop: Shop, client: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.marketplace.pricing.QUOTE_LIFETIME", timedelta(0))
    quote = await shop.quote(client.owner)
    refused(await client.owner.post("/contracts", award(shop, quote_id=quote["id"])), 409, "pricing.quote_expired")


async def test_contract_needs_a_price_or_a_quote(shop: Shop, client: Tenant, stranger: Tenant) -> None:
    unpriced = {**award(shop), "agent_id": stranger.agent_id}
    for body, field in ((unpriced, "price"), (award(shop, price="1", quantity=1), "quantity")):
        assert refused(await stranger.owner.post("/contracts", body), 422, "request.invalid")["field"] == field


async def test_listing_without_a_price_has_previews_only(client: Tenant, stranger: Tenant) -> None:
    path = f"/payments/pricing/{client.agent_id}"
    refused(await client.owner.get(path), 422, "pricing.no_price")
    refused(await client.owner.post(f"{path}/quotes", {}), 422, "pricing.no_price")
    assert good(await client.owner.get(path, params={"base_price": "1"}))["adjusted_price"] == "1.00"


async def test_private_agent_of_another_organization_has_no_price(client: Tenant, stranger: Tenant) -> None:
    hidden = {"name": "Hidden", "visibility": "private", "pricing": {"model": "one_time", "amount": "1"}}
    agent = good(await stranger.owner.post("/agents", hidden), 201)["id"]
    refused(await client.owner.get(f"/payments/pricing/{agent}"), 404, "not_found")
    refused(await client.owner.post(f"/payments/pricing/{agent}/quotes", {}), 404, "not_found")
    refused(await client.owner.get(f"/pricing/agents/{agent}"), 404, "not_found")
    good(await stranger.owner.get(f"/payments/pricing/{agent}"))


async def test_only_its_organization_sets_whether_an_agent_bears_discounts(shop: Shop, client: Tenant) -> None:
    path = f"/pricing/agents/{shop.agent_id}"
    refused(await client.owner.ask("PUT", path, json={"bears_discounts": True}), 404, "not_found")
    await shop.set(capacity=3)
    assert good(await shop.seller.owner.get(path))["capacity"] == 3


async def test_explanation_names_each_rule_and_why(shop: Shop, client: Tenant) -> None:
    await shop.add(1, type="tier", tier="premium", multiplier="0.90")
    await shop.add(2, type="custom", expression="quantity > 1 ? 11000 : 10000")
    path = f"/payments/pricing/{shop.agent_id}/explanation"
    refused(await client.owner.get(path), 403, "auth.forbidden")
    query = {"quantity": 2, "organization_id": client.org_id}
    explained = good(await shop.operator.get(path, params=query))
    assert (explained["adjusted_price"], explained["evidence"][0]) == (
        "22.00",
        "The base price of a unit is 10.00 CREDIT; the quantity is 2.",
    )
    mine = [rule for rule in explained["rules"] if rule["rule_id"] in shop.rules]
    assert [(rule["applied"], rule["reason"]) for rule in mine] == [
        (False, "The client's tier is free, not premium."),
        (True, "By the expression quantity > 1 ? 11000 : 10000"),
    ]


async def test_rule_is_tried_on_past_quotes_and_nothing_is_kept(shop: Shop, client: Tenant) -> None:
    for quantity in (1, 20):
        await shop.quote(client.owner, quantity=quantity)
    rule = shop.rule(type="bulk", steps=[{"quantity": 10, "multiplier": "0.97"}])
    tried = good(await shop.operator.post("/pricing/rules/dry-run", {"rule": rule}))
    assert (tried["quotes"], tried["changed"]) == (2, 1)
    assert tried["totals"] == [{"currency": "CREDIT", "quotes": 2, "before": "210.00", "after": "204.00"}]
    assert (tried["examples"][0]["before"], tried["examples"][0]["after"]) == ("200.00", "194.00")
    assert (await shop.price(client.owner, quantity=20))["adjusted_price"] == "200.00"
    body = {"rule": rule | {"terms": {"type": "bounds", "floor": "2", "ceiling": "1"}}}
    refused(await shop.operator.post("/pricing/rules/dry-run", body), 422, "pricing.floor_above_ceiling")


async def test_first_rule_of_its_kind_is_tried_on_values_measured_by_earlier_quotes(
    shop: Shop, client: Tenant, new_tenant: NewTenant, database: Database, database_urls: DatabaseUrls
) -> None:
    await shop.set(capacity=4)
    await paid_work(database, shop, client, database_urls)
    for _ in range(4):
        await fund(database, shop, (await new_tenant("owner")).owner, 1)
    # No rule needs these values, and the explanation contains them nevertheless.
    query = {"organization_id": client.org_id}
    explained = str(good(await shop.operator.get(f"/payments/pricing/{shop.agent_id}/explanation", params=query)))
    assert "4 funded jobs of unrelated organizations count as demand, which is 1.00 of its capacity" in explained
    assert "Rules by volume count 50.00 CREDIT that it paid in 30 days" in explained
    await shop.quote(client.owner)
    surge, volume = (
        {"type": "surge", "threshold": "0.5"},
        {"type": "volume", "steps": [{"amount": "1", "multiplier": "0.97"}]},
    )
    for terms, price in ((surge, "15.00"), (volume, "9.70")):
        tried = good(await shop.operator.post("/pricing/rules/dry-run", {"rule": shop.rule(**terms)}))
        assert [(it["before"], it["after"]) for it in tried["examples"]] == [("10.00", price)]


async def test_quote_in_the_books_takes_no_other_contract(shop: Shop, client: Tenant, database: Database) -> None:
    quote = await shop.quote(client.owner)
    other = good(await client.owner.post("/contracts", award(shop, price="1")), 201)
    with pytest.raises(Exception, match="a quote takes nothing but one contract at its price"):
        async with database.tenant(client.org_id) as session:
            await session.execute(
                text("UPDATE pricing_quotes SET used_at = now(), contract_id = :contract WHERE id = :id"),
                {"contract": other["id"], "id": quote["id"]},
            )


async def test_bad_query_is_refused(shop: Shop, client: Tenant) -> None:
    for query in ({"quantity": 0}, {"base_price": "0"}, {"base_price": "x"}, {"currency": "USD"}):
        response: httpx2.Response = await client.owner.get(f"/payments/pricing/{shop.agent_id}", params=query)
        refused(response, 422, "request.invalid")
    refused(await client.owner.get("/payments/pricing/agt_x"), 404, "not_found")
