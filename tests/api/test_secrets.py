"""Secrets over HTTP: stored, granted, opened, destroyed; and nothing of a value where it does not belong."""

import hashlib
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
import structlog
import wallycore
from pydantic import SecretStr

from api.app import create_app
from api.body import canonical
from domain.common.access import Actor, Role
from domain.secrets.secret import SecretKind
from providers.secrets import wallets
from providers.secrets.base import Stored, ValueLocation
from runtime.database import Database
from runtime.identity import new_id
from runtime.signing import Signer
from services.secrets import secret
from services.secrets.secret import SecretChange
from tests.api.conftest import TENANT_ROLES, Caller, NewTenant, Tenant, good, new_key, refused, settings_for
from tests.conftest import DatabaseUrls
from tests.support.connections import connected
from tests.support.rows import rows_of
from tests.support.secrets import local_secrets
from tests.support.serving import client_of

pytestmark = pytest.mark.db

KEYS = "k1:a2trbGtsa2xrbGtsa2xrbGtsa2xrbGtsa2xrbGtsa2s="
CANARY = "canary-8d1f0c7e-never-to-be-seen"
SEED = "legal winner thank year wave sausage worth useful legal winner thank yellow"


def client(urls: DatabaseUrls, **changes: Any) -> Any:
    return client_of(create_app(settings_for(urls, secret_keys=KEYS, **changes), secrets=local_secrets()))


@pytest.fixture(scope="module")
async def storing(database_urls: DatabaseUrls) -> AsyncIterator[httpx2.AsyncClient]:
    async with client(database_urls) as found:
        yield found


@pytest.fixture
async def org(new_tenant: NewTenant, storing: httpx2.AsyncClient) -> Tenant:
    return (await new_tenant(*TENANT_ROLES)).through(storing)


async def put(caller: Caller, path: str = "api_keys/model", value: str | None = CANARY, **more: Any) -> httpx2.Response:
    body = {"kind": "reference" if path.startswith("payments/") else "api_key", **more}
    if value is not None:
        body["value"] = value
    return await caller.ask("PUT", f"/secrets/{path}", key=more.pop("key", new_key()), json=body)


async def grant(caller: Caller, *paths: str, **more: Any) -> dict[str, Any]:
    ends_at = (datetime.now(UTC) + timedelta(days=30)).isoformat()
    body = {"paths": paths or ["api_keys/*"], "verbs": ["read"], "ends_at": ends_at, **more}
    made: dict[str, Any] = good(await caller.post("/secrets/grants", body, key=new_key()), 201)
    return made


def key_of(caller: Caller) -> str:
    return f"key_{caller.token.split('_')[1]}"


async def principal(caller: Caller) -> str:
    return str(good(await caller.get("/me"))["principal"])


async def test_an_owner_stores_grants_and_a_person_reads_with_an_entry_each(org: Tenant):
    made = good(await put(org.owner, hosts=["API.example.com:443", "api.example.com"]))
    assert (made["current_version"], made["hosts"], made["versions"][0]["status"]) == (
        1,
        ["api.example.com"],
        "current",
    )
    assert CANARY not in str(made)
    refused(await org.owner.post("/secrets/api_keys/model/open", {"purpose": "x"}), 403, "secret.not_granted")

    granted = await grant(org.owner, principal=await principal(org.member), uses_per_day=2)
    answer = await org.member.post("/secrets/api_keys/model/open", {"purpose": "Set up"})
    assert good(answer) == {"path": "api_keys/model", "kind": "api_key", "version": 1, "value": CANARY}
    assert answer.headers["cache-control"] == "no-store"
    [seen] = good(await org.member.get("/secrets"))["data"]
    assert (seen["path"], seen["versions"], seen["grants"][0]["uses_today"]) == ("api_keys/model", None, 1)

    good(await put(org.admin, value="second"))
    assert good(await org.member.post("/secrets/api_keys/model/open", {"purpose": "x"}))["value"] == "second"
    refused(await org.member.post("/secrets/api_keys/model/open", {"purpose": "x"}), 403, "secret.uses_exhausted")

    good(await org.owner.delete(f"/secrets/grants/{granted['id']}"))
    refused(await org.member.post("/secrets/api_keys/model/open", {"purpose": "x"}), 403, "secret.not_granted")
    entries = good(await org.auditor.get("/secrets/api_keys/model/access"))["data"]
    assert [(each["outcome"], each["version"]) for each in reversed(entries)] == [
        ("no_grant", 1), ("opened", 1), ("opened", 2), ("uses", 2), ("no_grant", 2),
    ]  # fmt: skip


