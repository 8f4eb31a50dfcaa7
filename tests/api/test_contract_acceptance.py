"""Proposals: who accepts them, until when, and what a listing accepts unasked."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from api.deps import Deps
from tests.api.conftest import Caller, NewTenant, Tenant, good, new_key, refused
from tests.api.paying import paying_app
from tests.conftest import DatabaseUrls
from tests.support.cases import for_each

pytestmark = pytest.mark.db

ANY = {"If-Match": "*"}
LONG_REVIEW = {"title": "Read it slowly", "price": "50.00", "review_period": "P4D"}


async def propose(tenant: Tenant, payee: Tenant, **changes: Any) -> dict[str, Any]:
    body = {"agent_id": payee.agent_id, **LONG_REVIEW, **changes}
    made: dict[str, Any] = good(await tenant.owner.post("/contracts", body), 201)
    return made


def path_of(contract: dict[str, Any]) -> str:
    return f"/contracts/{contract['id']}/acceptance"


async def test_review_that_is_longer_than_the_platforms_waits_for_the_payee(tenant: Tenant, stranger: Tenant) -> None:
    made = await propose(tenant, stranger)
    assert (made["status"], made["outside_listing"]) == ("proposed", ["review_period"])
    assert (made["accepted_at"], made["accepted_by"]) == (None, None)
    left = datetime.fromisoformat(made["accept_by"]) - datetime.fromisoformat(made["created_at"])
    assert round(left.total_seconds()) == 3 * 86_400


async def test_contract_by_the_platforms_terms_is_accepted_from_the_beginning(tenant: Tenant, stranger: Tenant) -> None:
    made = await propose(tenant, stranger, review_period="P3D")
    assert (made["status"], made["outside_listing"], made["accept_by"]) == ("accepted", [], None)


async def test_contract_within_one_organization_needs_no_acceptance(tenant: Tenant) -> None:
    assert (await propose(tenant, tenant))["status"] == "accepted"


async def test_contract_that_an_operator_awards_waits_for_the_payee_too(
    tenant: Tenant, stranger: Tenant, operator: Caller
) -> None:
    body = {"agent_id": stranger.agent_id, **LONG_REVIEW, "organization_id": tenant.org_id, "signatories": ["a"]}
    assert good(await operator.post("/contracts", body), 201)["status"] == "proposed"
    dear = {**body, "review_period": "P3D", "commission_bps": 10_000}
    assert good(await operator.post("/contracts", dear), 201)["outside_listing"] == ["commission_bps"]


@pytest.mark.parametrize("role", ["owner", "admin", "member"])
async def test_payee_accepts_once_and_both_sides_see_it(tenant: Tenant, stranger: Tenant, role: str) -> None:
    made = await propose(tenant, stranger)
    accepted = good(await stranger.callers[role].post(path_of(made), key=new_key()))
    assert accepted["status"] == "accepted"
    assert accepted["accepted_by"].startswith(f"{stranger.org_id}/{role}-")
    assert good(await stranger.owner.post(path_of(made))) == accepted
    assert good(await tenant.auditor.get(f"/contracts/{made['id']}")) == accepted
    trail = good(await stranger.owner.get(f"/audit?target={made['id']}"))["data"]
    assert [(entry["action"], entry["details"]) for entry in trail] == [
        ("contract.accept", {"outside_listing": ["review_period"]})
    ]


async def test_key_of_an_agent_accepts_only_with_the_permission(tenant: Tenant, stranger: Tenant) -> None:
    made = await propose(tenant, stranger)
    answer = refused(await stranger.agent.post(path_of(made)), 403, "auth.forbidden")
    assert "issue a key with this permission" in answer["detail"]
    body = {"principal": "negotiator", "role": "agent", "agent_id": stranger.agent_id, "permissions": ["accept"]}
    secret = good(await stranger.owner.post("/api-keys", body), 201)["secret"]
    assert good(await Caller(stranger.owner.http, secret).post(path_of(made)))["status"] == "accepted"


async def test_nobody_but_the_payee_accepts(
    tenant: Tenant, stranger: Tenant, new_tenant: Any, operator: Caller, issue_key: Any
) -> None:
    notary = await new_tenant("owner")
    made = await propose(tenant, stranger, signatories=[f"{notary.org_id}/notary"])
    other = good(await stranger.owner.post("/agents", {"name": "Another of the studio"}), 201)
    colleague = await issue_key("agent", stranger.org_id, other["id"])
    for caller in (tenant.owner, notary.owner, operator, stranger.finance, stranger.auditor, stranger.agent):
        refused(await caller.post(path_of(made)), 403, "auth.forbidden")
    for unseen in (tenant.agent, colleague):
        refused(await unseen.post(path_of(made)), 404, "not_found")
    outsider = await new_tenant("owner")
    refused(await outsider.owner.post(path_of(made)), 404, "not_found")
    assert good(await tenant.owner.get(f"/contracts/{made['id']}"))["status"] == "proposed"


async def propose_for(urls: DatabaseUrls, tenant: Tenant, payee: Tenant, *, seconds: int) -> dict[str, Any]:
    """Propose a contract that can be accepted for so long."""
    async with paying_app(urls, accept_within=timedelta(seconds=seconds)) as client:
        return await propose(replace(tenant, callers={"owner": Caller(client, tenant.owner.token)}), payee)


#: Returns when the time to accept is over.
ONCE_IT_IS_OVER = text("SELECT pg_sleep_until(accept_by) FROM contracts WHERE id = :id")


async def test_proposal_that_nobody_accepts_expires(
    database_urls: DatabaseUrls, deps: Deps, tenant: Tenant, stranger: Tenant
) -> None:
    made = await propose_for(database_urls, tenant, stranger, seconds=1)
    async with deps.database.platform() as session:
        await session.execute(ONCE_IT_IS_OVER, {"id": made["id"]})
    refused(await stranger.owner.post(path_of(made)), 409, "contract.expired")
    assert good(await stranger.owner.get(f"/contracts/{made['id']}"))["status"] == "expired"


async def test_acceptance_that_waited_for_the_lock_beyond_the_time_is_refused(
    database_urls: DatabaseUrls, deps: Deps, tenant: Tenant, stranger: Tenant
) -> None:
    made = await propose_for(database_urls, tenant, stranger, seconds=2)
    async with deps.database.tenant(stranger.org_id) as session:
        await session.execute(text("SELECT FROM contracts WHERE id = :id FOR UPDATE"), {"id": made["id"]})
        waiting = asyncio.create_task(stranger.owner.post(path_of(made)))
        await session.execute(ONCE_IT_IS_OVER, {"id": made["id"]})
    refused(await waiting, 409, "contract.expired")


#: Returns when the time to open an escrow is over.
ONCE_IT_CANNOT_BE_OPENED = text("SELECT pg_sleep_until(open_by) FROM contracts WHERE id = :id")


@pytest.mark.parametrize("path", ["/escrows", "/payments/escrow/create"])
async def test_contract_that_waited_too_long_gets_no_escrow(
    database_urls: DatabaseUrls, deps: Deps, tenant: Tenant, stranger: Tenant, path: str
) -> None:
    async with paying_app(database_urls, open_within=timedelta(seconds=1)) as client:
        caller = Caller(client, tenant.owner.token)
        made = await propose(replace(tenant, callers={"owner": caller}), stranger, review_period="P3D")
        async with deps.database.platform() as session:
            await session.execute(ONCE_IT_CANNOT_BE_OPENED, {"id": made["id"]})
        document = refused(await caller.post(path, {"contract_id": made["id"]}, key=new_key()), 409, "contract.expired")
    assert document["open_by"] == made["open_by"]


async def test_opening_that_was_asked_for_in_time_can_be_repeated_until_its_run_has_written_it(
    database_urls: DatabaseUrls, deps: Deps, tenant: Tenant, stranger: Tenant
) -> None:
    async with paying_app(database_urls, open_within=timedelta(minutes=5)) as client:
        caller, key = Caller(client, tenant.owner.token), new_key()
        made = await propose(replace(tenant, callers={"owner": caller}), stranger, review_period="P3D")
        body = {"contract_id": made["id"]}
        refused(await caller.post("/escrows", body, key=key), 503, "service.unavailable")
        owner = await asyncpg.connect(database_urls.owner)
        await owner.execute("SET session_replication_role = replica")  # the database lets nobody change it
        await owner.execute("UPDATE contracts SET open_by = now() WHERE id = $1", made["id"])
        await owner.close()
        refused(await caller.post("/escrows", body, key=key), 503, "service.unavailable")
        refused(await caller.post("/escrows", body, key=new_key()), 409, "contract.expired")


async def test_time_to_open_begins_with_the_award_or_after_the_time_to_accept(tenant: Tenant, stranger: Tenant) -> None:
    accepted = await propose(tenant, stranger, review_period="P3D")
    left = datetime.fromisoformat(accepted["open_by"]) - datetime.fromisoformat(accepted["created_at"])
    assert round(left.total_seconds()) == 7 * 86_400
    proposed = await propose(tenant, stranger)
    after = datetime.fromisoformat(proposed["open_by"]) - datetime.fromisoformat(proposed["accept_by"])
    assert after == timedelta(days=7)


async def test_price_is_not_kept_by_a_long_time_to_fund(tenant: Tenant, stranger: Tenant) -> None:
    body = {"agent_id": stranger.agent_id, **LONG_REVIEW, "review_period": "P3D"}
    assert good(await tenant.owner.post("/contracts", {**body, "fund_within": "P14D"}), 201)["status"] == "accepted"
    document = refused(await tenant.owner.post("/contracts", {**body, "fund_within": "P15D"}), 422, "request.invalid")
    assert (document["field"], document["detail"]) == (
        "fund_within",
        "fund_within must be at most P14D on this platform.",
    )


LISTED = {
    "price": {"min": "10.00", "currency": "CREDIT"},
    "deliver_within": {"min": "P2D"},
    "review_period": {"max": "P5D"},
    "evidence_period": {"min": "P2D", "max": "P5D"},
    "dispute_default_payee_share": {"min": "0.40"},
    "validation_threshold": {"max": "0.90"},
    "required_signatures": {"max": 2},
    "milestones": {"max": 3},
}


@pytest.fixture(scope="module")
async def lister(new_tenant: NewTenant) -> Tenant:
    """An organization whose agent lists terms."""
    made = await new_tenant("owner")
    return Tenant(
        made.org_id,
        good(await made.owner.post("/agents", {"name": "Lister", "terms": LISTED}), 201)["id"],
        made.callers,
    )


async def test_listing_states_the_terms_and_everybody_sees_them(tenant: Tenant, lister: Tenant) -> None:
    shown = good(await tenant.auditor.get(f"/agents/{lister.agent_id}"))["terms"]
    assert shown["price"] == {"min": "10.00", "max": None, "currency": "CREDIT"}
    assert shown["evidence_period"] == {"min": "P2D", "max": "P5D", "currency": None}
    assert shown["dispute_default_payee_share"] == {"min": "0.40", "max": None, "currency": None}
    assert shown["required_signatures"] == {"min": None, "max": 2, "currency": None}
    assert set(shown) == set(LISTED)


@for_each(
    "changes, outside",
    [
        ({}, []),
        ({"review_period": "P5D"}, []),
        ({"review_period": "P6D"}, ["review_period"]),
        ({"deliver_within": "P1D"}, ["deliver_within"]),
        ({"deliver_within": "P2D"}, []),
        ({"evidence_period": "P6D"}, ["evidence_period"]),
        ({"decision_period": "P3D"}, ["decision_period"]),
        ({"dispute_default_payee_share": "0.40"}, []),
        ({"dispute_default_payee_share": "0.39"}, ["dispute_default_payee_share"]),
        ({"price": "9.99"}, ["price"]),
        ({"price": "50.00", "currency": "USD"}, ["price"]),
        ({"validation_threshold": "0.91"}, ["validation_threshold"]),
        ({"validation_threshold": None}, ["validation_threshold"]),
        ({"signatories": ["a", "b", "c"]}, ["required_signatures"]),
        ({"signatories": ["a", "b", "c"], "required_signatures": 2}, []),
        ({"milestones": [{"name": f"m{i}", "amount": "12.50"} for i in range(4)]}, ["milestones"]),
        ({"evidence_period": "P5D", "decision_period": "P11D"}, ["dispute_length"]),
    ],
)
async def test_contract_is_compared_with_the_listing_term_by_term(
    tenant: Tenant, lister: Tenant, changes: dict[str, Any], outside: list[str]
) -> None:
    made = await propose(tenant, lister, **{"review_period": "P3D", **changes})
    assert made["outside_listing"] == outside
    assert made["status"] == ("proposed" if outside else "accepted")


@for_each(
    "terms",
    [
        {"review_period": {"min": "P5D", "max": "P3D"}},
        {"review_period": {"max": "3 days"}},
        {"validation_threshold": {"max": "1.1"}},
        {"required_signatures": {"max": -1}},
        {"price": {"min": "0.001", "currency": "USD"}},
        {"commission_bps": {"max": 0}},
        {"fund_within": {"max": "P1D"}},
        None,
    ],
)
async def test_listing_that_makes_no_sense_is_refused(tenant: Tenant, terms: Any) -> None:
    refused(await tenant.owner.post("/agents", {"name": "Odd", "terms": terms}), 422, "request.invalid")


@pytest.mark.parametrize(
    "field",
    ["fund_within", "deliver_within", "review_period", "evidence_period", "decision_period", "default_grace"],
)
async def test_pitfall_31_period_below_the_floor_is_refused(tenant: Tenant, stranger: Tenant, field: str) -> None:
    body = {"agent_id": stranger.agent_id, **LONG_REVIEW, field: "PT1S"}
    document = refused(await tenant.owner.post("/contracts", body), 422, "request.invalid")
    assert document["field"] == field
    assert f"{field} must be at least P" in document["detail"]


@pytest.mark.parametrize("share", ["0", "0.0999", "0.9001", "1"])
async def test_default_share_is_bounded_on_both_sides(tenant: Tenant, stranger: Tenant, share: str) -> None:
    body = {"agent_id": stranger.agent_id, **LONG_REVIEW, "dispute_default_payee_share": share}
    document = refused(await tenant.owner.post("/contracts", body), 422, "request.invalid")
    assert "between 0.10 and 0.90" in document["detail"]


async def test_floors_hold_within_one_organization_too(tenant: Tenant) -> None:
    body = {"agent_id": tenant.agent_id, **LONG_REVIEW, "evidence_period": "PT1S"}
    refused(await tenant.owner.post("/contracts", body), 422, "request.invalid")


FORGERIES = {
    "price": ("price_minor = 1", "permission denied"),
    "time": ("accepted_at = accept_by, accepted_by = 'me'", "ck_contracts_in_time"),
    "nameless": ("accepted_at = now()", "ck_contracts_accepted"),
}


@pytest.mark.parametrize("forgery", FORGERIES)
async def test_database_takes_nothing_from_the_payee_but_an_acceptance_in_time(
    forgery: str, deps: Deps, tenant: Tenant, stranger: Tenant
) -> None:
    change, refusal = FORGERIES[forgery]
    made = await propose(tenant, stranger)
    with pytest.raises(DBAPIError, match=refusal):
        async with deps.database.tenant(stranger.org_id) as session:
            await session.execute(text(f"UPDATE contracts SET {change} WHERE id = :id"), {"id": made["id"]})


async def test_database_takes_no_acceptance_from_the_client(deps: Deps, tenant: Tenant, stranger: Tenant) -> None:
    made = await propose(tenant, stranger)
    forge = "UPDATE contracts SET accepted_at = now(), accepted_by = 'me' WHERE id = :id"
    async with deps.database.tenant(tenant.org_id) as session:
        await session.execute(text(forge), {"id": made["id"]})
    assert good(await tenant.owner.get(f"/contracts/{made['id']}"))["status"] == "proposed"


async def test_database_takes_no_second_acceptance_and_no_withdrawal(
    deps: Deps, tenant: Tenant, stranger: Tenant
) -> None:
    made = await propose(tenant, stranger)
    good(await stranger.owner.post(path_of(made)))
    for change in ("accepted_by = 'somebody else'", "accepted_at = NULL, accepted_by = NULL"):
        with pytest.raises(DBAPIError, match="nothing but one acceptance"):
            async with deps.database.tenant(stranger.org_id) as session:
                await session.execute(text(f"UPDATE contracts SET {change} WHERE id = :id"), {"id": made["id"]})


async def test_database_opens_no_escrow_of_a_proposal(deps: Deps, tenant: Tenant, stranger: Tenant) -> None:
    made = await propose(tenant, stranger)
    statement = """
        INSERT INTO escrows (id, contract_id, org_id, payee_org_id, signatory_org_ids, agent_id, workflow_id, status,
            version, currency, amount_minor, funded_minor, released_minor, refunded_minor, commission_minor, state,
            created_at, updated_at)
        SELECT replace(id, 'ctr_', 'esc_'), id, org_id, payee_org_id, '{}', agent_id, id, 'open', 1, currency,
            price_minor, 0, 0, 0, 0, '{}', now(), now() FROM contracts WHERE id = :id"""
    with pytest.raises(DBAPIError, match="has not accepted"):
        async with deps.database.platform() as session:
            await session.execute(text(statement), {"id": made["id"]})


async def test_contracts_are_listed_by_their_state_for_every_party_and_for_operators(
    database_urls: DatabaseUrls, deps: Deps, new_tenant: Any, operator: Caller
) -> None:
    client, payee, notary = [await new_tenant("owner") for _ in range(3)]
    signed = {"signatories": [f"{notary.org_id}/notary"]}
    usual = await propose(client, payee, review_period="P3D", **signed)
    accepted, proposed = await propose(client, payee, **signed), await propose(client, payee, **signed)
    good(await payee.owner.post(path_of(accepted)))
    expired = await propose_for(database_urls, client, payee, seconds=1)
    async with deps.database.platform() as session:
        await session.execute(ONCE_IT_IS_OVER, {"id": expired["id"]})

    async def ids(caller: Caller, query: str) -> list[str]:
        return [row["id"] for row in good(await caller.get(f"/contracts?{query}"))["data"]]

    for party, own in ((client, [expired["id"]]), (payee, [expired["id"]]), (notary, [])):
        of_party = f"organization_id={party.org_id}&"
        of_agent = f"agent_id={payee.agent_id}&"
        for caller, narrowed in ((party.owner, ""), (operator, of_party), (party.owner, of_agent)):
            assert await ids(caller, f"{narrowed}status=accepted") == [accepted["id"], usual["id"]]
            assert await ids(caller, f"{narrowed}status=proposed") == [proposed["id"]]
            assert await ids(caller, f"{narrowed}status=expired") == own
    for state, made in (("accepted", accepted), ("proposed", proposed), ("expired", expired)):
        [newest, *_] = await ids(operator, f"agent_id={payee.agent_id}&status={state}")
        assert newest == made["id"]
        assert made["id"] in await ids(operator, f"status={state}")
    page = good(await client.owner.get("/contracts?status=accepted&limit=1"))
    rest = good(await client.owner.get(f"/contracts?status=accepted&limit=1&cursor={page['next_cursor']}"))
    assert [row["id"] for row in (*page["data"], *rest["data"])] == [accepted["id"], usual["id"]]
    refused(await client.owner.get("/contracts?status=open"), 422, "request.invalid")


async def test_agent_that_accepts_no_granted_credits_has_contracts_that_say_so(
    tenant: Tenant, stranger: Tenant
) -> None:
    path = f"/agents/{stranger.agent_id}"
    assert good(await stranger.owner.get(path))["accepts_granted_credits"] is True
    changed = good(await stranger.owner.ask("PATCH", path, json={"accepts_granted_credits": False}, headers=ANY))
    assert changed["accepts_granted_credits"] is False
    assert (await propose(tenant, stranger))["accepts_granted_credits"] is False
    # An organization's own work is never paid out.
    own = good(await stranger.owner.post("/contracts", {"agent_id": stranger.agent_id, **LONG_REVIEW}), 201)
    assert own["accepts_granted_credits"] is True


async def test_contract_without_a_price_takes_the_one_that_the_agent_lists(tenant: Tenant, stranger: Tenant) -> None:
    priced = {"pricing": {"model": "one_time", "amount": "40.00", "currency": "USD"}}
    agent = good(await stranger.owner.post("/agents", {"name": "Charts", **priced}), 201)["id"]
    body, key = {"agent_id": agent, "title": "A chart"}, new_key()
    made = good(await tenant.owner.post("/contracts", body, key=key), 201)
    assert (made["price"], made["currency"]) == ("40.00", "USD")
    dearer = {"pricing": {"model": "one_time", "amount": "90.00", "currency": "USD"}}
    good(await stranger.owner.ask("PATCH", f"/agents/{agent}", json=dearer, headers=ANY))
    # A request that comes again has the price of then.
    assert good(await tenant.owner.post("/contracts", body, key=key), 201)["price"] == "40.00"
    wrong = await tenant.owner.post("/contracts", {**body, "currency": "EUR"})
    assert refused(wrong, 422, "request.invalid")["field"] == "currency"
    free = await tenant.owner.post("/contracts", {**body, "agent_id": stranger.agent_id})
    assert refused(free, 422, "request.invalid")["field"] == "price"
