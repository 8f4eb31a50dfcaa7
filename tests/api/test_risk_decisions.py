"""Lists, decisions as operators and organizations see them, labels, and events of the platform."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import select, update

from api.app import create_app
from domain.risk.act import EntityKind, entity
from domain.risk.case import CaseKind
from models.risk.case import RiskCase
from models.risk.decision import RiskDecision
from runtime.database import Database
from runtime.identity import new_id
from services.risk.case import open_case
from tests.api.conftest import NUMBERS, Caller, NewTenant, forget, good, new_key, refused, settings_for
from tests.api.listing import check_range
from tests.conftest import DatabaseUrls
from tests.support.cases import for_each
from tests.support.serving import client_of

pytestmark = pytest.mark.db

KEY = "a key of the tests"
NOW = datetime.now(UTC)


@asynccontextmanager
async def deciding(urls: DatabaseUrls, *, enforced: bool) -> AsyncIterator[httpx2.AsyncClient]:
    """An app whose decisions may take longer than production's, because this machine may be loaded."""
    app = create_app(settings_for(urls, risk_enforced=enforced, risk_key=KEY))
    app.state.deps.risk.settings = replace(app.state.deps.risk.settings, within=timedelta(minutes=1))
    async with client_of(app) as client:
        yield client


@pytest.fixture(scope="module")
async def enforcing(database_urls: DatabaseUrls) -> AsyncIterator[httpx2.AsyncClient]:
    async with deciding(database_urls, enforced=True) as client:
        yield client


@pytest.fixture
def backend(enforcing: httpx2.AsyncClient, operator: Caller) -> Caller:
    """The platform's backend, whose events are decided with effect."""
    return Caller(enforcing, operator.token)


def decision(org_id: str | None, **more: Any) -> RiskDecision:
    given: dict[str, Any] = {"outcome": "allow", "point": "payment", "rule": None, **more}
    return RiskDecision(
        id=new_id("rsd"),
        org_id=org_id,
        principal=f"{org_id}/buyer",
        subject=given.pop("subject", new_id("pay")),
        command_id=new_id("cmd"),
        shadow={"tried": "block"},
        facts={"amount": 1_234, "currency": "USD", "organization_attempts_1h": 7},
        entities=["network:hash"],
        value_minor=1_234,
        score={"version": 3, "score_e4": 420, "reasons": [{"sentence": "Attempts.", "effect_e4": 900}]},
        created_at=datetime.now(UTC),
        **given,
    )


async def store(database: Database, *decisions: RiskDecision) -> list[str]:
    async with database.platform() as session:
        session.add_all(decisions)
        await session.flush()
        return [each.id for each in decisions]


async def set_status(database: Database, case_id: str, status: str) -> None:
    async with database.platform() as session:
        await session.execute(update(RiskCase).where(RiskCase.id == case_id).values(status=status))


def item(kind: str, value: str, **more: Any) -> dict[str, Any]:
    ends_at = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    return {"entity": {"kind": kind, "value": value}, "reason": "A test.", "ends_at": ends_at, **more}


# Lists ----------------------------------------------------------------------------------------------------------------


async def test_personal_entity_is_listed_as_the_hmac_that_acts_have(backend: Caller) -> None:
    made = good(await backend.post("/risk/lists/block/items", item("network", "198.51.100.0/24")), 201)
    assert made["entity"] == entity(EntityKind.NETWORK, "198.51.100.0/24", KEY.encode())
    assert "198.51" not in str(made)
    plain = good(await backend.post("/risk/lists/block/items", item("key", new_id("key"))), 201)
    assert plain["entity"].startswith("key:key_")


async def test_personal_entity_without_a_key_of_the_deployment_is_refused(operator: Caller) -> None:
    problem = refused(await operator.post("/risk/lists/block/items", item("device", "d")), 422, "request.invalid")
    assert problem["field"] == "entity.kind"