async def test_a_key_in_an_operators_line_reads_uses_and_changes_no_secret_and_owners_see_it(
    org: Tenant, operator: Caller
):
    good(await put(org.owner))
    name = await principal(org.member)
    await grant(org.owner, uses_per_day=1, principal=name)
    await grant(org.owner, agent_id=org.agent_id, verbs=["use"], hosts=["api.example.com"], methods=["POST"])
    operates = Caller(org.owner.http, operator.token)

    async def issued(by: Caller, **wanted: Any) -> Caller:
        made = good(await by.post("/api-keys", {"role": "member", **wanted}, key=new_key()), 201)
        return Caller(org.owner.http, made["secret"], org.org_id)

    slipped = await issued(operates, organization_id=org.org_id, principal=name)
    insider = await issued(operates, organization_id=org.org_id, principal="insider", role="owner")
    agent = await issued(insider, principal="turned", role="agent", agent_id=org.agent_id)
    request = {"method": "POST", "url": "https://api.example.com/", "headers": {}, "body": ""}
    use = {"request": request, "place": {"in": "header", "name": "authorization"}, "purpose": "x"}
    code = "api_key.operator_issued"
    refused(await slipped.post("/secrets/api_keys/model/open", {"purpose": "x"}), 403, code)
    refused(await agent.post("/secrets/api_keys/model/use", use, key=new_key()), 403, code)
    # The hosts of a secret, the target of its rotation and a grant are other ways to its value.
    refused(await put(insider, value=None, hosts=["evil.example"]), 403, code)
    refused(await insider.post("/secrets/api_keys/model/rotate", {"value": "mine"}, key=new_key()), 403, code)
    wanted = {"paths": ["api_keys/*"], "verbs": ["read"], "principal": name, "ends_at": "2099-01-01T00:00:00Z"}
    refused(await insider.post("/secrets/grants", wanted, key=new_key()), 403, code)

    # The refusal does not count for the grant, and the log distinguishes the two keys of the principal.
    good(await org.member.post("/secrets/api_keys/model/open", {"purpose": "x"}))
    entries = good(await org.auditor.get("/secrets/api_keys/model/access"))["data"]
    by = [(each["outcome"], each["key_id"]) for each in reversed(entries)]
    assert by == [("operator", key_of(slipped)), ("operator", key_of(agent)), ("opened", key_of(org.member))]
    alerts = good(await org.owner.get("/alerts?kind=api_key.made_by_operator"))["data"]
    assert {each["subject"] for each in alerts} == {key_of(slipped), key_of(insider)}


async def test_keys_issued_by_a_principal_are_its_own_again_once_an_operators_key_is_revoked(
    org: Tenant, operator: Caller
):
    good(await put(org.owner))
    await grant(org.owner, agent_id=org.agent_id, verbs=["use"], hosts=["api.example.com"], methods=["POST"])
    name, operates = await principal(org.owner), Caller(org.owner.http, operator.token)
    body = {"organization_id": org.org_id, "principal": name, "role": "owner"}
    slipped = Caller(org.owner.http, good(await operates.post("/api-keys", body, key=new_key()), 201)["secret"])

    async def used_by_a_new_key(by: Caller) -> str:
        body = {"role": "agent", "principal": f"bot-{new_key()}", "agent_id": org.agent_id}
        made = good(await by.post("/api-keys", body, key=new_key()), 201)
        request = {"method": "POST", "url": "https://other.example/", "headers": {}, "body": ""}
        use = {"request": request, "place": {"in": "header", "name": "authorization"}, "purpose": "x"}
        answer = await Caller(by.http, made["secret"]).post("/secrets/api_keys/model/use", use, key=new_key())
        return str(answer.json()["code"])

    # It is not known which of the two keys has issued it.
    assert [await used_by_a_new_key(by) for by in (slipped, org.owner)] == ["api_key.operator_issued"] * 2
    good(await org.owner.delete(f"/api-keys/{key_of(slipped)}"))
    assert await used_by_a_new_key(org.owner) == "secret.host"


