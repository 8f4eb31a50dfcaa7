import ast
import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest
import sqlalchemy.exc
import structlog
from fastapi import FastAPI
from temporalio.service import RPCError, RPCStatusCode

from api.app import create_app
from api.availability import is_unavailable
from domain.common.errors import DomainError, subclasses_of
from tests.api.conftest import Caller, NewTenant, Tenant, good, new_key, refused, settings_for
from tests.conftest import DatabaseUrls
from tests.support.cases import for_each
from tests.support.openapi import problem_of, served
from tests.support.serving import client_of

pytestmark = pytest.mark.db
ROOT = Path(__file__).resolve().parents[2]


async def test_unknown_path_is_a_problem(anonymous: Caller) -> None:
    refused(await anonymous.get("/nowhere"), 404, "not_found")
    # A person who types an address into a browser gets a page.
    page = await anonymous.http.get("/nowhere", headers={"Accept": "text/html,*/*"})
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    refused(await anonymous.http.get("/api/v1/nowhere", headers={"Accept": "text/html"}), 404, "not_found")


async def test_wrong_method_names_every_right_one(anonymous: Caller) -> None:
    response = await anonymous.ask("PUT", "/organizations")
    refused(response, 405, "request.method_not_allowed")
    assert response.headers["allow"] == "GET, POST"


@for_each(
    "body, status",
    [
        (b'{"name": "Ac', 400),
        (b"", 422),
        (b"null", 422),
        (b"[]", 422),
        (b'"text"', 422),
        (b"0.5", 422),
        (b"\xff\xfe", 400),
        (b'{"name": NaN}', 400),
        (b'{"name": -Infinity}', 400),
        (b'{"name": "a", "name": "b"}', 400),
        (b"[" * 100_000, 400),
        (b'{"name":' * 5_000 + b"1" + b"}" * 5_000, 400),
        (b'{"name": ' + b"[" * 65 + b"]" * 65 + b"}", 400),
        (b'{"name": ' + b"[" * 60 + b"]" * 60 + b"}", 422),
        (b'{"name": ' + b'{"a":' * 800 + b"1" + b"}" * 800 + b"}", 400),
        (b'{"name": "a\\u0000b"}', 422),
        (b'{"name": "\\ud800"}', 422),
        (b'{"\\ud800": "a"}', 422),
        (b'{"name": "tab\\tbed"}', 422),
        (b'{"name": "   "}', 422),
        (b'{"name": ""}', 422),
        (b'{"name": 5}', 422),
        (b'{"name": "a", "nmae": "b"}', 422),
        (b'{"name": 1e999999999}', 422),
        (b'{"name": ' + b"9" * 5_000 + b"}", 422),
        (b'{"name": "' + b"x" * 201 + b'"}', 422),
        (b"{" + b",".join(b'"a%d":1' % number for number in range(1001)) + b"}", 422),
    ],
)
async def test_body_that_cannot_be_used_is_refused(body: bytes, status: int, operator: Caller) -> None:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    for key in (None, new_key()):
        response = await operator.ask("POST", "/organizations", content=body, headers=headers, key=key)
        refused(response, status, "request.invalid")


async def test_escaped_backslash_before_u0000_is_only_text(operator: Caller) -> None:
    content = b'{"name": "a\\\\u0000b \\ud83d\\ude00"}'
    response = await operator.ask(
        "POST", "/organizations", content=content, headers={"Content-Type": "application/json"}
    )
    assert good(response, 201)["name"] == "a\\u0000b 😀"


async def test_object_of_too_many_members_is_refused_before_each_of_them_is_judged(operator: Caller) -> None:
    for body in ({f"a{number}": 1 for number in range(75_000)}, {"name": [{f"a{n}": 1 for n in range(1001)}]}):
        document = refused(await operator.post("/organizations", body), 422, "request.invalid")
        assert "errors" not in document
    document = refused(await operator.post("/organizations", {f"a{n}": 1 for n in range(1000)}), 422, "request.invalid")
    assert len(document["errors"]) == 50


async def test_path_is_logged_up_to_a_length(operator: Caller) -> None:
    with structlog.testing.capture_logs() as lines:
        await operator.get("/" + "x" * 60_000)
    assert [len(line["path"]) for line in lines if line["event"] == "request"] == [500]


async def test_validation_lists_every_field(operator: Caller) -> None:
    document = refused(await operator.post("/api-keys", {"rol": "owner"}), 422, "request.invalid")
    assert {item["field"] for item in document["errors"]} == {"principal", "role", "rol"}
    assert all(item["message"] for item in document["errors"])