@for_each(
    "change, field",
    [
        ({"ends_at": None}, "ends_at"),
        ({"ends_at": (NOW - timedelta(days=1)).isoformat()}, "ends_at"),
        ({"ends_at": (NOW + timedelta(days=402)).isoformat()}, "ends_at"),
        ({"reason": None}, "reason"),
        ({"entity": {"kind": "network", "value": "198.51.100.7"}}, "entity.value"),
        ({"entity": {"kind": "shoe", "value": "1"}}, "entity.kind"),
    ],
)
async def test_item_without_end_reason_or_entity_is_refused_with_its_field(
    change: dict[str, Any], field: str, backend: Caller
) -> None:
    body = {name: value for name, value in {**item("key", "key_1"), **change}.items() if value is not None}
    problem = refused(await backend.post("/risk/lists/allow/items", body), 422, "request.invalid")
    assert (problem.get("field") or problem["errors"][0]["field"]) == field


async def test_items_are_listed_by_kind_and_until_they_are_removed(backend: Caller) -> None:
    key = new_id("key")
    made = good(await backend.post("/risk/lists/allow/items", item("key", key)), 201)
    good(await backend.post("/risk/lists/allow/items", item("artifact", key)), 201)
    path = "/risk/lists/allow/items?kind=key&active=true&limit=1"
    assert good(await backend.get(path))["data"] == [made]
    assert made["id"] not in str(good(await backend.get("/risk/lists/block/items")))
    await check_range(backend, "/risk/lists/allow/items?kind=key", "created_at")
    gone = good(await backend.delete(f"/risk/lists/allow/items/{made['id']}"))
    assert gone["removed_by"] is not None
    assert good(await backend.delete(f"/risk/lists/allow/items/{made['id']}")) == gone
    assert made["id"] not in str(good(await backend.get(path)))
    assert good(await backend.get("/risk/lists/allow/items?kind=key"))["data"][0] == gone
    refused(await backend.delete(f"/risk/lists/block/items/{made['id']}"), 404, "not_found")
    refused(await backend.get("/risk/lists/other/items"), 404, "not_found")


async def test_repeated_command_lists_an_entity_once(backend: Caller, database: Database) -> None:
    key, body = new_key(), item("key", new_id("key"))
    first = good(await backend.post("/risk/lists/allow/items", body, key=key), 201)
    await forget(database, key)
    assert good(await backend.post("/risk/lists/allow/items", body, key=key), 201) == first
    await forget(database, key)
    other = {**body, "reason": "Another."}
    refused(await backend.post("/risk/lists/allow/items", other, key=key), 422, "idempotency.conflict")


async def test_changes_of_lists_are_in_the_trail_of_the_listed_organization(
    backend: Caller, new_tenant: NewTenant
) -> None:
    tenant = await new_tenant("owner")
    made = good(await backend.post("/risk/lists/block/items", item("organization", tenant.org_id)), 201)
    good(await backend.delete(f"/risk/lists/block/items/{made['id']}"))
    found = good(await backend.get(f"/audit?organization_id={tenant.org_id}&target={made['id']}"))["data"]
    assert [each["action"] for each in found] == ["risk.list_remove", "risk.list_add"]


# Decisions ------------------------------------------------------------------------------------------------------------


async def test_operator_sees_what_a_decision_saw(operator: Caller, database: Database) -> None:
    org_id = new_id("org")
    [decision_id] = await store(database, decision(org_id, outcome="block", rule="large", rule_version=2))
    read = good(await operator.get(f"/risk/decisions/{decision_id}"))
    details = read.pop("details")
    assert (read["rule"], read["rule_version"], read["amount"], read["currency"]) == ("large", 2, "12.34", "USD")
    assert (read["reason"], read["score_e4"]) == ("unusual_payment", 420)
    assert {
        "name": "organization_attempts_1h",
        "value": 7,
        "sentence": "Attempts of the organization within an hour.",
    } in details["facts"]
    assert (details["shadow"], details["entities"]) == ({"tried": "block"}, ["network:hash"])
    assert details["score"] == {
        **{"version": 3, "score_e4": 420},
        "reasons": [{"sentence": "Attempts.", "effect_e4": 900}],
    }
    assert good(await operator.get(f"/risk/decisions?organization_id={org_id}"))["data"] == [read]


