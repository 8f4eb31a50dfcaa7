"""Reputation over HTTP: scores that follow settled work, and permissions for feedback and reports."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx2
import pytest

from api.app import create_app
from api.bootstrap import operator_key
from api.v1.escrows.commands import terms_of
from api.v1.reputation.schemas import DistributionView
from domain.common.access import Actor, Role
from domain.common.credits import credit_price
from domain.credits.lots import Sharing
from domain.escrow import commands
from domain.reputation.policy import EvidencePolicy
from repositories.escrow import contract as contracts
from repositories.reputation import reputation_nights as nights
from runtime.database import Database, driver_connection
from tests.api import escrowing
from tests.api.conftest import Caller, Tenant, forget, good, new_key, refused, settings_for
from tests.api.listing import check_range
from tests.api.paying import Written
from tests.api.related import share
from tests.conftest import DatabaseUrls
from tests.support.serving import client_of

pytestmark = pytest.mark.db

STALE = timedelta(days=40)


@pytest.fixture(scope="module")
async def site(database_urls: DatabaseUrls) -> AsyncIterator[httpx2.AsyncClient]:
    """An app for which the operator of the tests makes unrelated organizations, and a credit is a dollar."""
    application = create_app(
        settings_for(database_urls, reputation_registrars="*", credit_price="1", commission_bears_discounts=False)
    )
    async with client_of(application) as client:
        yield client


@pytest.fixture
async def parties(new_tenant: Any, site: httpx2.AsyncClient) -> tuple[Tenant, Tenant]:
    """Return a client with 100 credits that it paid for, and a studio with an agent."""
    found = []
    for _ in range(2):
        found.append((await new_tenant("owner", "auditor", "agent")).through(site))
    return found[0], found[1]


async def buy(database: Database, payer: Tenant) -> Written:
    """Pay for 100 credits."""
    bought = await Written(database, payer.org_id).begin()
    bought.there.pay()
    return await bought.look()


async def settle(operator: Caller, database: Database, payer: Tenant, payee: Tenant, *, at: datetime, score=10_000):
    """Play a contract of 50 paid credits to its release, and return its id."""
    await buy(database, payer)
    return await work(operator, database, payer, payee, at=at, score=score)


async def work(
    operator: Caller,
    database: Database,
    payer: Tenant,
    payee: Tenant,
    *,
    at: datetime,
    score=10_000,
    source=commands.CREDITS,
    **more,
):
    terms = {"price": "50", "signatories": ["procurement"], "validation_threshold": "0.80", **more}
    contract_id = await escrowing.contract_between(operator, payer, payee, **terms)
    async with database.platform() as session:
        agreed = terms_of(await contracts.get(session, contract_id))
    buyer = Actor(principal="procurement", role=Role.OWNER, org_id=payer.org_id)
    await escrowing.write(database, commands.opened(agreed, actor=buyer, now=at), at=at)

    async def held():
        return await escrowing.state(database, agreed.escrow_id)

    funding = commands.fund(await held(), actor=buyer, source=source, now=at)
    await escrowing.write(database, funding, at=at)
    if score is not None:
        await deliver(database, contract_id, payee, at=at, score=score)
    return contract_id


async def deliver(database: Database, contract_id: str, payee: Tenant, *, at: datetime, score: int) -> None:
    async with database.platform() as session:
        agreed = terms_of(await contracts.get(session, contract_id))
    worker = Actor(principal="studio", role=Role.OWNER, org_id=payee.org_id)
    judge = Actor(principal="validator", role=Role.VALIDATOR)

    async def held():
        return await escrowing.state(database, agreed.escrow_id)

    delivery = commands.deliver(await held(), actor=worker, artifacts=(), note="x", milestone=None, now=at)
    await escrowing.write(database, delivery, at=at)
    number = (await held()).delivery.number
    judged = commands.validate(await held(), actor=judge, score_e4=score, note=None, now=at, delivery=number)
    await escrowing.write(database, judged, at=at)


@pytest.mark.parametrize(("list_price", "weight"), [(None, 0.04), ("0.09", 0.04), ("0.102", 0.0256), ("0.20", 0)])
async def test_work_for_credits_weighs_by_what_they_cost(operator, database, parties, list_price, weight) -> None:
    client, studio = parties
    await buy(database, client)
    contract_id = await work(operator, database, client, studio, at=datetime.now(UTC), score=None)
    async with database.platform() as session:
        escrow_id = terms_of(await contracts.get(session, contract_id)).escrow_id
    worker, judge = (
        Actor(principal="studio", role=Role.OWNER, org_id=studio.org_id),
        Actor(principal="validator", role=Role.VALIDATOR),
    )
    now = datetime.now(UTC)
    held = await escrowing.state(database, escrow_id)
    made = commands.deliver(held, actor=worker, artifacts=(), note="x", milestone=None, now=now)
    await escrowing.write(database, made, at=now)
    held = await escrowing.state(database, escrow_id)
    judged = commands.validate(held, actor=judge, score_e4=10_000, note=None, now=now)
    # The part of a discount that the commission bears is not paid by the client, and adds no evidence.
    sharing = Sharing(list_price=None if list_price is None else credit_price(list_price, "USD"))
    policy = EvidencePolicy(registrars=("*",), credit=credit_price("0.04", "USD"), sharing=sharing)
    assert (await escrowing.record(database, judged, at=now, policy=policy)).applied
    events = good(await operator.get(f"/reputation/score/{studio.agent_id}/explanation"))["events"]
    # Two dollars are at stake, and ten cents of commission buy a twenty-fifth of a unit.
    assert {event["weight"] for event in events} == {weight}
    assert {event["excluded"] for event in events} == {None if weight else "unpaid"}


async def score_of(caller: Caller, agent_id: str) -> dict[str, Any]:
    found: dict[str, Any] = good(await caller.get(f"/reputation/score/{agent_id}"))
    return found


async def test_newcomer_is_shown_in_the_middle_and_uncertain(parties) -> None:
    client, studio = parties
    found = await score_of(client.owner, studio.agent_id)
    shown = ("overall_score", "task_success_rate", "avg_response_time_ms", "evidence_count", "is_certain")
    assert [found[name] for name in shown] == [5.0, 100.0, 0, 0, False]
    assert found["low"] < 4 < 6 < found["high"]
    peers = good(await client.owner.get(f"/reputation/peers/{studio.agent_id}"))
    assert peers["evidence_count"] == 0


async def test_paid_work_raises_the_score_and_its_payment_can_be_voided(operator, database, parties) -> None:
    client, studio = parties
    await settle(operator, database, client, studio, at=datetime.now(UTC))
    found = await score_of(client.owner, studio.agent_id)
    assert found["overall_score"] > 5.5
    assert found["evidence_count"] == 3
    assert {move["kind"] for move in found["moved_most"]} == {"released", "in_time", "validated"}
    leaders = good(await client.owner.get("/reputation/leaderboard?limit=100"))
    assert studio.agent_id in [row["agent_id"] for row in leaders["data"]]
    ranks = [row["rank_score"] for row in leaders["data"]]
    assert ranks == sorted(ranks, reverse=True)

    why = good(await operator.get(f"/reputation/score/{studio.agent_id}/explanation"))
    assert len(why["events"]) == 3
    assert all("units" in event["sentence"] for event in why["events"])
    refused(await studio.owner.get(f"/reputation/score/{studio.agent_id}/explanation"), 403, "auth.forbidden")
    await check_range(operator, f"/reputation/score/{studio.agent_id}/explanation", "at", data="events")
    for event in why["events"]:
        path, body = f"/reputation/events/{event['id']}/void", {"reason": "Charged back."}
        assert good(await operator.get(f"/reputation/events/{event['id']}")) == event
        refused(await studio.owner.post(path, body), 403, "auth.forbidden")
        assert good(await operator.post(path, body))["voided_at"]
        good(await operator.post(path, body))
    again = await score_of(client.owner, studio.agent_id)
    assert (again["overall_score"], again["evidence_count"], again["moved_most"]) == (5.0, 0, [])


async def test_evidence_of_refunded_money_is_void_until_the_money_is_back(operator, database, parties) -> None:
    client, studio = parties
    bought = await buy(database, client)
    contract_id = await work(operator, database, client, studio, at=datetime.now(UTC))
    rated = {"contract_id": contract_id, "ratings": {"quality": 5}}
    feedback = good(await client.owner.post("/reputation/feedback", rated), 201)
    earned = await score_of(client.owner, studio.agent_id)
    assert earned["evidence_count"] == 4
    # Money that no escrow used is refunded first.
    bought.there.refund(400)
    await bought.look()
    assert await score_of(client.owner, studio.agent_id) == earned
    ref = bought.there.dispute()
    await bought.look()
    none = await score_of(client.owner, studio.agent_id)
    assert (none["overall_score"], none["evidence_count"], none["moved_most"]) == (5.0, 0, [])
    why = good(await operator.get(f"/reputation/score/{studio.agent_id}/explanation"))["events"]
    assert {event["void_reason"] for event in why} == {"The money behind it went back."}
    # There is no new evidence about work whose money was charged back.
    path = f"/reputation/feedback/{feedback['id']}"
    good(await client.owner.ask("PUT", path, json={"ratings": {"quality": 4}}))
    assert (await score_of(client.owner, studio.agent_id))["evidence_count"] == 0

    bought.there.close_dispute(ref, won=True)
    await bought.look()
    again = await score_of(client.owner, studio.agent_id)
    assert again["evidence_count"] == 4
    assert 5.5 < again["overall_score"] < earned["overall_score"]
    await bought.look()
    assert await score_of(client.owner, studio.agent_id) == again


async def test_work_that_ends_after_its_refund_is_no_evidence(operator, database, parties) -> None:
    client, studio = parties
    bought = await buy(database, client)
    contract_id = await work(operator, database, client, studio, at=datetime.now(UTC), score=None)
    bought.there.dispute()
    await bought.look()
    await deliver(database, contract_id, studio, at=datetime.now(UTC), score=10_000)
    assert (await score_of(client.owner, studio.agent_id))["evidence_count"] == 0
    why = good(await operator.get(f"/reputation/score/{studio.agent_id}/explanation"))["events"]
    assert len(why) == 3
    assert all(event["voided_at"] for event in why)


async def test_milestones_count_when_paid_and_together_weigh_as_much_as_the_whole(operator, database, parties) -> None:
    client, studio = parties
    await buy(database, client)
    now = datetime.now(UTC)
    parts = [{"name": "draft", "amount": "30"}, {"name": "final", "amount": "20"}]
    contract_id = await work(operator, database, client, studio, at=now, score=None, milestones=parts)
    await deliver(database, contract_id, studio, at=now, score=7_000)
    assert (await score_of(client.owner, studio.agent_id))["evidence_count"] == 1
    await deliver(database, contract_id, studio, at=now, score=9_000)
    half = await score_of(client.owner, studio.agent_id)
    assert (half["evidence_count"], half["task_success_rate"]) == (4, 100.0)
    assert half["dimensions"]["task_success"]["score"] > 5
    body = {"contract_id": contract_id, "ratings": {"quality": 5}}
    refused(await client.owner.post("/reputation/feedback", body), 409, "reputation.not_settled")
    await deliver(database, contract_id, studio, at=now, score=10_000)
    whole = await score_of(client.owner, studio.agent_id)
    assert whole["evidence_count"] == 7
    assert whole["dimensions"]["task_success"]["score"] > half["dimensions"]["task_success"]["score"]
    events = good(await operator.get(f"/reputation/score/{studio.agent_id}/explanation"))["events"]
    released = [event["weight"] for event in events if event["kind"] == "released"]
    assert released == pytest.approx([0.4, 0.6], abs=1e-5)
    validated = [event["weight"] for event in events if event["kind"] == "validated"]
    assert validated == pytest.approx([0.4, 0.6, 0.6], abs=1e-5)
    async with database.platform() as session:
        ended = "SELECT sum(ended) FROM reputation_agents WHERE agent_id = $1"
        assert await (await driver_connection(session)).fetchval(ended, studio.agent_id) == 1


async def test_work_for_credits_that_were_given_away_counts_for_nothing(operator, database, parties) -> None:
    client, studio = parties
    gift = {"organization_id": client.org_id, "amount": "100", "source": "reward"}
    good(await operator.post("/credits/grants", gift, key=new_key()), 201)
    await work(operator, database, client, studio, at=datetime.now(UTC))
    assert (await score_of(client.owner, studio.agent_id))["evidence_count"] == 0
    why = good(await operator.get(f"/reputation/score/{studio.agent_id}/explanation"))
    assert {event["excluded"] for event in why["events"]} == {"unpaid"}


async def test_feedback_is_given_once_and_changed_once(operator, database, parties) -> None:
    client, studio = parties
    contract_id = await settle(operator, database, client, studio, at=datetime.now(UTC))
    before = (await score_of(client.owner, studio.agent_id))["dimensions"]["quality"]["score"]
    asked = {"contract_id": contract_id, "ratings": {"quality": 1}, "comment": "Poor."}
    key = new_key()
    made = good(await client.owner.post("/reputation/feedback", asked, key=key), 201)
    assert good(await client.owner.post("/reputation/feedback", asked, key=key), 201) == made
    refused(await client.owner.post("/reputation/feedback", asked), 409, "reputation.already_given")
    poor = (await score_of(client.owner, studio.agent_id))["dimensions"]["quality"]["score"]
    assert poor < before
    path = f"/reputation/feedback/{made['id']}"
    changed = good(await client.owner.ask("PUT", path, json={"ratings": {"quality": 5}}))
    assert (changed["ratings"], changed["comment"]) == ({"quality": 5}, None)
    assert (await score_of(client.owner, studio.agent_id))["dimensions"]["quality"]["score"] > before
    refused(await client.owner.ask("PUT", path, json={"ratings": {"quality": 4}}), 409, "reputation.window_closed")
    async with database.platform() as session:
        kept = "SELECT note, voided_at IS NULL AS counts FROM reputation_events WHERE subject = $1 ORDER BY seq"
        events = await (await driver_connection(session)).fetch(kept, contract_id)
    assert [tuple(event) for event in events] == [("Poor.", False), (None, True)]
    for reader in (client.owner, studio.owner, operator):
        listed = good(await reader.get(f"/reputation/feedback?agent_id={studio.agent_id}"))["data"]
        await check_range(reader, f"/reputation/feedback?agent_id={studio.agent_id}", "created_at")
        assert [row["id"] for row in listed] == [made["id"]]
    # An agent's key names the agent whose feedback it reads.
    assert [row["id"] for row in good(await studio.agent.get("/reputation/feedback"))["data"]] == [made["id"]]
    # An organization that names no agent reads that of all its own.
    [listed] = good(await studio.owner.get("/reputation/feedback"))["data"]
    assert listed["id"] == made["id"]
    assert listed["organization_name"] == good(await operator.get(f"/organizations/{client.org_id}"))["name"]
    assert good(await client.owner.get("/reputation/feedback"))["data"] == []
    of_studio = f"/reputation/feedback?organization_id={studio.org_id}"
    assert [row["id"] for row in good(await operator.get(of_studio))["data"]] == [made["id"]]


async def test_callers_that_see_an_agent_read_feedback_that_counts_without_its_client(
    operator, database, parties, stranger: Tenant
) -> None:
    client, studio = parties
    contract_id = await settle(operator, database, client, studio, at=datetime.now(UTC))
    asked = {"contract_id": contract_id, "ratings": {"quality": 4}, "comment": "Good work."}
    given = good(await client.owner.post("/reputation/feedback", asked), 201)
    path = f"/reputation/feedback?agent_id={studio.agent_id}"
    (shown,) = good(await stranger.owner.get(path))["data"]
    assert (shown["comment"], shown["ratings"]) == ("Good work.", {"quality": 4})
    whose = ("contract_id", "organization_id", "organization_name", "event_id")
    assert [shown[name] for name in whose] == [None] * 4
    for reader in (client.owner, studio.owner, operator):
        (row,) = good(await reader.get(path))["data"]
        assert [row[name] for name in whose] == [given[name] for name in whose]
    (card,) = good(await stranger.owner.get("/agents", params={"organization_id": studio.org_id}))["data"]
    author = good(await operator.get(f"/organizations/{studio.org_id}"))["name"]
    assert (card["organization_name"], card["ratings"], card["jobs_done"]) == (author, 1, 1)
    stars = card["stars"]
    found = [good(await stranger.owner.get("/agents", params={"min_stars": each}))["data"] for each in ("5", "0.01")]
    assert [studio.agent_id in {row["id"] for row in rows} for rows in found] == [False, stars >= 0.01]
    good(await operator.post(f"/reputation/events/{given['event_id']}/void", {"reason": "An insult."}))
    assert good(await stranger.owner.get(path))["data"] == []
    assert len(good(await client.owner.get(path))["data"]) == 1
    assert good(await stranger.owner.get(f"/agents/{studio.agent_id}"))["ratings"] == 0


async def test_median_time_of_delivery_is_of_released_jobs_of_90_days_and_changes_each_night(
    operator, database, parties
) -> None:
    client, studio = parties
    now = datetime.now(UTC)
    day = (now + timedelta(days=1)).date()

    async def job(hours: int, begun: datetime, score: int = 10_000) -> Any:
        await buy(database, client)
        contract_id: str = await work(operator, database, client, studio, at=begun, score=None)
        await deliver(database, contract_id, studio, at=begun + timedelta(hours=hours), score=score)
        return contract_id

    async def shown(day: date) -> Any:
        async with database.platform() as session:
            connection = await driver_connection(session)
            await nights.open_months(connection, day, day)
            before = studio.agent_id[:-1] + chr(ord(studio.agent_id[-1]) - 1)
            await nights.decay_agents(connection, day, after=before, limit=1)
        return good(await client.owner.get(f"/agents/{studio.agent_id}"))["median_delivery_seconds"]

    await job(0, now - timedelta(days=100))
    # Work that was not accepted, and is refunded or disputed later, does not count.
    await job(0, now - timedelta(days=3), score=1_000)
    for hours in (5, 1):
        await job(hours, now - timedelta(days=3))
    assert await shown(day) is None
    last = await job(30, now - timedelta(days=2))
    assert await shown(day + timedelta(days=1)) == 5 * 3600
    async with database.platform() as session:
        connection = await driver_connection(session)
        event_id = await connection.fetchval(
            "SELECT id FROM reputation_events WHERE delivery_seconds = 108000 AND subject = $1", f"esc_{last[4:]}"
        )
    good(await operator.post(f"/reputation/events/{event_id}/void", {"reason": "It was a trial."}))
    assert await shown(day + timedelta(days=2)) is None


async def test_feedback_that_is_given_twice_at_once_is_given_once(operator, database, parties) -> None:
    client, studio = parties
    contract_id = await settle(operator, database, client, studio, at=datetime.now(UTC))
    given = {"contract_id": contract_id, "ratings": {"quality": 5}}
    answers = await asyncio.gather(*(client.owner.post("/reputation/feedback", given, key=new_key()) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"reputation.already_given"}


async def test_forgotten_key_of_feedback_gives_no_other_one(operator, database, parties) -> None:
    client, studio = parties
    contract_id, second = [await settle(operator, database, client, studio, at=datetime.now(UTC)) for _ in range(2)]
    key = new_key()

    async def ask(method: str, path: str, body: dict[str, Any]) -> httpx2.Response:
        await forget(database, key)
        answer: httpx2.Response = await client.owner.ask(method, path, json=body, key=key)
        return answer

    given, path = {"contract_id": contract_id, "ratings": {"quality": 1}, "comment": "Poor."}, "/reputation/feedback"
    made = good(await ask("POST", path, given), 201)
    for other in ({"ratings": {"quality": 2}}, {"comment": "Good."}, {"contract_id": second}):
        refused(await ask("POST", path, {**given, **other}), 422, "idempotency.conflict")
    assert good(await ask("POST", path, given), 201) == made
    key, path, given = new_key(), f"{path}/{made['id']}", {"ratings": {"quality": 5}, "comment": None}
    changed = good(await ask("PUT", path, given))
    for other in ({"ratings": {"quality": 4}}, {"comment": "Good."}):
        refused(await ask("PUT", path, {**given, **other}), 422, "idempotency.conflict")
    assert good(await ask("PUT", path, given)) == changed


async def test_feedback_without_permission_is_refused(operator, database, parties, stranger: Tenant) -> None:
    client, studio = parties
    contract_id = await settle(operator, database, client, studio, at=datetime.now(UTC))
    body = {"contract_id": contract_id, "ratings": {"quality": 5}}
    refused(await studio.owner.post("/reputation/feedback", body), 409, "reputation.own_agent")
    refused(await stranger.owner.post("/reputation/feedback", body), 404, "not_found")
    # The app of `stranger` does not exempt who made them all.
    other = Caller(stranger.owner.http, client.owner.token, client.org_id)
    refused(await other.post("/reputation/feedback", body), 409, "reputation.related")
    made = good(await client.owner.post("/reputation/feedback", body), 201)
    path = f"/reputation/feedback/{made['id']}"
    refused(await stranger.owner.ask("PUT", path, json={"ratings": {"quality": 1}}), 404, "not_found")
    refused(await studio.owner.ask("PUT", path, json={"ratings": {"quality": 1}}), 404, "not_found")


async def test_an_agents_key_rates_contracts_that_name_it_and_replaces_no_persons_feedback(
    operator, database, parties
) -> None:
    client, studio = parties
    me = good(await client.agent.get("/me"))["principal"]
    path, now = "/reputation/feedback", datetime.now(UTC)
    await buy(database, client)
    another = await work(operator, database, client, studio, at=now)
    own = await work(operator, database, client, studio, at=now, signatories=["procurement", me.upper()])
    body = {"contract_id": own, "ratings": {"quality": 2}}
    refused(await studio.agent.post(path, body), 409, "reputation.own_agent")
    refused(await client.agent.post(path, body | {"contract_id": another}), 404, "not_found")
    of_person = good(await client.owner.post(path, body | {"contract_id": another}), 201)
    refused(
        await client.agent.ask("PUT", f"{path}/{of_person['id']}", json={"ratings": {"quality": 1}}), 404, "not_found"
    )

    made = f"{path}/{good(await client.agent.post(path, body), 201)['id']}"
    good(await client.agent.ask("PUT", made, json={"ratings": {"quality": 1}}))
    refused(await client.agent.ask("PUT", made, json={"ratings": {"quality": 5}}), 409, "reputation.window_closed")
    # A person replaces what an agent gave, however often the agent has changed it; then it is the person's.
    assert good(await client.owner.ask("PUT", made, json={"ratings": {"quality": 4}}))["ratings"] == {"quality": 4}
    refused(await client.agent.ask("PUT", made, json={"ratings": {"quality": 1}}), 403, "auth.forbidden")
    refused(await client.owner.ask("PUT", made, json={"ratings": {"quality": 5}}), 409, "reputation.window_closed")


async def test_feedback_is_not_changed_after_its_window(operator, database, parties) -> None:
    client, studio = parties
    contract_id = await settle(operator, database, client, studio, at=datetime.now(UTC))
    body = {"contract_id": contract_id, "ratings": {"quality": 1}}
    made = good(await client.owner.post("/reputation/feedback", body), 201)
    async with database.platform() as session:
        # As if the contract had ended so long ago.
        await (await driver_connection(session)).execute(
            "UPDATE escrows SET state = jsonb_set(state, '{updated_at}', to_jsonb($2::text)) WHERE contract_id = $1",
            contract_id,
            (datetime.now(UTC) - STALE).isoformat(),
        )
    changed = await client.owner.ask("PUT", f"/reputation/feedback/{made['id']}", json={"ratings": {"quality": 5}})
    document = refused(changed, 409, "reputation.window_closed")
    assert document["closed_at"] < made["created_at"]
    [listed] = good(await client.owner.get(f"/reputation/feedback?agent_id={studio.agent_id}"))["data"]
    assert (listed["ratings"], listed["changed_at"]) == ({"quality": 1}, None)


@pytest.mark.parametrize("what", ["tax id", "payout account"])
async def test_pitfall_43_organizations_with_a_shared_tax_id_or_payout_account_give_no_feedback(
    operator, database, database_urls, parties, what: str
) -> None:
    client, studio = parties
    before = await settle(operator, database, client, studio, at=datetime.now(UTC))
    await share(database_urls, what, client.org_id, studio.org_id)
    contract_id = await settle(operator, database, client, studio, at=datetime.now(UTC))
    body = {"contract_id": contract_id, "ratings": {"quality": 5}}
    refused(await client.owner.post("/reputation/feedback", body), 409, "reputation.related")
    earlier = await client.owner.post("/reputation/feedback", body | {"contract_id": before})
    if what == "payout account":
        refused(earlier, 409, "reputation.related")
    else:
        # A tax id does not affect contracts made before both stated it.
        good(earlier, 201)
    poor = body | {"ratings": {"quality": 1}}
    if what == "payout account":
        refused(await client.owner.post("/reputation/feedback", poor), 409, "reputation.related")
    else:
        # Anybody can state another's number, also who is about to be rated.
        good(await client.owner.post("/reputation/feedback", poor), 201)


async def test_feedback_needs_a_settled_contract_and_its_window(operator, database, parties) -> None:
    client, studio = parties
    old = await settle(operator, database, client, studio, at=datetime.now(UTC) - STALE)
    body = {"contract_id": old, "ratings": {"quality": 5}}
    refused(await client.owner.post("/reputation/feedback", body), 409, "reputation.window_closed")
    body["contract_id"] = await work(operator, database, client, studio, at=datetime.now(UTC), score=None)
    refused(await client.owner.post("/reputation/feedback", body), 409, "reputation.not_settled")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"ratings": {"quality": 6}}, "ratings.quality"),
        ({"ratings": {"quality": 0}}, "ratings.quality"),
        ({"ratings": {"charm": 5}}, "ratings.charm"),
        ({"ratings": {}}, "ratings"),
        ({"ratings": {"quality": 4.5}}, "ratings.quality"),
        ({"comment": "x" * 4_001}, "comment"),
    ],
)
async def test_bad_feedback_names_its_field(parties, change, field) -> None:
    client, _ = parties
    body = {"contract_id": "ctr_" + "0" * 26, "ratings": {"quality": 5}, **change}
    problem = refused(await client.owner.post("/reputation/feedback", body), 422, "request.invalid")
    assert field in {problem.get("field"), *(each["field"] for each in problem.get("errors", []))}


async def test_reports_alone_lift_no_agent_beyond_what_one_client_could_and_keep_their_share(operator, parties) -> None:
    client, studio = parties
    body = {"agent_id": studio.agent_id, "event_type": "task_completed", "score_delta": 1.0, "metadata": {}}
    for _ in range(25):
        found = good(await operator.post("/reputation/events", body, key=new_key()), 201)
    assert "bounded for all that operators report" in found["sentence"]
    # Three units of good evidence and a prior of two observations.
    lifted = (await score_of(client.owner, studio.agent_id))["dimensions"]["task_success"]["score"]
    assert 7.9 < lifted < 8.0
    # Bad reports have the same bound: many of both kinds keep the share.
    worse = body | {"event_type": "task_failed", "score_delta": -1.0}
    for _ in range(5):
        good(await operator.post("/reputation/events", worse, key=new_key()), 201)
    assert lifted - 0.1 < (await score_of(client.owner, studio.agent_id))["dimensions"]["task_success"]["score"]


async def test_praise_by_one_operator_leaves_room_for_complaints_by_another(operator, parties, database) -> None:
    client, studio = parties
    async with database.platform() as session:
        other = Caller(operator.http, await operator_key(session, f"metering-{new_key()}"))
    body = {"agent_id": studio.agent_id, "event_type": "task_completed", "score_delta": 1.0}
    for _ in range(25):
        good(await operator.post("/reputation/events", body, key=new_key()), 201)
    worse = body | {"event_type": "task_failed", "score_delta": -1.0}
    for _ in range(25):
        good(await other.post("/reputation/events", worse, key=new_key()), 201)
    # Three units of each, and a prior of two observations.
    scored = (await score_of(client.owner, studio.agent_id))["dimensions"]["task_success"]["score"]
    assert scored == pytest.approx(5.0, abs=0.01)
    for _ in range(25):
        good(await operator.post("/reputation/events", body, key=new_key()), 201)
    assert (await score_of(client.owner, studio.agent_id))["dimensions"]["task_success"]["score"] == scored


async def test_operators_report_within_bounds_and_once_by_their_key(operator, parties) -> None:
    client, studio = parties
    body = {
        "agent_id": studio.agent_id,
        "event_type": "task_completed",
        "score_delta": 1,
        "metadata": {"response_time_ms": 400},
    }
    key = new_key()
    made = good(await operator.post("/reputation/events", body, key=key), 201)
    assert good(await operator.post("/reputation/events", body, key=key), 201) == made
    found = await score_of(client.owner, studio.agent_id)
    assert (found["evidence_count"], found["avg_response_time_ms"]) == (1, 400)
    assert found["overall_score"] == pytest.approx(5.66, abs=0.01)
    for wrong in ({"score_delta": 1.01}, {"score_delta": -2}, {"event_type": "x"}, {"metadata": {"x": 1}}):
        refused(await operator.post("/reputation/events", body | wrong, key=new_key()), 422, "request.invalid")
    refused(await operator.post("/reputation/events", body), 400, "idempotency.missing")


async def test_response_times_of_calls_are_shown_and_count_against_their_target(operator, parties) -> None:
    client, studio = parties
    body = {"agent_id": studio.agent_id, "event_type": "responded"}

    async def report(**metadata: int) -> dict[str, Any]:
        good(await operator.post("/reputation/events", body | {"metadata": metadata}, key=new_key()), 201)
        return await score_of(client.owner, studio.agent_id)

    shown = [await report(response_time_ms=ms) for ms in (100, 200, 900)][-1]
    assert (shown["avg_response_time_ms"], shown["overall_score"]) == (400, 5.0)
    assert 900 <= shown["p95_response_time_ms"] <= 1_080
    kept = (await report(response_time_ms=300, response_target_ms=300))["dimensions"]["response_time"]["score"]
    assert kept > 5
    missed = await report(response_time_ms=30_000, response_target_ms=300)
    assert missed["dimensions"]["response_time"]["score"] < kept
    for wrong in (
        {"metadata": {"response_target_ms": 1}},
        {"metadata": {"response_time_ms": 1, "response_target_ms": 0}},
    ):
        refused(await operator.post("/reputation/events", body | wrong, key=new_key()), 422, "request.invalid")
    twice = body | {"score_delta": 1, "metadata": {"response_time_ms": 1, "response_target_ms": 1}}
    refused(await operator.post("/reputation/events", twice, key=new_key()), 422, "request.invalid")


async def test_service_levels_count_half_a_unit_of_reliability_or_the_reported_amount(operator, parties) -> None:
    client, studio = parties
    body = {"agent_id": studio.agent_id}

    async def reliability(**said: Any) -> float:
        good(await operator.post("/reputation/events", body | said, key=new_key()), 201)
        found: float = (await score_of(client.owner, studio.agent_id))["dimensions"]["reliability"]["score"]
        return found

    # With a prior of one half and the strength of two observations.
    assert await reliability(event_type="sla_kept") == pytest.approx(10 * 1.5 / 2.5, abs=0.01)
    # Half a unit of the three units for all reports is used.
    told = 1 * (3 - 0.5) / 3
    assert await reliability(event_type="sla_kept", score_delta=1) == pytest.approx(
        10 * (1.5 + told) / (2.5 + told), abs=0.01
    )
    missed = 0.5 * (2.5 - told) / 3
    assert await reliability(event_type="sla_missed") == pytest.approx(
        10 * (1.5 + told) / (2.5 + told + missed), abs=0.01
    )
    why = good(await operator.get(f"/reputation/score/{studio.agent_id}/explanation"))["events"]
    assert {event["kind"] for event in why} == {"sla_kept", "sla_missed"}
    assert any(event["sentence"].startswith("An agreed service level was missed (sla_missed)") for event in why)
    for event_type, delta in (("sla_kept", -0.1), ("sla_missed", 0.1), ("task_failed", 0.1), ("sla_kept", 1.01)):
        wrong = body | {"event_type": event_type, "score_delta": delta}
        refused(await operator.post("/reputation/events", wrong, key=new_key()), 422, "request.invalid")


async def test_private_agents_are_on_nobody_elses_leaderboard(operator, parties) -> None:
    client, studio = parties
    made = good(await studio.owner.post("/agents", {"name": "Hidden", "visibility": "private"}), 201)
    body = {"agent_id": made["id"], "event_type": "quality_reviewed", "score_delta": 1}
    good(await operator.post("/reputation/events", body, key=new_key()), 201)
    path = "/reputation/leaderboard?limit=100&dimension=quality"
    assert made["id"] not in {row["agent_id"] for row in good(await client.owner.get(path))["data"]}
    assert made["id"] in {row["agent_id"] for row in good(await studio.owner.get(path))["data"]}
    refused(await client.owner.get(f"/reputation/score/{made['id']}"), 404, "not_found")


async def test_leaderboard_has_ten_places_unless_more_are_asked_for(operator, parties) -> None:
    client, studio = parties
    for number in range(11):
        agent = good(await studio.owner.post("/agents", {"name": f"Ranked {number}"}), 201)["id"]
        body = {"agent_id": agent, "event_type": "collaboration_observed", "score_delta": 1}
        good(await operator.post("/reputation/events", body, key=new_key()), 201)
    path = "/reputation/leaderboard"
    assert len(good(await client.owner.get(path))["data"]) == 10
    assert len(good(await client.owner.get(f"{path}?limit=11"))["data"]) == 11


async def test_agents_are_listed_in_the_order_that_was_asked_for(operator, database, parties, stranger) -> None:
    client, studio = parties
    await settle(operator, database, client, studio, at=datetime.now(UTC))
    made = dict[str, str]()
    for name, delta in {"Good": 1, "Bad": -1, "Hidden": 1}.items():
        agent = {"name": name, "visibility": "private" if name == "Hidden" else "public"}
        made[name] = good(await studio.owner.post("/agents", agent), 201)["id"]
        body = {"agent_id": made[name], "event_type": "quality_reviewed", "score_delta": delta}
        good(await operator.post("/reputation/events", body, key=new_key()), 201)
    fresh = good(await studio.owner.post("/agents", {"name": "Fresh"}), 201)["id"]

    async def found(reader: Caller, **query: str) -> list[str]:
        ids, asked = [], {"organization_id": studio.org_id, "limit": "1", **query}
        while True:
            page = good(await reader.get("/agents", params=asked))
            ids += [row["id"] for row in page["data"]]
            if page["next_cursor"] is None:
                return ids
            asked["cursor"] = page["next_cursor"]

    by_rating = await found(stranger.owner, sort="rating")
    assert (set(by_rating), by_rating[2:]) == ({made["Good"], studio.agent_id, made["Bad"]}, [made["Bad"]])
    assert await found(stranger.owner, sort="rating", q="good") == [made["Good"]]
    assert await found(stranger.owner, sort="jobs") == [studio.agent_id]
    two = ",".join([made["Bad"], made["Hidden"]])
    assert await found(stranger.owner, id=two, sort="rating") == await found(stranger.owner, id=two) == [made["Bad"]]
    assert await found(studio.owner, id=two) == [made["Hidden"], made["Bad"]]
    # Its own agents that others cannot hire are left out too.
    assert made["Hidden"] not in await found(studio.owner, sort="rating")
    assert (await found(stranger.owner))[:3] == [fresh, made["Bad"], made["Good"]]
    cursor = good(await stranger.owner.get("/agents", params={"sort": "rating", "limit": "1"}))["next_cursor"]
    other = {"sort": "jobs", "limit": "1", "cursor": cursor}
    assert refused(await stranger.owner.get("/agents", params=other), 422, "request.invalid")["field"] == "cursor"
    refused(await stranger.owner.get("/agents", params={"sort": "stars"}), 422, "request.invalid")


async def test_agent_that_becomes_private_leaves_the_public_leaderboard_until_it_is_public_again(
    operator, parties
) -> None:
    client, studio = parties
    made = good(await studio.owner.post("/agents", {"name": "Turns"}), 201)
    body = {"agent_id": made["id"], "event_type": "quality_reviewed", "score_delta": 1}
    good(await operator.post("/reputation/events", body, key=new_key()), 201)

    async def listed() -> list[bool]:
        paths = [f"/reputation/leaderboard?limit=100{more}" for more in ("", "&dimension=quality")]
        return [
            made["id"] in {row["agent_id"] for row in good(await reader.get(path))["data"]}
            for reader in (client.owner, studio.owner)
            for path in paths
        ]

    assert await listed() == [True, True, True, True]
    for visibility, seen in (("private", False), ("public", True)):
        change = {"json": {"visibility": visibility}, "headers": {"If-Match": "*"}}
        good(await studio.owner.ask("PATCH", f"/agents/{made['id']}", **change))
        assert await listed() == [seen, seen, True, True]


async def test_retired_agent_leaves_the_public_leaderboard(operator, parties) -> None:
    client, studio = parties
    made = [good(await studio.owner.post("/agents", {"name": "Leaves"}), 201)["id"] for _ in range(2)]
    body = {"event_type": "quality_reviewed", "score_delta": 1}

    async def listed(caller: Caller, query: str = "") -> set[str]:
        found = good(await caller.get(f"/reputation/leaderboard?limit=100{query}"))["data"]
        return {row["agent_id"] for row in found} & set(made)

    good(await operator.post("/reputation/events", {**body, "agent_id": made[0]}, key=new_key()), 201)
    assert await listed(client.owner) == {made[0]}
    for agent_id in made:
        good(await studio.owner.post(f"/agents/{agent_id}/retire", None))
    # Evidence of running work still comes in.
    for agent_id in made:
        good(await operator.post("/reputation/events", {**body, "agent_id": agent_id}, key=new_key()), 201)
    for query in ("", "&dimension=quality"):
        assert await listed(client.owner, query) == set()
        assert await listed(studio.owner, query) == set(made)


async def test_agents_of_a_suspended_organization_leave_the_public_leaderboard_until_it_is_resumed(
    operator, database, parties
) -> None:
    client, studio = parties
    await settle(operator, database, client, studio, at=datetime.now(UTC))

    async def listed(query: str) -> bool:
        found = good(await client.owner.get(f"/reputation/leaderboard?limit=100{query}"))["data"]
        is_listed = studio.agent_id in {each["agent_id"] for each in found}
        assert good(await client.owner.get(f"/agents/{studio.agent_id}"))["can_be_hired"] is is_listed
        return bool(is_listed)

    async def act(what: str) -> None:
        good(await operator.post(f"/organizations/{studio.org_id}/{what}", {"reason": "Looked at."}))

    boards = ("", "&dimension=quality")
    for what, is_listed in (("suspend", False), ("resume", True), ("suspend", False)):
        await act(what)
        assert [await listed(query) for query in boards] == [is_listed] * 2


async def test_agents_of_a_closed_organization_leave_the_public_leaderboard(operator, parties) -> None:
    client, studio = parties
    body = {"agent_id": studio.agent_id, "event_type": "quality_reviewed", "score_delta": 1}
    good(await operator.post("/reputation/events", body, key=new_key()), 201)

    async def listed(query: str) -> bool:
        found = good(await client.owner.get(f"/reputation/leaderboard?limit=100{query}"))["data"]
        return studio.agent_id in {row["agent_id"] for row in found}

    for query in ("", "&dimension=quality"):
        assert await listed(query)
    good(await operator.post(f"/organizations/{studio.org_id}/close", {"reason": "gone"}))
    for query in ("", "&dimension=quality"):
        assert not await listed(query)


async def test_agent_is_ranked_in_its_category(operator, parties) -> None:
    client, studio = parties
    made = good(await studio.owner.post("/agents", {"name": "Coder", "category": "coding"}), 201)
    assert made["category"] == "coding"
    body = {"agent_id": made["id"], "event_type": "quality_reviewed", "score_delta": 1}
    for _ in range(9):
        good(await operator.post("/reputation/events", body, key=new_key()), 201)

    async def listed(**asked: Any) -> bool:
        asked = {"limit": 100, "dimension": "quality", **asked}
        found = good(await client.owner.get("/reputation/leaderboard", params=asked))
        return made["id"] in {row["agent_id"] for row in found["data"]}

    assert await listed(category="coding", period="7d", minimum_evidence=1)
    # Reports of a day alone are no more than three units.
    assert not await listed(category="coding", minimum_evidence=5)
    path = f"/agents/{made['id']}/category"
    changed = good(await studio.owner.ask("PUT", path, json={"category": "design"}))
    assert changed["category"] == "design"
    assert [await listed(category=each) for each in ("coding", "design")] == [False, True]
    good(await studio.owner.ask("PUT", path, json={"category": None}))
    assert [await listed(category="design"), await listed()] == [False, True]
    refused(await studio.owner.ask("PUT", path, json={"category": "x"}), 422, "request.invalid")
    refused(await client.owner.ask("PUT", path, json={"category": "design"}), 404, "not_found")
    for wrong in ("minimum_evidence=2", "period=1d", "category=", "dimension=x"):
        refused(await client.owner.get(f"/reputation/leaderboard?{wrong}"), 422, "request.invalid")


async def test_history_is_read_in_pages(operator, database, parties) -> None:
    _, studio = parties
    today = datetime.now(UTC).date()
    days = [today - timedelta(days=ago) for ago in (0, 1, 3)]
    async with database.platform() as session:
        connection = await driver_connection(session)
        await connection.execute("SELECT open_reputation_months($1, $2)", days[-1], today)
        for day in days:
            await connection.execute(
                "INSERT INTO reputation_history VALUES ($1, $2, 660000, 500000, 800000, 400000, -10000, 3, false,"
                " ARRAY[900000, 500000, 600000, 700000, 800000])",
                day,
                studio.agent_id,
            )
    path = f"/reputation/history/{studio.agent_id}"
    first = good(await studio.owner.get(f"{path}?limit=2"))
    second = good(await studio.owner.get(f"{path}?limit=2&cursor={first['next_cursor']}"))
    assert [row["day"] for row in first["data"] + second["data"]] == [day.isoformat() for day in days]
    assert second["next_cursor"] is None
    shown = first["data"][0]
    assert (shown["score"], shown["low"], shown["high"], shown["change"]) == (6.6, 5.0, 8.0, -0.1)
    dimensions = {"task_success": 9, "response_time": 5, "reliability": 6, "collaboration": 7, "quality": 8}
    assert shown["dimensions"] == dimensions
    assert len(good(await studio.owner.get(f"{path}?from={days[1]}&to={days[1]}"))["data"]) == 1
    for wrong in ("from=2026-01-02&to=2026-01-01", "from=2020-01-01", "to=0001-01-01", "cursor=x", "from=x"):
        refused(await studio.owner.get(f"{path}?{wrong}"), 422, "request.invalid")


async def test_distribution_has_a_place_for_every_rank_and_names_nobody(operator: Caller) -> None:
    shown = good(await operator.get("/reputation/distribution", params={"dimension": "quality", "category": "nobodys"}))
    assert (shown["agents"], shown["as_of"], len(shown["data"])) == (0, None, 20)
    assert [shown["data"][0]["from"], shown["data"][-1]["to"]] == [0.0, 10.0]


def test_distribution_counts_the_highest_rank_in_the_last_part() -> None:
    night = date(2026, 11, 22)
    rows = [{"place": 0, "agents": 2, "day": night}, {"place": 20, "agents": 1, "day": night}]
    shown = DistributionView.of(rows, None, None)
    assert (shown.agents, shown.data[0].agents, shown.data[-1].agents, shown.as_of) == (3, 2, 1, night)