@for_each(
    "who, path, body, problem",
    [
        ("owner", "/credits/use", "x", ("body", "This must be an object.")),
        ("owner", "/credits/use", {"metadata": {"a": 0.5}}, ("metadata.a", "This must be a string.")),
        ("owner", "/credits/use", {"quantity": "1"}, ("quantity", "This must be a whole number.")),
        ("owner", "/credits/use", {"metadata": []}, ("metadata", "This must be an object.")),
        ("owner", "/credits/use/batch", {"items": []}, ("items", "This has too few items: the minimum is 1.")),
        (
            "operator",
            "/credits/grants",
            {"source": "x"},
            ("source", "This must be 'promotion', 'reward' or 'adjustment'."),
        ),
        ("operator", "/pricing/rules", {"terms": 0.5}, ("terms", "This must be an object with the field 'type'.")),
        ("operator", "/pricing/rules", {"terms": {"type": "bulk"}}, ("terms.steps", "This field is required.")),
        ("operator", "/pricing/rules", {"terms": {"type": "bulk", "x": 1}}, ("terms.x", "Unknown field.")),
        (
            "operator",
            "/pricing/rules",
            {"terms": {"type": "tier", "tier": 1}},
            ("terms.multiplier", "This field is required."),
        ),
    ],
)
async def test_field_is_named_as_it_was_sent_and_refused_in_plain_words(
    who: str, path: str, body: Any, problem: tuple[str, str], operator: Caller, tenant: Tenant
) -> None:
    caller = operator if who == "operator" else tenant.owner
    document = refused(await caller.post(path, body, key=new_key()), 422, "request.invalid")
    assert problem in {(item["field"], item["message"]) for item in document["errors"]}


async def test_kind_that_does_not_exist_is_not_repeated_in_the_refusal(operator: Caller) -> None:
    document = refused(await operator.post("/pricing/rules", {"terms": {"type": "x" * 300}}), 422, "request.invalid")
    message = next(item["message"] for item in document["errors"] if item["field"] == "terms")
    assert message.startswith("The field 'type' must be one of 'surge', ")
    assert "xxx" not in message


@pytest.mark.parametrize("declared", ["text/plain", "application/x-www-form-urlencoded", "nonsense", ""])
async def test_body_of_another_type_is_refused(declared: str, operator: Caller) -> None:
    response = await operator.ask(
        "POST", "/organizations", content=b'{"name": "a"}', headers={"Content-Type": declared}
    )
    refused(response, 415, "request.content_type")


async def test_long_body_is_refused_before_it_is_read(operator: Caller) -> None:
    response = await operator.ask(
        "POST", "/organizations", content=b"x" * 1_048_577, headers={"Content-Type": "application/json"}
    )
    refused(response, 413, "request.too_large")


async def test_long_body_without_a_length_is_refused_while_it_is_read(operator: Caller) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 65_536

    response = await operator.ask(
        "POST", "/organizations", content=chunks(), headers={"Content-Type": "application/json"}
    )
    refused(response, 413, "request.too_large")


async def test_request_id_of_the_client_is_kept_when_it_is_well_formed(anonymous: Caller) -> None:
    kept = await anonymous.get("/healthz", headers={"X-Request-Id": "web-1:2.3_4"})
    assert kept.headers["x-request-id"] == "web-1:2.3_4"
    for bad in ("a" * 65, "a b", "{}", ""):
        made = await anonymous.get("/healthz", headers={"X-Request-Id": bad})
        assert re.fullmatch(r"req_[0-9a-z]{26}", made.headers["x-request-id"])


async def test_internal_fault_is_reported_without_its_details(database_urls: DatabaseUrls) -> None:
    application = create_app(settings_for(database_urls))

    async def broken() -> None:
        raise LookupError("the password is hunter2")

    application.add_api_route("/broken", broken)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(application), base_url="http://bursar.test") as client:
        response = await client.get("/broken")
    document = refused(response, 500, "internal")
    assert "hunter2" not in response.text
    assert "LookupError" not in response.text
    assert document["request_id"]