async def test_organization_sees_its_own_decisions_reduced(
    new_tenant: NewTenant, operator: Caller, database: Database
) -> None:
    tenant, other = await new_tenant("owner", "agent"), await new_tenant("owner")
    [mine, theirs] = await store(
        database,
        decision(tenant.org_id, outcome="review", rule="large", rule_version=2, case_id=new_id("rcs")),
        decision(other.org_id),
    )
    [shown] = good(await tenant.owner.get("/risk/decisions"))["data"]
    assert {name for name, value in shown.items() if value is not None} == {
        *("id", "point", "subject", "outcome", "reason", "case_id", "created_at", "organization_id")
    }
    assert good(await tenant.owner.get(f"/risk/decisions/{mine}")) == {**shown, "details": None}
    refused(await tenant.owner.get(f"/risk/decisions/{theirs}"), 404, "not_found")
    # Neither a filter nor the key of an agent shows what is hidden.
    assert good(await tenant.owner.get("/risk/decisions?rule=other&label=fraud"))["data"] == [shown]
    assert good(await tenant.owner.get(f"/risk/decisions?organization_id={other.org_id}"))["data"] == [shown]
    assert good(await tenant.agent.get("/risk/decisions"))["data"] == []
    refused(await tenant.agent.get(f"/risk/decisions/{mine}"), 404, "not_found")


async def test_decisions_are_filtered(operator: Caller, database: Database) -> None:
    org_id, subject = new_id("org"), new_id("pay")
    ids = await store(
        database,
        decision(org_id, point="payout", subject=subject),
        decision(org_id, outcome="block", rule="large"),
        decision(org_id, label="fraud", label_at=NOW),
    )
    for query, expected in (
        ("point=payout", ids[:1]),
        (f"subject={subject}", ids[:1]),
        ("outcome=block", ids[1:2]),
        ("rule=large", ids[1:2]),
        ("label=fraud", ids[2:]),
    ):
        found = good(await operator.get(f"/risk/decisions?organization_id={org_id}&{query}"))["data"]
        assert [each["id"] for each in found] == expected, query
    assert good(await operator.get(f"/risk/decisions?subject={subject}"))["data"][0]["id"] == ids[0]
    await check_range(operator, f"/risk/decisions?organization_id={org_id}", "created_at")


async def test_role_of_the_platform_without_risk_read_sees_no_decision(issue_key: Any, database: Database) -> None:
    arbiter, auditor = await issue_key("arbiter"), await issue_key("platform_auditor")
    [decision_id] = await store(database, decision(None))
    for path in ("/risk/decisions", f"/risk/decisions/{decision_id}"):
        refused(await arbiter.get(path), 403, "auth.forbidden")
        good(await auditor.get(path))


# Labels ---------------------------------------------------------------------------------------------------------------


async def label(operator: Caller, decision_id: str, name: str) -> httpx2.Response:
    return await operator.post("/risk/labels", {"decision_id": decision_id, "label": name})


async def test_label_is_set_once(operator: Caller, database: Database) -> None:
    [decision_id] = await store(database, decision(new_id("org")))
    first = good(await label(operator, decision_id, "fraud"))
    assert first["label"] == "fraud"
    assert good(await label(operator, decision_id, "fraud")) == first
    problem = refused(await label(operator, decision_id, "legitimate"), 409, "risk.labelled")
    assert problem["label"] == "fraud"
    refused(await label(operator, new_id("rsd"), "fraud"), 404, "not_found")


@for_each("status", ["open", "assigned", "waiting", "appealed"])
async def test_decision_of_an_undecided_case_gets_no_label(status: str, operator: Caller, database: Database) -> None:
    org_id = new_id("org")
    async with database.platform() as session:
        case_id = await open_case(session, CaseKind.DELIVERY, org_id, [org_id], 0, NOW, [], "A test.", {})
    await set_status(database, case_id, status)
    [decision_id] = await store(database, decision(org_id, outcome="review", case_id=case_id))
    assert refused(await label(operator, decision_id, "fraud"), 409, "risk.not_decided")["case_id"] == case_id
    await set_status(database, case_id, "closed")
    assert good(await label(operator, decision_id, "fraud"))["label"] == "fraud"


async def test_of_two_labels_at_once_one_is_set(operator: Caller, database: Database) -> None:
    [decision_id] = await store(database, decision(new_id("org")))
    answers = await asyncio.gather(*(label(operator, decision_id, name) for name in ("fraud", "legitimate")))
    assert sorted(answer.status_code for answer in answers) == [200, 409]


# Events of the platform -----------------------------------------------------------------------------------------------


def event(name: str = "signup", **more: Any) -> dict[str, Any]:
    return {"event": name, "subject": f"user-{next(NUMBERS)}", **more}