async def test_a_repeated_put_makes_one_version_and_another_value_under_its_key_is_refused(org: Tenant):
    key = new_key()
    body = {"kind": "api_key", "value": CANARY}
    for _ in range(2):
        answer = good(await org.owner.ask("PUT", "/secrets/api_keys/model", key=key, json=body))
        assert [version["number"] for version in answer["versions"]] == [1]
    other = await org.owner.ask("PUT", "/secrets/api_keys/model", key=key, json={**body, "value": "other"})
    refused(other, 422, "idempotency.conflict")


async def test_the_previous_value_opens_by_its_version_until_its_grace_ends(org: Tenant):
    good(await put(org.owner, value="first"))
    good(await put(org.owner, value="second", grace="PT1H"))
    await grant(org.owner, principal=await principal(org.owner))
    opened = await org.owner.post("/secrets/api_keys/model/open", {"purpose": "x", "version": 1})
    assert good(opened)["value"] == "first"
    good(await put(org.owner, value="third"))
    opened = await org.owner.post("/secrets/api_keys/model/open", {"purpose": "x", "version": 1})
    refused(opened, 409, "secret.no_version")
    statuses = [each["status"] for each in good(await org.owner.get("/secrets/api_keys/model"))["versions"]]
    assert statuses == ["current", "previous", "retired"]


async def test_a_destroyed_version_cannot_be_restored_and_other_fields_can_be_changed_without_a_value(org: Tenant):
    good(await put(org.owner))
    for _ in range(2):
        shown = good(await org.owner.delete("/secrets/api_keys/model/versions/1"))
        assert (shown["current_version"], shown["versions"][0]["status"]) == (None, "destroyed")
    for number in (0, 2):
        refused(await org.owner.delete(f"/secrets/api_keys/model/versions/{number}"), 404, "not_found")
    assert good(await put(org.owner, value=None, hosts=["a.example.com"]))["hosts"] == ["a.example.com"]
    refused(await put(org.owner, "api_keys/new", value=None), 422, "request.invalid")


async def test_agents_read_nothing_unless_the_operator_allows_it_and_see_only_secrets_granted_to_them(
    org: Tenant, database_urls: DatabaseUrls
):
    good(await put(org.owner))
    good(await put(org.owner, "api_keys/other"))
    ends_at = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    asked = {"agent_id": org.agent_id, "paths": ["api_keys/model"], "verbs": ["read"], "ends_at": ends_at}
    assert (
        refused(await org.owner.post("/secrets/grants", asked, key=new_key()), 422, "request.invalid")["field"]
        == "verbs"
    )
    await grant(
        org.owner, "api_keys/model", agent_id=org.agent_id, verbs=["use"], hosts=["a.example.com"], methods=["POST"]
    )
    assert [each["path"] for each in good(await org.agent.get("/secrets"))["data"]] == ["api_keys/model"]
    refused(await org.agent.get("/secrets/api_keys/other"), 404, "not_found")
    refused(await org.agent.post("/secrets/api_keys/model/open", {"purpose": "x"}), 403, "secret.not_granted")

    async with client(database_urls, agents_read_secrets=True) as http:
        letting = org.through(http)
        await grant(letting.owner, "api_keys/model", agent_id=org.agent_id)
        assert good(await letting.agent.post("/secrets/api_keys/model/open", {"purpose": "x"}))["value"] == CANARY
    refused(await org.agent.post("/secrets/api_keys/model/open", {"purpose": "x"}), 403, "secret.not_granted")


