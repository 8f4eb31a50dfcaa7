from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from api.v1.escrows.commands import names_of, terms_of
from repositories.escrow import contract as contracts
from runtime.database import Database
from runtime.settings import Settings
from tests.api.conftest import Caller, Tenant, good, new_key, refused
from tests.support.cases import for_each

pytestmark = pytest.mark.db


def award(agent_id: str, **changes: Any) -> dict[str, Any]:
    return {"agent_id": agent_id, "title": "Summarise", "price": "50.00", **changes}


async def test_contract_takes_its_defaults_from_the_settings(tenant: Tenant, stranger: Tenant) -> None:
    made = good(await tenant.owner.post("/contracts", award(stranger.agent_id)), 201)
    principal = good(await tenant.owner.get(f"/contracts/{made['id']}"))["signatories"]
    assert made["organization_id"] == tenant.org_id
    assert made["payee_org_id"] == stranger.org_id
    assert made["price"] == "50.00"
    assert made["currency"] == "CREDIT"
    assert made["validation_threshold"] == "0.80"
    assert made["required_signatures"] == 1
    assert made["operator_approvals"] is True
    assert len(principal) == 1
    assert made["deliver_within"] == "P7D"
    assert made["review_period"] == "P3D"
    assert made["dispute_default_payee_share"] == "0.50"
    assert made["commission_bps"] == 500
    assert made["milestones"] == []


@pytest.mark.parametrize("shown", [True, False])
async def test_names_are_in_the_terms_only_where_temporal_may_show_them(
    tenant: Tenant, stranger: Tenant, database: Database, shown: bool
) -> None:
    made = good(await tenant.owner.post("/contracts", award(stranger.agent_id)), 201)
    deps = SimpleNamespace(database=database, settings=Settings(names_in_temporal=shown))
    async with database.platform() as session:
        contract = await contracts.get(session, made["id"])
    terms = terms_of(contract, await names_of(deps, contract))
    assert terms.names_shown is shown
    assert (terms.payer_name is not None, terms.agent_name is not None) == (shown, shown)


async def test_contract_keeps_everything_that_was_agreed(tenant: Tenant, stranger: Tenant) -> None:
    body = award(
        stranger.agent_id,
        validation_threshold=None,
        signatories=["procurement", f"{stranger.org_id}/lead", f"{tenant.org_id}/finance"],
        required_signatures=2,
        operator_approvals=False,
        fund_within="PT301S",
        deliver_within="P2W",
        review_period="PT36H",
        evidence_period="PT25H30M",
        decision_period="P1DT1H",
        default_grace="P1000D",
        dispute_default_payee_share="0.125",
        milestones=[{"name": "Draft", "amount": 20}, {"name": "Final", "amount": "30.00"}],
    )
    made = good(await tenant.owner.post("/contracts", body), 201)
    outside = ["evidence_period", "decision_period", "dispute_length", "dispute_default_payee_share"]
    assert (made["status"], made["outside_listing"]) == ("proposed", outside)
    assert made["validation_threshold"] is None
    assert made["signatories"] == ["procurement", f"{stranger.org_id}/lead", "finance"]
    assert made["required_signatures"] == 2
    assert made["operator_approvals"] is False
    assert made["fund_within"] == "PT5M1S"
    assert made["deliver_within"] == "P14D"
    assert made["review_period"] == "P1DT12H"
    assert made["evidence_period"] == "P1DT1H30M"
    assert made["decision_period"] == "P1DT1H"
    assert made["default_grace"] == "P1000D"
    assert made["dispute_default_payee_share"] == "0.125"
    assert made["milestones"] == [{"name": "Draft", "amount": "20.00"}, {"name": "Final", "amount": "30.00"}]
    assert good(await tenant.owner.get(f"/contracts/{made['id']}")) == made


async def test_signatories_that_are_named_all_sign_unless_fewer_are_asked_for(tenant: Tenant, stranger: Tenant) -> None:
    body = award(stranger.agent_id, signatories=["a", "b", "c"])
    assert good(await tenant.owner.post("/contracts", body), 201)["required_signatures"] == 3


async def test_both_sides_and_named_signatories_see_a_contract_and_nobody_else(
    tenant: Tenant, stranger: Tenant, new_tenant: Any
) -> None:
    notary, outsider = await new_tenant("member"), await new_tenant("member")
    body = award(stranger.agent_id, signatories=[f"{notary.org_id}/notary"])
    contract_id = good(await tenant.owner.post("/contracts", body), 201)["id"]
    for caller in (tenant.auditor, stranger.agent, notary.member):
        assert good(await caller.get(f"/contracts/{contract_id}"))["id"] == contract_id
        assert contract_id in {item["id"] for item in good(await caller.get("/contracts?limit=200"))["data"]}
    refused(await outsider.member.get(f"/contracts/{contract_id}"), 404, "not_found")
    assert good(await outsider.member.get("/contracts"))["data"] == []