async def stored_of(database: Database, decision_id: str) -> RiskDecision:
    async with database.platform() as session:
        return (await session.scalars(select(RiskDecision).where(RiskDecision.id == decision_id))).one()


async def test_second_signup_on_a_device_is_reviewed_and_never_refused(backend: Caller) -> None:
    device = new_id("dev")
    first = good(await backend.post("/risk/evaluate", event(device=device)))
    assert (first["outcome"], first["reason"], first["case_id"]) == ("allow", None, None)
    second = good(await backend.post("/risk/evaluate", event(device=device)))
    assert (second["outcome"], second["reason"]) == ("review", "account_safety")
    assert second["case_id"] is not None


async def test_event_is_decided_by_the_given_entities_and_not_by_those_of_the_caller(
    backend: Caller, database: Database
) -> None:
    given = event(device="a device", address="8.8.8.8", instrument="a card", mail="Kim.Doe@Mail.example")
    answer = good(await backend.post("/risk/evaluate", given, headers={"Bursar-Device": "the-caller-s-device"}))
    row = await stored_of(database, answer["decision_id"])
    values = {
        EntityKind.DEVICE: "a device",
        EntityKind.ADDRESS: "8.8.8.8",
        EntityKind.NETWORK: "8.8.8.0/24",
        EntityKind.INSTRUMENT: "a card",
        EntityKind.MAIL_DOMAIN: "mail.example",
    }
    assert row.entities == sorted(str(entity(kind, value, KEY.encode())) for kind, value in values.items())
    assert (row.subject, row.org_id) == (given["subject"], None)
    assert not {"key_age_minutes", "newest_key_minutes"} & row.facts.keys()


async def test_private_address_of_an_event_is_no_entity(backend: Caller, database: Database) -> None:
    answer = good(await backend.post("/risk/evaluate", event(address="10.1.2.3")))
    assert (await stored_of(database, answer["decision_id"])).entities == []


async def test_repeated_event_gets_its_first_decision(backend: Caller, database: Database) -> None:
    key, body = new_key(), event("login_failed", device=new_id("dev"))
    first = good(await backend.post("/risk/evaluate", body, key=key))
    await forget(database, key)
    assert good(await backend.post("/risk/evaluate", body, key=key)) == first
    again = good(await backend.post("/risk/evaluate", {**body, "subject": "another"}))
    assert (await stored_of(database, again["decision_id"])).facts["device_logins_failed_1d"] == 2


async def test_blocked_event_is_an_answer_and_no_refusal(backend: Caller, database: Database) -> None:
    organization = good(await backend.post("/organizations", {"name": "Listed"}), 201)["id"]
    good(await backend.post("/risk/lists/block/items", item("organization", organization)), 201)
    answer = good(await backend.post("/risk/evaluate", event("login", organization_id=organization)))
    assert (answer["outcome"], answer["reason"]) == ("block", "account_safety")
    good(await backend.post("/risk/lists/allow/items", item("organization", organization)), 201)
    assert good(await backend.post("/risk/evaluate", event("login", organization_id=organization)))["reason"] is None


async def test_outcome_without_enforcement_is_allow(
    database_urls: DatabaseUrls, operator: Caller, database: Database
) -> None:
    organization = good(await operator.post("/organizations", {"name": "Listed"}), 201)["id"]
    good(await operator.post("/risk/lists/block/items", item("organization", organization)), 201)
    async with deciding(database_urls, enforced=False) as http:
        asked = Caller(http, operator.token).post("/risk/evaluate", event("login", organization_id=organization))
        answer = good(await asked)
    assert (answer["outcome"], answer["reason"]) == ("allow", None)
    assert (await stored_of(database, answer["decision_id"])).outcome == "block"


@for_each(
    "change, status, code",
    [
        ({"event": "payment"}, 422, "request.invalid"),
        ({"address": "nowhere"}, 422, "request.invalid"),
        ({"mail": "kim"}, 422, "request.invalid"),
        ({"organization_id": "org_" + "0" * 26}, 404, "not_found"),
    ],
)
async def test_bad_event_is_refused(change: dict[str, Any], status: int, code: str, backend: Caller) -> None:
    refused(await backend.post("/risk/evaluate", {**event(), **change}), status, code)