async def test_another_organization_sees_and_reaches_nothing(
    org: Tenant, stranger: Tenant, storing: httpx2.AsyncClient
):
    good(await put(org.owner))
    granted = await grant(org.owner, principal=await principal(org.owner))
    other = stranger.through(storing).owner
    assert good(await other.get("/secrets"))["data"] == []
    for path in ("", "/access"):
        refused(await other.get(f"/secrets/api_keys/model{path}"), 404, "not_found")
    refused(await other.post("/secrets/api_keys/model/open", {"purpose": "x"}), 403, "secret.not_granted")
    refused(await other.delete("/secrets/api_keys/model/versions/1"), 404, "not_found")
    refused(await other.delete(f"/secrets/grants/{granted['id']}"), 404, "not_found")
    body = {"principal": await principal(org.owner), "paths": ["api_keys/*"], "verbs": ["read"],
            "ends_at": granted["ends_at"]}  # fmt: skip
    assert (
        refused(await other.post("/secrets/grants", body, key=new_key()), 422, "request.invalid")["field"]
        == "principal"
    )


@pytest.mark.parametrize("path", ["api_keys/model", "payments/card"])
@pytest.mark.parametrize(
    "value",
    [
        "4242 4242 4242 4242",
        SEED,
        SEED.replace(" ", "\n"),
        wallycore.wif_from_bytes(b"\x01" * 32, 0x80, 0),
        wallycore.bip32_key_to_base58(wallycore.bip32_key_from_seed(b"s" * 32, wallycore.BIP32_VER_MAIN_PRIVATE, 0), 0),
    ],
)
async def test_numbers_of_cards_and_keys_of_wallets_are_refused_with_an_alternative(org: Tenant, path: str, value: str):
    document = refused(await put(org.owner, path, value), 422, "secret.refused")
    assert "reference" in document["detail"]
    assert value not in str(document)
    refused(await org.owner.get(f"/secrets/{path}"), 404, "not_found")


async def test_a_value_of_64_kib_is_kept_and_one_byte_more_is_not(org: Tenant):
    good(await put(org.owner, value="ä" * 32_768))
    refused(await put(org.owner, value="ä" * 32_768 + "x"), 413, "request.too_large")


@pytest.mark.parametrize(
    "path", ["api_keys/../x", "api_keys//x", "api_keys/x/", "api_keys/use/x", "other/x", "api_keys/X", "api_keys/a%00b"]
)
async def test_invalid_paths_are_refused(org: Tenant, path: str):
    answer = await put(org.owner, quote(path, safe="/%").replace("..", "%2E%2E"))
    assert answer.status_code in {404, 405, 422}, answer.text
    assert good(await org.owner.get("/secrets"))["data"] == []


async def test_without_keys_nothing_is_stored(new_tenant: NewTenant):
    tenant = await new_tenant("owner")
    refused(await put(tenant.owner), 409, "secret.not_configured")
    assert good(await tenant.owner.get("/secrets"))["data"] == []


async def test_a_value_is_in_no_log_no_answer_and_no_row(org: Tenant, database_urls: DatabaseUrls):
    with structlog.testing.capture_logs() as logs:
        answers = [await put(org.owner)]
        for wrong in ({"kind": CANARY}, {"kind": "login"}, {"grace": CANARY}, {"hosts": [CANARY + "/"]}, {CANARY: 1}):
            answers.append(await put(org.owner, **wrong))
        for value in ([CANARY], {"x": CANARY}, 12):
            body = {"kind": "api_key", "value": value}
            answers.append(await org.owner.ask("PUT", "/secrets/api_keys/model", key=new_key(), json=body))
        answers.append(await put(org.owner, "payments/x", value=CANARY + " " + SEED))
        await grant(org.owner, principal=await principal(org.owner))
        good(await org.owner.post("/secrets/api_keys/model/open", {"purpose": "x"}))
    assert [answer.status_code for answer in answers] == [200, *[422] * 9]
    named = [answer for answer in answers if CANARY in answer.text]
    assert all("hosts" in answer.text or "Unknown field" in answer.text for answer in named)
    assert CANARY not in str(logs)
    await nothing_holds(database_urls, CANARY)