async def test_dead_database_is_503_with_retry_after(app: FastAPI, tenant: Tenant) -> None:
    class Urls:
        tenant = platform = owner = "postgresql://bursar_api@/nothing?host=/nonexistent"

    urls: Any = Urls()
    application = create_app(settings_for(urls))
    async with client_of(application) as client:
        response = await client.get("/api/v1/agents", headers={"Authorization": f"Bearer {tenant.owner.token}"})
        refused(response, 503, "service.unavailable")
        assert response.headers["retry-after"] == "1"
        ready = await client.get("/readyz")
        assert ready.status_code == 503
        assert ready.json()["postgresql"].startswith("no answer")
        assert (await client.get("/healthz")).status_code == 200


async def test_reads_work_when_only_temporal_does_not_answer(anonymous: Caller, tenant: Tenant) -> None:
    response = await anonymous.http.get("/readyz")
    assert response.status_code == 200
    assert (response.json()["status"], response.json()["postgresql"]) == ("degraded", "ok")
    assert response.json()["temporal"].startswith("no answer")
    good(await tenant.owner.get("/escrows"))


def chained(cause: BaseException) -> BaseException:
    error = RuntimeError("outer")
    error.__cause__ = cause
    return error


@for_each(
    "error, expected",
    [
        (ConnectionRefusedError(), True),
        (TimeoutError(), True),
        (FileNotFoundError(2, "no socket"), True),
        (asyncpg.DeadlockDetectedError(), True),
        (asyncpg.SerializationError(), True),
        (asyncpg.CannotConnectNowError(), True),
        (asyncpg.TooManyConnectionsError(), True),
        (asyncpg.ConnectionDoesNotExistError(), True),
        (asyncpg.UniqueViolationError(), False),
        (asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress"), True),
        (asyncpg.InternalClientError("got result for unknown protocol state 3"), False),
        (sqlalchemy.exc.TimeoutError(), True),
        (RPCError("x", RPCStatusCode.UNAVAILABLE, b""), True),
        (RPCError("x", RPCStatusCode.NOT_FOUND, b""), False),
        (RPCError("transport error", RPCStatusCode.UNKNOWN, b""), True),
        (RPCError("h2 protocol error: error reading a body from connection", RPCStatusCode.INTERNAL, b""), True),
        (RPCError("x", RPCStatusCode.UNKNOWN, b""), False),
        (RPCError("transport error", RPCStatusCode.NOT_FOUND, b""), False),
        (RuntimeError("Failed client connect: refused"), True),
        (chained(ConnectionResetError()), True),
        (ValueError("x"), False),
        (PermissionError(13, "x"), False),
    ],
)
def test_unavailability_is_distinguished_from_faults(error: BaseException, expected: bool) -> None:
    assert is_unavailable(error) is expected


#: The kinds of runs that operators send commands to.
KINDS = (
    "alert",
    "allocation",
    "escrow",
    "invoice",
    "payment",
    "payout",
    "purchase_order",
    "risk_case",
    "secret",
    "webhook_endpoint",
)
SOURCES = ("api", "domain", "ledger", "repositories", "services", "activities", "workflows", "runtime", "providers")


def codes_in_source(sources: tuple[str, ...] = SOURCES) -> set[str]:
    """Collect every error code: `code = "…"` of a class, `code="…"` of a call, `….with_code("…")`.

    `code=f"{kind}.…"` is a code of escrows and one of payments.
    """
    found: set[str] = set()
    pattern = re.compile(r"[a-z_]+(\.[a-z_]+)?")
    for root in sources:
        for path in (ROOT / root).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                value: ast.expr | None = None
                # A tax has a code as well.
                if isinstance(node, ast.Call) and ast.unparse(node.func) != "AppliedTax":
                    value = next((given.value for given in node.keywords if given.arg == "code"), None)
                    if isinstance(node.func, ast.Attribute) and node.func.attr == "with_code":
                        value = node.args[0]
                elif isinstance(node, ast.AnnAssign | ast.Assign):
                    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                    if any(isinstance(target, ast.Name) and target.id == "code" for target in targets):
                        value = node.value
                if isinstance(value, ast.JoinedStr):
                    end = ast.unparse(value).strip("f'\"").removeprefix("{kind}").removeprefix("{self._kind}")
                    found |= {kind + end for kind in KINDS}
                if isinstance(value, ast.Constant) and isinstance(value.value, str) and pattern.fullmatch(value.value):
                    found.add(value.value)
    return found


def test_every_code_is_explained_and_every_explained_code_exists() -> None:
    page = (ROOT / "docs/reference/errors.md").read_text("utf-8")
    headings = set(re.findall(r"^### `([a-z_.]+)`$", page, re.MULTILINE))
    words_of_providers = set(re.findall(r"^- `([a-z_.]+)`: ", page, re.MULTILINE))
    assert codes_in_source() == headings | words_of_providers
    assert headings & words_of_providers == set()
    assert codes_in_source(tuple(root for root in SOURCES if root not in {"providers", "workflows"})) <= headings


def test_every_explanation_begins_with_the_status_of_its_class() -> None:
    page = (ROOT / "docs/reference/errors.md").read_text("utf-8")
    begun = dict(re.findall(r"^### `([a-z_.]+)`\n\n\*\*([245]\d\d[^*]*)\*\*", page, re.MULTILINE))
    assert set(begun) == set(re.findall(r"^### `([a-z_.]+)`$", page, re.MULTILINE))
    classes = [each for each in subclasses_of(DomainError) if each.__module__.startswith(SOURCES)]
    assert len(classes) > 200
    assert [each for each in classes if str(each.status) not in begun[each.code]] == []


async def test_type_of_a_problem_leads_to_its_explanation(anonymous: Caller) -> None:
    problem = refused(await anonymous.get("/agents"), 401, "auth.missing")
    path, _, anchor = problem["type"].partition("#")
    page = await anonymous.get(path)
    assert page.status_code == 200
    assert f'id="{anchor}"' in page.text


async def test_landing_page_links_to_the_docs_and_the_temporal_ui(anonymous: Caller) -> None:
    page = await anonymous.http.get("/")
    assert 'href="/docs"' in page.text
    assert 'href="http://127.0.0.1:8233"' in page.text


async def test_metrics_count_routes_by_template(tenant: Tenant) -> None:
    await tenant.owner.get(f"/agents/{tenant.agent_id}")
    text = (await tenant.owner.http.get("/metrics")).text
    assert 'route="/api/v1/agents/{agent_id}"' in text
    assert tenant.agent_id not in text


WEBHOOKS = {
    *("/webhooks/stripe", "/billing/webhooks/stripe", "/billing/stripe/webhook", "/webhooks/paypal"),
    *("/webhooks/mail-bounces", "/webhooks/stripe/issuing"),
}
#: They take the token of a link instead of a key.
BY_LINK = {"/sessions/links/preview", "/sessions/redeem", "/sessions/mail"}
OPEN_PATHS = {"/api/v1" + path for path in {"/healthz", "/readyz", "/billing/config"} | WEBHOOKS | BY_LINK}


def test_openapi_documents_every_refusal_of_every_operation() -> None:
    document = served()
    assert document["components"]["schemas"]["Problem"]
    ids = []
    for path, methods in document["paths"].items():
        assert path.startswith("/api/v1/")
        for method, operation in methods.items():
            ids.append(operation["operationId"])
            statuses = set(operation["responses"])
            expected = {"500", "503"}
            if path not in OPEN_PATHS:
                assert operation["security"] == [{"ApiKey": []}], path
                expected |= {"401", "403", "429"}
            if "{" in path:
                expected |= {"404"}
            # Each item of a batch has its own key and its own answer; a query changes nothing.
            if method == "post" and path not in OPEN_PATHS | {"/api/v1/credits/use/batch", "/api/v1/analytics/query"}:
                expected |= {"409", "422"}
            if "requestBody" in operation:
                expected |= {"400", "413", "415", "422"}
            assert expected <= statuses, (path, method, expected - statuses)
            for status, response in operation["responses"].items():
                if int(status) >= 400 and path not in OPEN_PATHS:
                    assert problem_of(document, response)["examples"], (path, method, status)
    assert len(ids) == len(set(ids))


async def test_every_path_is_served_with_and_without_its_version(operator: Caller) -> None:
    for path in served()["paths"]:
        short = path.replace("/api/v1/", "/api/").replace("{", "").replace("}", "")
        # No path takes it, and none is taken for another one that does.
        refused(await operator.ask("TRACE", short), 405, "request.method_not_allowed")


async def test_used_up_limit_is_429_with_retry_after(
    database_urls: DatabaseUrls, tenant: Tenant, stranger: Tenant
) -> None:
    application = create_app(settings_for(database_urls, rate_limit="5/minute"))
    async with client_of(application) as client:
        hurried, patient = Caller(client, tenant.owner.token), Caller(client, stranger.owner.token)
        for _ in range(5):
            good(await hurried.get("/agents"))
        response = await hurried.get("/agents")
        document = refused(response, 429, "rate_limited")
        assert 1 <= int(response.headers["retry-after"]) <= 60
        assert document["limit"] == 5
        good(await patient.get("/agents"))


async def test_keys_of_an_organization_share_its_limit(
    database_urls: DatabaseUrls, tenant: Tenant, stranger: Tenant
) -> None:
    application = create_app(settings_for(database_urls, organization_rate_limit="6/minute"))
    async with client_of(application) as client:
        keys = [Caller(client, caller.token) for caller in tenant.callers.values()]
        answers = [await key.get("/agents") for key in keys for _ in range(2)]
        assert [answer.status_code for answer in answers] == [200] * 6 + [429] * 6
        assert refused(answers[-1], 429, "rate_limited")["limit"] == 6
        good(await Caller(client, stranger.owner.token).get("/agents"))


async def test_keys_of_an_agent_share_the_limit_of_one(
    database_urls: DatabaseUrls, tenant: Tenant, issue_key: Callable[..., Awaitable[Caller]]
) -> None:
    application = create_app(settings_for(database_urls, rate_limit="5/minute"))
    async with client_of(application) as client:
        issued = [tenant.agent, *[await issue_key("agent", tenant.org_id, tenant.agent_id) for _ in range(2)]]
        answers = [await Caller(client, key.token).get("/agents") for key in issued for _ in range(2)]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429]
        good(await Caller(client, tenant.owner.token).get("/agents"))