async def test_who_reads_the_books_alone_reads_no_contract(
    tenant: Tenant, stranger: Tenant, issue_key: Callable[..., Awaitable[Caller]]
) -> None:
    contract_id = good(await tenant.owner.post("/contracts", award(stranger.agent_id)), 201)["id"]
    accountant = await issue_key("accountant")
    refused(await accountant.get(f"/contracts/{contract_id}"), 403, "auth.forbidden")


LONGEST = {
    "title": "t" * 200,
    "signatories": [f"s{i}" + "x" * 90 for i in range(20)],
    "milestones": [{"name": f"{i:03d}" + "m" * 197, "amount": "1"} for i in range(50)],
}


async def test_pitfall_17_longest_inputs_are_taken(tenant: Tenant, stranger: Tenant) -> None:
    made = good(await tenant.owner.post("/contracts", award(stranger.agent_id, **LONGEST), key="k" * 255), 201)
    assert len(made["milestones"]) == 50
    assert len(made["signatories"]) == 20


@for_each(
    "changes",
    [
        {"price": "0"},
        {"price": "-1"},
        {"price": "0.0000001"},
        {"price": "1e3"},
        {"price": "NaN"},
        {"price": ""},
        {"price": True},
        {"price": None},
        {"price": {"amount": 1}},
        {"price": "1" * 41},
        {"price": "1000000001"},
        {"price": "٣"},
        {"currency": "XXX"},
        {"currency": "credit"},
        {"currency": "JPY", "price": "1.5"},
        {"title": ""},
        {"title": "t" * 201},
        {"title": "two\nlines"},
        {"validation_threshold": "1.01"},
        {"validation_threshold": "0.80001"},
        {"validation_threshold": "-0.1"},
        {"validation_threshold": "high"},
        {"signatories": []},
        {"signatories": ["a", "a"]},
        {"signatories": ["with space"]},
        {"signatories": ["org_x/name"]},
        {"signatories": [f"org_{'0' * 26}/name"]},
        {"signatories": [f"s{i}" for i in range(21)]},
        {"required_signatures": 0},
        {"required_signatures": 2},
        {"signatories": ["a", "b"], "required_signatures": 3},
        {"required_signatures": "1.5"},
        {"fund_within": "PT0S"},
        {"fund_within": "P1Y"},
        {"fund_within": "P2000D"},
        {"fund_within": "7 days"},
        {"fund_within": 7},
        {"fund_within": "P"},
        {"fund_within": "P1DT"},
        {"fund_within": "PT0.5S"},
        {"fund_within": "-P1D"},
        {"dispute_default_payee_share": "1.0001"},
        {"milestones": [{"name": "a", "amount": "49.99"}]},
        {"milestones": [{"name": "a", "amount": "25"}, {"name": "a", "amount": "25"}]},
        {"milestones": [{"name": "a", "amount": "60"}, {"name": "b", "amount": "-10"}]},
        {"milestones": [{"name": f"m{i}", "amount": "1"} for i in range(51)], "price": "51"},
        {"milestones": [{"name": "a"}]},
        {"commission_bps": 10_001},
        {"agent_id": "agt_1"},
        {"agent_id": None},
        {"surprise": 1},
    ],
)
async def test_contract_that_breaks_a_rule_is_refused(
    changes: dict[str, Any], tenant: Tenant, stranger: Tenant
) -> None:
    refused(await tenant.owner.post("/contracts", {**award(stranger.agent_id), **changes}), 422, "request.invalid")


async def test_own_qualified_name_counts_as_the_short_one(tenant: Tenant, stranger: Tenant) -> None:
    body = award(stranger.agent_id, signatories=["a", f"{tenant.org_id}/a"])
    refused(await tenant.owner.post("/contracts", body), 422, "request.invalid")


async def test_commission_is_set_by_operators_only(tenant: Tenant, stranger: Tenant, operator: Caller) -> None:
    body = award(stranger.agent_id, commission_bps=0)
    refused(await tenant.owner.post("/contracts", body), 403, "auth.forbidden")
    by_operator = {**body, "organization_id": tenant.org_id, "signatories": ["a"]}
    made = good(await operator.post("/contracts", by_operator), 201)
    assert made["commission_bps"] == 0
    assert made["organization_id"] == tenant.org_id