async def nothing_holds(urls: DatabaseUrls, canary: str) -> None:
    """Search every row of every table, bytes too: answers that are kept for keys are such."""
    async with connected(urls.owner) as owner:
        tables = await owner.fetch("SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables"
                                   " WHERE schemaname IN ('public', 'ledger')")  # fmt: skip
        assert "public.secret_versions" in {table["name"] for table in tables}
        forms = [f"%{canary}%", f"%{canary.encode().hex()}%"]
        for table in tables:
            query = f"SELECT count(*) FROM {table['name']} t WHERE to_jsonb(t)::text LIKE ANY ($1)"
            assert await owner.fetchval(query, forms) == 0, table


async def test_the_digest_of_a_request_with_a_secret_cannot_be_guessed(org: Tenant, database_urls: DatabaseUrls):
    """A plain SHA-256 of all else and a short secret would be found by trying secrets."""
    key = new_key()
    body = {"kind": "password", "value": "1234"}
    good(await org.owner.ask("PUT", "/secrets/access_credentials/pin", key=key, json=body))
    content = {
        "principal": await principal(org.owner),
        "operation": "secrets.put_secret",
        "path": {"path": "access_credentials/pin"},
        "query": [],
        "body": body,
    }
    async with connected(database_urls.owner) as owner:
        kept = await owner.fetchval(
            "SELECT request_hash FROM idempotency_keys WHERE key = $1 AND scope = $2", key, org.org_id
        )
    assert len(kept) == 32
    assert kept != hashlib.sha256(canonical(content)).digest()
    assert kept == Signer(SecretStr(KEYS), purpose="idempotency").digest(canonical(content))


async def test_a_put_that_crashed_before_its_value_was_stored_is_completed_by_its_repeat(
    org: Tenant, database: Database
):
    actor = Actor(principal="olga", role=Role.OWNER, org_id=org.org_id)
    wanted = SecretChange(org_id=org.org_id, path="api_keys/model", kind=SecretKind.API_KEY)
    asked: dict[str, Any] = {"grace": timedelta(0), "command_id": new_id("cmd"), "now": datetime.now(UTC)}
    async with database.platform() as session:
        _, number = await secret.reserve(
            session, actor, wanted, backend="postgres", command_id=asked["command_id"], now=asked["now"]
        )
    assert number == 1
    assert good(await org.owner.get("/secrets/api_keys/model"))["current_version"] is None
    for _ in range(2):
        await secret.put(database, local_secrets(), actor, wanted, "value", **asked)
    shown = good(await org.owner.get("/secrets/api_keys/model"))
    assert (shown["current_version"], [each["number"] for each in shown["versions"]]) == (2, [2])


async def test_a_value_that_was_sealed_and_not_kept_can_be_destroyed_by_its_number(org: Tenant, database: Database):
    actor = Actor(principal="olga", role=Role.OWNER, org_id=org.org_id)
    wanted = SecretChange(org_id=org.org_id, path="api_keys/model", kind=SecretKind.API_KEY)
    async with database.platform() as session:
        now = datetime.now(UTC)
        held, _ = await secret.reserve(session, actor, wanted, backend="postgres", command_id=new_id("cmd"), now=now)
        place = await secret.destroy(session, actor, held.id, 1, now=now)
    assert place == ValueLocation(org.org_id, "api_keys/model", 1)
    shown = good(await org.owner.delete("/secrets/api_keys/model/versions/1"))
    assert [(each["number"], each["status"]) for each in shown["versions"]] == [(1, "destroyed")]
    # Sealing it concurrently does not restore it.
    async with database.platform() as session:
        late = await secret.add_version(
            session, held.id, 1, Stored(b"x", b"y", "k"), created_by="olga", command_id=new_id("cmd"), now=now
        )
        assert late.status == "destroyed"
    good(await put(org.owner))
    assert good(await org.owner.get("/secrets/api_keys/model"))["current_version"] == 2


