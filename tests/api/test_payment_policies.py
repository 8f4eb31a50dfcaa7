"""Payment policies, free options and declared methods through HTTP."""

from typing import Any

import pytest

from tests.api.conftest import Caller, NewTenant, Tenant, good, new_key, refused
from tests.api.purchasing import proposed
from tests.support.cases import for_each

pytestmark = pytest.mark.db

#: None of these was ever anybody's; each has the form of its vendor.
SECRETS = {
    "stripe": "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc",
    "aws": "AKIA" + "IOSFODNN7EXAMPLE",
    "github": "ghp_" + "0123456789abcdefghijABCDEFGHIJ012345",
    "pem": "-----BEGIN RSA PRIVATE " + "KEY-----",
    "ours": "bsk_01kar6h2d8e4wvq3r5s7t9x1zy_" + "0" * 64,
    "url": "https://ada:hunter22@vendor.example",
}


async def put(of: Caller, path: str, status: int = 200, **body: Any) -> Any:
    answer = await of.ask("PUT", path, json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


async def effective(of: Caller, query: str = "") -> dict[str, Any]:
    found: dict[str, Any] = good(await of.get(f"/payment-policies/effective{query}"))
    return found


async def test_nearest_policy_applies_and_an_agent_reads_its_own(
    new_tenant: NewTenant,
) -> None:
    tenant = await new_tenant("owner", "member", "agent")
    owner, agent_id = tenant.owner, tenant.agent_id
    default = await effective(tenant.agent)
    assert default["subject"] == {"type": "default", "id": None, "name": None}
    assert (default["free_first"], default["answer_within"], default["version"]) == ("ask", "P1D", 0)
    assert default["order"] == ["free", "card", "TON", "BTC", "ETH", "USDC", "other"]

    whole = {"currency": "CAD", "per_purchase": "50", "approval_above": "20.5", "answer_within": "PT4H"}
    await put(owner, "/payment-policies", subject={"type": "organization"}, **whole)
    project = good(await owner.post("/projects", {"slug": new_key()[:8].lower()}), 201)
    crypto = {"primary": "USDC", "fallbacks": ["TON"], "reasoning": "Stable.", "wallet_creation": "ask"}
    subject = {"type": "project", "id": project["id"]}
    made = await put(owner, "/payment-policies", subject=subject, crypto=crypto, vendors={"refused": ["Casino"]})
    assert made["order"] == ["free", "card", "USDC", "TON", "BTC", "ETH", "other"]
    assert (made["crypto"], made["subject"]["name"]) == (crypto, project["name"])

    of_agent = await effective(tenant.agent)
    assert (of_agent["currency"], of_agent["approval_above"], of_agent["subject"]["type"]) == (
        *("CAD", "20.50", "organization"),
    )
    # The project's holds as a whole: it has no cap.
    of_project = await effective(tenant.member, f"?agent_id={agent_id}&project_id={project['id']}")
    assert (of_project["id"], of_project["per_purchase"], of_project["currency"]) == (made["id"], None, "USD")
    await owner.ask("PUT", f"/agents/{agent_id}/attribution", json={"project_id": project["id"]})
    assert (await effective(tenant.agent))["id"] == made["id"]
    subject = {"type": "agent", "id": agent_id}
    own = await put(owner, "/payment-policies", subject=subject, free_first="off", methods=["TON"], version=0)
    assert (await effective(tenant.agent))["id"] == own["id"]

    refused(await tenant.agent.ask("DELETE", f"/payment-policies/{own['id']}"), 403, "auth.forbidden")
    other = good(await owner.post("/agents", {"name": "another"}), 201)
    refused(await tenant.agent.get(f"/payment-policies/effective?agent_id={other['id']}"), 403, "auth.forbidden")

    assert (await owner.ask("DELETE", f"/payment-policies/{own['id']}")).status_code == 204
    assert (await effective(tenant.agent))["id"] == made["id"]
    listed = good(await owner.get(f"/payment-policies?subject_type=project&subject_id={project['id']}"))["data"]
    assert [each["id"] for each in listed] == [made["id"]]
    trail = good(await owner.get("/audit?limit=50"))["data"]
    assert {"payment_policy.set", "payment_policy.delete"} <= {entry["action"] for entry in trail}


async def test_a_repeated_request_changes_nothing_and_an_old_version_is_refused(stranger: Tenant) -> None:
    body = {"subject": {"type": "organization"}, "currency": "CAD", "per_purchase": "10"}
    first = await put(stranger.owner, "/payment-policies", **body)
    key = new_key()
    for _ in range(2):
        answer = await stranger.owner.ask("PUT", "/payment-policies", json=body, key=key)
        assert good(answer)["version"] == first["version"]
    second = await put(stranger.owner, "/payment-policies", **body, free_first="off", version=first["version"])
    assert second["version"] == first["version"] + 1
    answer = await stranger.owner.ask("PUT", "/payment-policies", json={**body, "version": first["version"]})
    assert refused(answer, 409, "payment_policy.version")["version"] == second["version"]


async def test_free_options_and_methods_are_declared_replaced_and_deleted(tenant: Tenant) -> None:
    option = {"name": "Codeium", "category": "coding", "address": "https://codeium.example"}
    made = await put(tenant.owner, "/free-options", **option)
    again = await put(tenant.owner, "/free-options", **{**option, "name": "CODEIUM", "quota": 5, "quota_window": "day"})
    assert (again["id"], again["quota"], again["used"]) == (made["id"], 5, 0)
    fee = {"share": "0.029", "fixed": "0.3", "currency": "USD"}
    card = await put(tenant.owner, "/purchase-methods", name="card", label="Card ending in 1234", kind="card", fee=fee)
    assert card["fee"] == {"share": "0.029", "fixed": "0.30", "currency": "USD"}
    assert (card["available"], card["why_not"], card["attempts"]) == (False, "not_connected", 0)
    for path, row in (("/free-options", again), ("/purchase-methods", card)):
        assert good(await tenant.agent.get(path))["data"] == [row]
        assert (await tenant.owner.ask("DELETE", f"{path}/{row['id']}")).status_code == 204
        assert good(await tenant.member.get(path))["data"] == []
        refused(await tenant.owner.ask("DELETE", f"{path}/{row['id']}"), 404, "not_found")


BAD_POLICIES: list[tuple[str, dict[str, Any]]] = [
    ("currency", {"currency": "SLOT"}),
    ("currency", {"currency": "XXX"}),
    ("per_purchase", {"per_purchase": "1.001"}),
    ("approval_above", {"approval_above": "-1"}),
    ("two_persons_above", {"two_persons_above": "5"}),
    ("two_persons_above", {"approval_above": "6", "two_persons_above": "5"}),
    ("methods", {"methods": []}),
    ("methods", {"methods": ["card", "card"]}),
    ("crypto", {"crypto": {"primary": "card"}}),
    ("crypto.fallbacks", {"crypto": {"primary": "TON", "fallbacks": ["TON"]}}),
    ("vendors.refused", {"vendors": {"allowed": ["GitHub"], "refused": ["github "]}}),
    ("vendors.allowed", {"vendors": {"allowed": ["GitHub", "GITHUB"]}}),
    ("categories.allowed", {"categories": {"allowed": [f"c{n}" for n in range(101)]}}),
    ("answer_within", {"answer_within": "P31D"}),
]


@for_each("field, body", BAD_POLICIES)
async def test_a_contradictory_policy_is_refused_with_its_field(
    field: str, body: dict[str, Any], tenant: Tenant
) -> None:
    answer = await tenant.owner.ask("PUT", "/payment-policies", json={"subject": {"type": "organization"}, **body})
    problem = refused(answer, 422, "request.invalid")
    named = {problem.get("field"), *(each["field"] for each in problem.get("errors", ()))}
    assert any(each is not None and each.endswith(field) for each in named), problem


@for_each("secret", SECRETS.values())
async def test_no_text_holds_a_secret(secret: str, tenant: Tenant) -> None:
    text = f"use {secret} here"
    bodies: list[tuple[str, str, dict[str, Any]]] = [
        ("vendors.allowed", "/payment-policies", {"subject": {"type": "organization"}, "vendors": {"allowed": [text]}}),
        ("crypto.reasoning", "/payment-policies", {"subject": {"type": "organization"}, "crypto": {"reasoning": text}}),
        ("name", "/free-options", {"name": text, "category": "a"}),
        ("address", "/free-options", {"name": "a", "category": "a", "address": text}),
        ("label", "/purchase-methods", {"name": "a", "label": text, "kind": "card"}),
    ]
    for field, path, body in bodies:
        if secret == SECRETS["ours"] and field in {"vendors.allowed", "name", "label"}:
            continue  # It is longer than a name may be.
        answer = await tenant.owner.ask("PUT", path, json=body)
        assert refused(answer, 422, "request.invalid")["field"] == field
        assert secret not in answer.text


@for_each(
    "label, code",
    [
        ("Card 4242 4242 4242 4242", "privacy.card_number"),
        ("Card\x07", "request.invalid"),
        ("Card \u202e4321", "request.invalid"),
        (" ", "request.invalid"),
        ("x" * 81, "request.invalid"),
    ],
)
async def test_label_shows_its_kind(label: str, code: str, tenant: Tenant) -> None:
    body = {"name": "card", "label": label, "kind": "card"}
    refused(await tenant.owner.ask("PUT", "/purchase-methods", json=body), 422, code)


@for_each(
    "path, body",
    [
        ("/free-options", {"name": "a", "category": "a", "quota": 1}),
        ("/free-options", {"name": "a", "category": "a", "quota_window": "day"}),
        ("/free-options", {"name": "a", "category": "a", "quota": 0, "quota_window": "day"}),
        ("/free-options", {"name": "a", "category": "a", "quota": 1, "quota_window": "hour"}),
        ("/purchase-methods", {"name": "Card 1", "label": "a", "kind": "card"}),
        ("/purchase-methods", {"name": "a", "label": "a", "kind": "cash"}),
        ("/purchase-methods", {"name": "a", "label": "a", "kind": "card", "fee": {"share": "1.1"}}),
        ("/purchase-methods", {"name": "a", "label": "a", "kind": "card", "fee": {"fixed": "1"}}),
    ],
)
async def test_bad_options_and_methods_are_refused(path: str, body: dict[str, Any], tenant: Tenant) -> None:
    refused(await tenant.owner.ask("PUT", path, json=body), 422, "request.invalid")


async def test_equal_methods_keep_the_order_of_declaration_until_one_is_ranked(tenant: Tenant) -> None:
    async def order() -> list[str]:
        found = await proposed(tenant.agent, tenant.agent_id)
        return [each["method"] for each in found["methods"]]

    names = ["card_primary", "card_backup", "card_another"]
    for name in names:
        await put(tenant.owner, "/purchase-methods", name=name, label=name, kind="card")
    assert await order() == names
    again = await put(tenant.owner, "/purchase-methods", name="card_primary", label="Changed", kind="card")
    assert (again["rank"], await order()) == (1, names)
    ranked = await put(tenant.owner, "/purchase-methods", name="card_another", label="Now", kind="card", rank=0)
    assert (ranked["rank"], await order()) == (0, ["card_another", "card_primary", "card_backup"])
    # Costs go before ranks.
    fee = {"share": "0.01"}
    await put(tenant.owner, "/purchase-methods", name="card_backup", label="Cheap", kind="card", fee=fee)
    assert await order() == ["card_backup", "card_another", "card_primary"]