async def test_operator_names_client_and_signatories(tenant: Tenant, stranger: Tenant, operator: Caller) -> None:
    body = award(stranger.agent_id, signatories=["a"])
    refused(await operator.post("/contracts", body), 422, "request.invalid")
    without = award(stranger.agent_id, organization_id=tenant.org_id)
    refused(await operator.post("/contracts", without), 422, "request.invalid")


async def test_tenant_awards_for_itself_only(tenant: Tenant, stranger: Tenant) -> None:
    body = award(stranger.agent_id, organization_id=stranger.org_id)
    refused(await tenant.owner.post("/contracts", body), 404, "not_found")


async def test_same_award_under_one_key_is_one_contract(tenant: Tenant, stranger: Tenant) -> None:
    key = new_key()
    first = good(await tenant.owner.post("/contracts", award(stranger.agent_id), key=key), 201)
    assert good(await tenant.owner.post("/contracts", award(stranger.agent_id), key=key), 201) == first
    second = good(await tenant.owner.post("/contracts", award(stranger.agent_id)), 201)
    assert second["id"] != first["id"]


async def test_contracts_are_filtered_by_agent(tenant: Tenant, stranger: Tenant) -> None:
    agent_id = good(await stranger.owner.post("/agents", {"name": "Filtered"}), 201)["id"]
    made = good(await tenant.owner.post("/contracts", award(agent_id)), 201)
    listed = good(await tenant.owner.get(f"/contracts?agent_id={agent_id}"))["data"]
    assert [item["id"] for item in listed] == [made["id"]]


async def test_agent_needs_only_a_name(tenant: Tenant) -> None:
    made = good(await tenant.member.post("/agents", {"name": "Summariser"}), 201)
    assert made["organization_id"] == tenant.org_id
    assert made["visibility"] == "public"
    assert made["pricing"] == {"model": "free", "amount": None, "currency": None}


async def test_private_agent_is_seen_by_its_organization_only(tenant: Tenant, stranger: Tenant) -> None:
    made = good(await tenant.owner.post("/agents", {"name": "Secret", "visibility": "private"}), 201)
    assert good(await tenant.auditor.get(f"/agents/{made['id']}")) == made
    refused(await stranger.owner.get(f"/agents/{made['id']}"), 404, "not_found")
    refused(await stranger.owner.post("/contracts", award(made["id"])), 404, "not_found")
    listed = good(await stranger.owner.get(f"/agents?organization_id={tenant.org_id}&limit=200"))["data"]
    assert made["id"] not in {item["id"] for item in listed}
    assert tenant.agent_id in {item["id"] for item in listed}


async def test_operator_cannot_award_a_private_agent_to_others(
    tenant: Tenant, stranger: Tenant, operator: Caller
) -> None:
    made = good(await tenant.owner.post("/agents", {"name": "Inhouse", "visibility": "private"}), 201)
    body = award(made["id"], organization_id=stranger.org_id, signatories=["a"])
    refused(await operator.post("/contracts", body), 404, "not_found")


async def test_pricing_is_kept_exactly(tenant: Tenant) -> None:
    pricing = {"model": "monthly", "amount": "9.99", "currency": "USD"}
    assert good(await tenant.owner.post("/agents", {"name": "Paid", "pricing": pricing}), 201)["pricing"] == pricing


@pytest.mark.parametrize(
    "pricing",
    [
        {"model": "monthly"},
        {"model": "free", "amount": "1"},
        {"model": "one_time", "amount": "0"},
        {"model": "usage", "amount": "0.001", "currency": "USD"},
        {"model": "barter", "amount": "1"},
        {"model": "usage", "amount": "1", "currency": "ABC"},
    ],
    ids=str,
)
async def test_pricing_that_makes_no_sense_is_refused(pricing: dict[str, str], tenant: Tenant) -> None:
    refused(await tenant.owner.post("/agents", {"name": "Odd", "pricing": pricing}), 422, "request.invalid")


async def test_signatories_that_differ_in_case_only_are_one(tenant: Tenant, stranger: Tenant) -> None:
    for names in (["Alice", "alice"], [f"{tenant.org_id}/Alice", "ALICE"]):
        body = {"agent_id": tenant.agent_id, "title": "x", "price": "1", "signatories": names}
        refused(await tenant.owner.post("/contracts", body), 422, "request.invalid")