async def test_values_are_searched_outside_of_the_event_loop(org: Tenant, monkeypatch: pytest.MonkeyPatch):
    searched_in: list[int] = []

    def found(_: str) -> None:
        searched_in.append(threading.get_ident())

    monkeypatch.setattr(wallets, "wallet_secret_in", found)
    good(await put(org.owner))
    assert threading.get_ident() not in searched_in
    assert len(searched_in) == 1


async def test_a_later_holder_of_a_name_has_none_of_the_grants_to_it(org: Tenant):
    good(await put(org.owner))
    name = new_key()
    asked = {"principal": name, "role": "member"}
    first = good(await org.owner.post("/api-keys", asked, key=new_key()), 201)
    made = await grant(org.owner, principal=name)
    # A second key is the same holder's.
    second = good(await org.owner.post("/api-keys", asked, key=new_key()), 201)
    assert good(await org.owner.get("/secrets/grants"))["data"][0]["revoked_at"] is None
    for key in (first, second):
        good(await org.owner.delete(f"/api-keys/{key['id']}"))
    later = good(await org.owner.post("/api-keys", {**asked, "principal": name.upper()}, key=new_key()), 201)
    caller = Caller(org.owner.http, later["secret"])
    refused(
        await caller.post("/secrets/api_keys/model/open", {"purpose": "Look"}, key=new_key()),
        403,
        "secret.not_granted",
    )
    [shown] = good(await org.owner.get("/secrets/grants"))["data"]
    assert (shown["id"], shown["revoked_by"]) == (made["id"], "key")


async def test_a_secret_has_a_hundred_versions_and_an_organization_a_thousand_secrets(
    org: Tenant, database_urls: DatabaseUrls
):
    good(await put(org.owner))
    made = good(await org.owner.get("/secrets/api_keys/model"))["id"]
    async with rows_of(database_urls) as rows:
        for number in range(2, 101):
            await rows.add("secret_versions", secret_id=made, number=number, org_id=org.org_id, status="retired",
                           command_id=new_id("cmd"))  # fmt: skip
        await rows.change("UPDATE secrets SET last_number = 100 WHERE id = $1", made)
        assert refused(await put(org.owner), 409, "secret.limit_reached")["limit"] == 100
        good(await org.owner.delete("/secrets/api_keys/model/versions/50"))
        assert good(await put(org.owner))["current_version"] == 101
        for number in range(2, 1_001):
            await rows.add("secrets", id=new_id("sec"), org_id=org.org_id, path=f"api_keys/{number}", kind="api_key",
                           backend="postgres", last_number=0)  # fmt: skip
    assert refused(await put(org.owner, "api_keys/more"), 409, "secret.limit_reached")["limit"] == 1_000


async def test_a_value_whose_key_is_gone_is_refused_and_the_log_says_which(org: Tenant, database_urls: DatabaseUrls):
    good(await put(org.owner))
    await grant(org.owner, principal=await principal(org.owner))
    others = create_app(settings_for(database_urls, secret_keys=KEYS), secrets=local_secrets(("k2", b"o" * 32)))
    async with client_of(others) as http:
        with structlog.testing.capture_logs() as logs:
            answer = await org.through(http).owner.post("/secrets/api_keys/model/open", {"purpose": "x"})
    refused(answer, 409, "secret.unopened")
    assert ["k1" in each["error"] for each in logs if each["event"] == "secret.unopened"] == [True]


async def test_lists_are_given_as_csv_too(org: Tenant):
    good(await put(org.owner))
    await grant(org.owner, principal=await principal(org.owner))
    good(await org.owner.post("/secrets/api_keys/model/open", {"purpose": "x"}))
    for path in ("/secrets", "/secrets/grants", "/secrets/api_keys/model/access"):
        answer = await org.owner.get(path, headers={"Accept": "text/csv"})
        assert answer.status_code == 200, answer.text
        assert len(answer.text.splitlines()) == 2
        assert CANARY not in answer.text
