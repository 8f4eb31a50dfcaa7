"""Levels by reputation over HTTP: what they set in contracts and quotes, and how much may be unsettled."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx2
import pytest

from activities.escrow.escrow import EscrowActivities
from api.app import create_app
from api.v1.escrows.commands import terms_of
from contracts.escrow.escrow import RecordedEscrow, RecordEscrowEvent
from domain.common.access import Actor, Role
from domain.escrow import commands
from repositories.escrow import contract as contracts
from repositories.reputation.level import MOST_AGENTS
from runtime.database import Database
from runtime.identity import new_id
from tests.api import escrowing
from tests.api.conftest import Caller, Tenant, good, new_key, refused, settings_for
from tests.api.paying import intents
from tests.conftest import DatabaseUrls
from tests.support.connections import as_owner
from tests.support.runs import escrow_hash
from tests.support.serving import client_of

pytestmark = pytest.mark.db

LEVELS: list[dict[str, Any]] = [
    {
        "name": "new",
        "commission_bps": 800,
        "escrow_limits": {"CREDIT": "20"},
        "exposure_limits": {"CREDIT": "25"},
        "priority": 4,
    },
    {"name": "trusted", "from_score": "8", "least_evidence": 10, "commission_bps": 300, "priority": 2}
    | {"entitlements": ["priority_access"]},
]


@pytest.fixture
async def levels(operator: Caller, database_urls: DatabaseUrls) -> AsyncIterator[dict[str, Any]]:
    yield good(await operator.ask("PUT", "/reputation/levels", json={"levels": LEVELS}))
    await without_levels(database_urls)


@pytest.fixture
async def strangers(database_urls: DatabaseUrls) -> AsyncIterator[httpx2.AsyncClient]:
    """An app for which the operator of the tests makes unrelated organizations."""
    async with client_of(create_app(settings_for(database_urls, reputation_registrars="*"))) as client:
        yield client


async def without_levels(urls: DatabaseUrls) -> None:
    """Take the levels away: others of this database know nothing of them."""
    owner = await asyncpg.connect(urls.owner)
    await owner.execute("ALTER TABLE reputation_ladders DISABLE TRIGGER USER; DELETE FROM reputation_ladders")
    await owner.execute("ALTER TABLE reputation_ladders ENABLE TRIGGER USER")
    await owner.execute("UPDATE pricing_book SET version = version + 1")
    await owner.close()


@pytest.fixture
async def seller(new_tenant: Any) -> Tenant:
    made: Tenant = await new_tenant("owner")
    pricing = {"model": "one_time", "amount": "10", "currency": "CREDIT"}
    body = {"name": "Priced", "visibility": "public", "pricing": pricing}
    made.agent_id = good(await made.owner.post("/agents", body), 201)["id"]
    return made


async def rank(urls: DatabaseUrls, agent_id: str, units: int, events: int) -> None:
    """Write good evidence in all dimensions whose money can no longer be charged back."""
    await as_owner(
        urls,
        "INSERT INTO reputation_seasoned SELECT $1, current_date, $3::bigint, array_fill($2::bigint, ARRAY[5]),"
        " array_fill(0::bigint, ARRAY[5]), array_fill(0::bigint, ARRAY[5]), array_fill(current_date, ARRAY[5]),"
        " $3::bigint * 1000000",
        agent_id,
        units * 1_000_000,
        events,
    )


def award(seller: Tenant, price: str = "10", **more: Any) -> dict[str, Any]:
    return {"agent_id": seller.agent_id, "title": "Job", "price": price, **more}


async def test_levels_are_returned_as_written_and_each_write_is_a_version(
    levels: dict[str, Any], operator: Caller, tenant: Tenant
) -> None:
    assert [level["name"] for level in levels["levels"]] == ["new", "trusted"]
    assert (levels["levels"][1]["from_score"], levels["levels"][0]["escrow_limits"]) == ("8.00", {"CREDIT": "20.00"})
    assert good(await tenant.owner.get("/reputation/levels")) == levels
    key = new_key()
    again = [good(await operator.ask("PUT", "/reputation/levels", key=key, json={"levels": LEVELS})) for _ in range(2)]
    assert [it["version"] for it in again] == [levels["version"] + 1] * 2
    worse = [*LEVELS[:1], LEVELS[1] | {"commission_bps": 900}]
    document = refused(
        await operator.ask("PUT", "/reputation/levels", json={"levels": worse}), 422, "reputation.levels_invalid"
    )
    assert document["field"] == "levels.1.commission_bps"


async def test_contract_gets_the_commission_of_the_agents_level_and_names_it(
    levels: dict[str, Any],
    seller: Tenant,
    new_tenant: Any,
    operator: Caller,
    database_urls: DatabaseUrls,
    strangers: httpx2.AsyncClient,
) -> None:
    client: Tenant = await new_tenant("owner")
    made = good(await client.owner.post("/contracts", award(seller)), 201)
    version = levels["version"]
    rule = "The commission of the level {!r}, in version {} of the levels by reputation."
    assert (made["commission_bps"], made["commission_rule"], made["level"]) == (800, rule.format("new", version), "new")
    assert made["status"] == "accepted"
    await rank(database_urls, seller.agent_id, 20, 30)
    # One operator created both, so they are related, and get no advantage.
    made = good(await client.owner.post("/contracts", award(seller, "1000")), 201)
    assert (made["commission_bps"], made["commission_rule"]) == (500, "The platform's usual commission.")
    client.callers["owner"] = Caller(strangers, client.owner.token, client.org_id)
    made = good(await client.owner.post("/contracts", award(seller, "1000")), 201)
    # A share of the cost of 1,000 credits in the largest yearly plan.
    assert made["least_payout"] == {"amount": "19.33", "currency": "USD"}
    assert (made["commission_bps"], made["commission_rule"]) == (300, rule.format("trusted", version))
    path = f"/payments/pricing/{seller.agent_id}"
    quote = good(await client.owner.post(f"{path}/quotes", {}), 201)
    assert (quote["commission_bps"], quote["commission_rule"].startswith(rule.format("trusted", version)[:-1])) == (
        300,
        True,
    )
    made = good(
        await client.owner.post("/contracts", {"agent_id": seller.agent_id, "title": "a", "quote_id": quote["id"]}), 201
    )
    assert (made["commission_bps"], made["level"]) == (300, "trusted")
    assert made["commission_rule"] == quote["commission_rule"]
    explained = good(await operator.get(f"{path}/explanation"))
    assert f"The commission is 3 %, by this rule: {rule.format('trusted', version)}" in explained["evidence"]
    body = award(seller, commission_bps=100, organization_id=client.org_id, signatories=["a"])
    made = good(await operator.post("/contracts", body), 201)
    assert (made["commission_bps"], made["commission_rule"]) == (100, "What an operator set for this contract.")


async def test_rule_is_tried_with_the_commission_of_the_level_that_each_quote_had(
    levels: dict[str, Any], seller: Tenant, new_tenant: Any, operator: Caller
) -> None:
    client: Tenant = await new_tenant("owner")
    good(await client.owner.post(f"/payments/pricing/{seller.agent_id}/quotes", {}), 201)
    terms = {"type": "tier", "tier": "free", "multiplier": "0.80"}
    rule = {"name": "cheap", "priority": 3, "terms": terms, "agent_id": seller.agent_id}
    tried = good(await operator.post("/pricing/rules/dry-run", {"rule": rule}))
    # The level takes 8 %, which is what a discount can be.
    assert tried["totals"] == [{"currency": "CREDIT", "quotes": 1, "before": "10.00", "after": "9.20"}]


async def test_contract_above_the_limit_of_the_level_is_refused(
    levels: dict[str, Any], seller: Tenant, new_tenant: Any
) -> None:
    client: Tenant = await new_tenant("owner")
    document = refused(await client.owner.post("/contracts", award(seller, "20.01")), 409, "contract.above_limit")
    assert (document["limit"], document["level"]) == ("20.00", "new")
    good(await client.owner.post("/contracts", award(seller, "20.01", currency="USD")), 201)


async def test_explanation_names_the_terms_of_an_agent_and_the_missing_conditions(
    levels: dict[str, Any], seller: Tenant, stranger: Tenant, operator: Caller
) -> None:
    path = f"/reputation/levels/{seller.agent_id}"
    refused(await stranger.owner.get(path), 404, "not_found")
    explained = good(await operator.get(path))
    assert good(await seller.owner.get(path)) == explained
    assert (explained["level"], explained["commission_bps"], explained["priority"]) == ("new", 800, 4)
    assert explained["exposure"] == [{"currency": "CREDIT", "limit": "25.00", "unsettled": "0.00", "left": "25.00"}]
    assert explained["reasons"] == [
        "The agent's score is at least 2.11 from 0 units of evidence, and 'new' takes 0.00 from 0: it is reached.",
        "The agent's score is at least 2.11 from 0 units of evidence, and 'trusted' takes 8.00 from 10: it is not"
        " reached.",
    ]


async def opened(operator: Caller, database: Database, client: Tenant, seller: Tenant, price: str, **terms: str) -> str:
    """Write the opening of an escrow, and return its id."""
    contract_id = await escrowing.contract_between(
        operator, client, seller, price=price, signatories=["procurement"], **terms
    )
    async with database.platform() as session:
        agreed = terms_of(await contracts.get(session, contract_id))
    buyer = Actor(principal="procurement", role=Role.OWNER, org_id=client.org_id)
    await escrowing.write(database, commands.opened(agreed, actor=buyer, now=escrowing.NOW))
    return agreed.escrow_id


async def fund(database: Database, escrow_id: str) -> RecordedEscrow:
    escrow = await escrowing.state(database, escrow_id)
    buyer = Actor(principal="procurement", role=Role.OWNER, org_id=escrow.terms.payer_org_id)
    outcome = commands.fund(escrow, actor=buyer, source=commands.CREDITS, now=escrowing.NOW)
    command_id = new_id("cmd")
    message = RecordEscrowEvent(
        outcome=commands.with_receipt(outcome, command_id=command_id, now=escrowing.NOW),
        command_id=command_id,
        at=escrowing.NOW,
        decided_from=await escrow_hash(database, escrow_id),
    )
    return await EscrowActivities(database).record_event(message)


async def test_best_agent_counts_for_its_organization_among_many_ranked_higher_by_new_evidence(
    levels: dict[str, Any], seller: Tenant, database_urls: DatabaseUrls
) -> None:
    newcomers = [
        good(await seller.owner.post("/agents", {"name": f"New {number}"}), 201)["id"] for number in range(MOST_AGENTS)
    ]
    owner = await asyncpg.connect(database_urls.owner)
    for agent_id, rank_e6 in ((seller.agent_id, 900_000), *((each, 950_000) for each in newcomers)):
        await owner.execute(
            "INSERT INTO reputation_agents (agent_id, started_on, response_buckets, stars_e6, rank_e6)"
            " VALUES ($1, current_date, array_fill(0::bigint, ARRAY[116]), $2, $2)",
            agent_id,
            rank_e6,
        )
    await owner.close()
    await rank(database_urls, seller.agent_id, 20, 30)
    path = f"/reputation/levels/{seller.agent_id}"
    shown = good(await seller.owner.get(path))
    assert (shown["level"], shown["exposure"]) == ("trusted", [])
    assert (shown["commission_bps"], shown["priority"], shown["entitlements"]) == (300, 2, ["priority_access"])


async def test_escrows_that_are_funded_at_once_stay_within_what_may_be_unsettled(
    levels: dict[str, Any], seller: Tenant, new_tenant: Any, operator: Caller, database: Database
) -> None:
    clients: list[Tenant] = [await new_tenant("owner") for _ in range(4)]
    found = []
    for client in clients:
        grant = {"organization_id": client.org_id, "amount": "100", "source": "reward"}
        good(await operator.post("/credits/grants", grant, key=new_key()), 201)
        found.append(await opened(operator, database, client, seller, "10"))
    answers = await asyncio.gather(*(fund(database, escrow_id) for escrow_id in found))
    declined = [answer.declined for answer in answers if answer.declined is not None]
    assert sorted(answer.applied for answer in answers) == [False, False, True, True]
    assert [it.code for it in declined] == ["escrow.exposure_limit"] * 2
    assert declined[0].extra == {"limit": "25.00", "left": "5.00", "currency": "CREDIT", "level": "new"}
    explained = good(await operator.get(f"/reputation/levels/{seller.agent_id}"))
    assert explained["exposure"][0] == {"currency": "CREDIT", "limit": "25.00", "unsettled": "20.00", "left": "5.00"}


@pytest.mark.parametrize("way", ["the payment's", "the escrow's"])
async def test_nobody_pays_for_an_escrow_that_could_not_take_the_money(
    way: str,
    levels: dict[str, Any],
    seller: Tenant,
    new_tenant: Any,
    operator: Caller,
    database: Database,
    paying: httpx2.AsyncClient,
) -> None:
    client: Tenant = await new_tenant("owner")
    terms = {"price": "30", "currency": "USD"}
    escrow_id = await opened(operator, database, client, seller, **terms)
    with_usd = [{**LEVELS[0], "exposure_limits": {"USD": "25"}}, LEVELS[1]]
    good(await operator.ask("PUT", "/reputation/levels", json={"levels": with_usd}))
    payer = Caller(paying, client.owner.token, client.org_id)
    if way == "the payment's":
        body = {"amount": "30.00", "currency": "USD", "purpose": "escrow", "escrow_id": escrow_id}
        answer = await payer.post("/payments", body, key=new_key())
    else:
        answer = await payer.post(f"/escrows/{escrow_id}/fund", {"provider": "stripe"}, key=new_key())
    assert refused(answer, 409, "escrow.exposure_limit")["left"] == "25.00"
    assert await intents(database, client.org_id) == []


async def test_escrow_is_funded_from_outside_at_the_total_that_was_seen(
    seller: Tenant, new_tenant: Any, operator: Caller, database: Database, paying: httpx2.AsyncClient
) -> None:
    client: Tenant = await new_tenant("owner")
    escrow_id = await opened(operator, database, client, seller, price="30", currency="USD")
    payer = Caller(paying, client.owner.token, client.org_id)
    path, body = f"/escrows/{escrow_id}/fund", {"provider": "stripe", "return_url": "https://client.test"}
    answer = refused(await payer.post(path, {**body, "total": "29.00"}, key=new_key()), 422, "request.invalid")
    assert (answer["field"], "30.00 USD" in answer["detail"]) == ("total", True)
    assert await intents(database, client.org_id) == []
    await payer.post(path, {**body, "total": "30.00"}, key=new_key())
    assert [terms["amount_minor"] for terms in await intents(database, client.org_id)] == [3_000]