async def test_keys_and_sessions_of_a_principal_share_the_limit_of_one(
    database_urls: DatabaseUrls, new_tenant: NewTenant
) -> None:
    tenant = await new_tenant("owner", "member")
    principal = good(await tenant.member.get("/me"))["principal"]
    second = good(await tenant.member.post("/api-keys", {"principal": principal, "role": "member"}), 201)["secret"]
    session = good(await tenant.member.post("/sessions"), 201)["token"]
    settings = settings_for(database_urls, rate_limit="5/minute", organization_rate_limit="10/minute")
    application = create_app(settings)
    async with client_of(application) as client:
        tokens = (tenant.member.token, second, session)
        answers = [await Caller(client, token).get("/agents") for token in tokens for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 4
        for _ in range(5):
            good(await Caller(client, tenant.owner.token).get("/agents"))


async def test_failed_guesses_are_limited_by_address(database_urls: DatabaseUrls, tenant: Tenant) -> None:
    application = create_app(settings_for(database_urls, rate_limit="5/minute"))
    async with client_of(application) as client:
        async with asyncio.timeout(300):
            await application.state.deps.keyring.listening.wait()
        known = Caller(client, tenant.owner.token)
        good(await known.get("/agents"))
        guesser = Caller(client, (tenant.owner.token or "")[:-8] + "0" * 8)
        for _ in range(5):
            refused(await guesser.get("/agents"), 401, "auth.invalid")
        refused(await guesser.get("/agents"), 429, "rate_limited")
        good(await known.get("/agents"))


async def test_anonymous_caller_does_not_lock_out_keys_that_the_process_has_not_met(
    database_urls: DatabaseUrls, tenant: Tenant
) -> None:
    application = create_app(settings_for(database_urls, rate_limit="5/minute"))
    async with client_of(application) as client:
        for token in ("x", (tenant.owner.token or "")[:-8] + "0" * 8, None):
            for _ in range(6):
                answer = await Caller(client, token).get("/agents")
            refused(answer, 429, "rate_limited")
        good(await Caller(client, tenant.owner.token).get("/agents"))


async def test_requests_pass_when_the_store_of_limits_is_down(database_urls: DatabaseUrls, tenant: Tenant) -> None:
    settings = settings_for(database_urls, rate_limit="1/minute", rate_limit_storage="async+redis://127.0.0.1:1/0")
    application = create_app(settings)
    async with client_of(application) as client:
        caller = Caller(client, tenant.owner.token)
        for _ in range(3):
            good(await caller.get("/agents"))


async def test_body_is_not_read_before_the_key(anonymous: Caller) -> None:
    response = await anonymous.ask(
        "POST", "/organizations", content=b"{broken", headers={"Content-Type": "application/json"}
    )
    refused(response, 401, "auth.missing")


@pytest.mark.parametrize("host", ["[", "a b", "\xff", ""])
async def test_nonsense_host_does_not_break_a_refusal(host: str, anonymous: Caller) -> None:
    response = await anonymous.http.get("/api/v1/agents", headers=[(b"Host", host.encode("latin-1"))])
    refused(response, 401, "auth.missing")
