"""A secret is used over HTTP: for an agent that never sees it, within its budget, once for each key."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from activities.credits.holds import HoldActivities
from api.app import create_app
from api.v1.secrets import using
from api.v1.secrets.schemas import SecretUseView
from contracts.common.batch import BatchPage
from domain.common.ids import secret_use_key
from domain.secrets.access import AccessVerb
from domain.usage.prices import make_price
from ledger.gateway import Ledger
from ledger.spending import Spending
from ledger.spends import NewSpend, Spender
from providers.judged import Receivers
from repositories.credits import spend
from repositories.secrets import grant as grants, secret_use
from repositories.usage.model_price import PriceBook
from runtime.database import Database, driver_connection
from runtime.identity import new_id
from services.secrets import secret_use as service
from services.secrets.secret import OpenRequest
from services.secrets.secret_use import UseOutcome
from tests.api.conftest import TENANT_ROLES, Caller, NewTenant, Tenant, good, new_key, refused, settings_for
from tests.api.spending import balance, limit
from tests.api.test_secrets import KEYS, grant, principal, put
from tests.conftest import DatabaseUrls
from tests.support.billing import credit
from tests.support.proving import prove
from tests.support.receivers import Received, Receiver, answers, drops, receiving
from tests.support.secrets import local_secrets
from tests.support.serving import client_of

pytestmark = pytest.mark.db

SECRET = "sk-live_4eC39/Hqly+WDarjtT1zdp7dc"
#: A dollar for a thousand tokens, which is ten credits.
MODEL = make_price(
    model="any",
    provider="any",
    currency="USD",
    version="default",
    valid_from=datetime(2020, 1, 1, tzinfo=UTC),
    tiers={"standard": [(0, {"input_tokens": Decimal("0.001"), "output_tokens": Decimal("0.001")})]},
)


@pytest.fixture(scope="module")
async def calling(database_urls: DatabaseUrls) -> AsyncIterator[httpx2.AsyncClient]:
    settings = settings_for(database_urls, secret_keys=KEYS, allow_insecure_webhooks=True, granted_credit_value="0.1")
    app = create_app(settings, secrets=local_secrets(), prices=PriceBook(MODEL), receivers=Receivers(local=True))
    async with client_of(app) as found:
        yield found


@pytest.fixture
async def org(new_tenant: NewTenant, calling: httpx2.AsyncClient, database: Database) -> Tenant:
    made = (await new_tenant(*TENANT_ROLES)).through(calling)
    await credit(database, made.org_id, 100_000_000, paid=1_000)
    good(await put(made.owner, value=SECRET))
    return made


@pytest.fixture
async def host() -> AsyncIterator[Receiver]:
    async with receiving(answers(200, b'{"ok": true}')) as receiver:
        yield receiver


async def granted(org: Tenant, host: Receiver, price: str | None = "2", **more: Any) -> dict[str, Any]:
    more.setdefault("hosts", [f"127.0.0.1:{host.port}"])
    if price is not None:
        more["price"] = {"amount": price}
    return await grant(org.owner, agent_id=org.agent_id, verbs=["use"], methods=["POST"], **more)


async def use(
    caller: Caller, host: Receiver | str, *, key: str | None = None, path: str = "api_keys/model", **more: Any
) -> httpx2.Response:
    url = host if isinstance(host, str) else host.url
    asked = {"method": "POST", "url": url, "body": '{"model": "any"}', **more.pop("request", {})}
    body = {
        "request": asked,
        "place": {"in": "header", "name": "Authorization", "prefix": "Bearer "},
        "purpose": "Answer the customer",
        **more,
    }
    return await caller.post(f"/secrets/{path}/use", body, key=key or new_key())


PICTURE: dict[str, Any] = {
    "tool_usage": {"image_gen": {"input_tokens": 1, "output_tokens": 1}},
    "tools": [{"type": "image_generation"}],
}


async def echoes(request: Received, writer: asyncio.StreamWriter) -> None:
    body = json.dumps({"headers": request.headers}).encode()
    await answers(200, body, X_Echo=request.headers["authorization"])(request, writer)


async def test_an_agent_calls_with_a_key_that_it_never_sees_and_pays_within_its_budget(
    org: Tenant, host: Receiver, database: Database, database_urls: DatabaseUrls
):
    await granted(org, host)
    await limit(database, org.org_id, ("agent", org.agent_id), day=3_000_000)
    host.reply = echoes
    key = new_key()
    answer = await use(org.agent, host, key=key)
    done = good(answer)
    assert (done["status"], done["is_scrubbed"], done["cost"]) == (200, True, "2.00")
    assert host.received[0].headers["authorization"] == f"Bearer {SECRET}"
    assert SECRET not in answer.text
    assert {"name": "x-echo", "value": "Bearer [secret]"} in done["headers"]
    assert json.loads(done["body"])["headers"]["authorization"] == "Bearer [secret]"
    assert answer.headers["cache-control"] == "no-store"
    assert await balance(org.owner) == ("98.00", "0.00")
    paid = good(await org.agent.get(f"/credits/spends/{done['spend_id']}"))
    assert (paid["action"], paid["captured"], paid["agent_id"]) == ("secret.use", "2.00", org.agent_id)
    [entry] = good(await org.auditor.get("/secrets/api_keys/model/access"))["data"]
    assert (entry["reference"], entry["outcome"], entry["purpose"]) == (done["id"], "opened", "Answer the customer")

    used = refused(await use(org.agent, host, key=key), 409, "secret.used")
    assert (used["id"], used["status_code"], used["cost"]) == (done["id"], 200, "2.00")
    over = refused(await use(org.agent, host), 402, "spend.limit_exceeded")
    assert over["remaining"] == "1.00"
    assert len(host.received) == 1
    await prove(database_urls, secret_use.INVARIANTS, spend.INVARIANTS)


async def test_requests_of_one_key_at_once_make_one_call(org: Tenant, host: Receiver):
    grant_id = (await granted(org, host))["id"]
    key = new_key()
    found = await asyncio.gather(*(use(org.agent, host, key=key) for _ in range(5)))
    assert sorted(answer.status_code for answer in found) == [200, 409, 409, 409, 409]
    assert len(host.received) == 1
    [seen] = good(await org.agent.get("/secrets/grants"))["data"]
    assert (seen["id"], seen["uses_today"]) == (grant_id, 1)


async def test_usage_of_the_answer_is_charged_at_the_prices_of_its_model(org: Tenant, host: Receiver):
    await granted(org, host, price="5", meter="openai")
    usage = {"prompt_tokens": 100, "completion_tokens": 100, "total_tokens": 200}
    for answer, cost in (
        ({"model": "any", "usage": usage}, "2.00"),
        # More than was held is charged all the same.
        ({"model": "any", "usage": {**usage, "prompt_tokens": 900, "total_tokens": 1000}}, "10.00"),
        # A picture by a model that the answer does not name makes neither cheap.
        ({"model": "any", "usage": {**usage, "prompt_tokens": 900, "total_tokens": 1000}, **PICTURE}, "10.00"),
        ({"model": "any", "usage": usage, **PICTURE}, "5.00"),
        # An answer without usage is not free.
        ({"model": "any"}, "5.00"),
        ({"model": "any", "usage": {"prompt_tokens": "many"}}, "5.00"),
        ([], "5.00"),
    ):
        host.reply = answers(200, json.dumps(answer).encode())
        assert good(await use(org.agent, host))["cost"] == cost
    host.reply = answers(429, json.dumps({"usage": usage}).encode())
    assert good(await use(org.agent, host))["cost"] == "0.00"
    assert await balance(org.owner) == ("58.00", "0.00")


async def test_usage_is_read_in_each_providers_format(org: Tenant, host: Receiver):
    await granted(org, host, price="5", meter="anthropic")
    answer = {"model": "any", "usage": {"input_tokens": 100, "output_tokens": 50, "cache_read_input_tokens": 50}}
    host.reply = answers(200, json.dumps(answer).encode())
    assert good(await use(org.agent, host))["cost"] == "2.00"


async def test_a_stream_costs_its_usage_and_one_without_usage_is_refused(org: Tenant, host: Receiver):
    await granted(org, host, price="5", meter="openai")
    asked = {"model": "any", "messages": [], "stream": True}
    refused(await use(org.agent, host, request={"body": json.dumps(asked)}), 422, "request.invalid")
    assert host.received == []
    assert await balance(org.owner) == ("100.00", "0.00")
    asked["stream_options"] = {"include_usage": True}
    last = {"model": "any", "usage": {"prompt_tokens": 900, "completion_tokens": 100, "total_tokens": 1000}}
    # The model repeats how the key begins, and then the answer ends there.
    events = ({"model": "any", "usage": None, "delta": SECRET[:24]}, last)
    body = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events) + b"data: [DONE]\n\n"
    host.reply = answers(200, body, content_type="text/event-stream")
    done = good(await use(org.agent, host, request={"body": json.dumps(asked)}))
    assert (done["cost"], done["is_scrubbed"]) == ("10.00", True)
    assert done["body"].endswith("[secret]")


async def test_a_correct_guess_of_a_secret_has_the_same_answer_as_a_wrong_one(org: Tenant, host: Receiver):
    await granted(org, host)
    host.reply = echoes

    async def seen(guess: str, place: dict[str, str]) -> dict[str, Any]:
        headers = {"x-request-id": base64.b64encode(f"{place.get('name', '')}:{SECRET[:25]}{guess}".encode()).decode()}
        done = good(await use(org.agent, host, place=place, request={"headers": headers}))
        return {name: done[name] for name in ("status", "headers", "body", "is_scrubbed")}

    for place in ({"in": "header", "name": "Authorization", "prefix": "Bearer "}, {"in": "basic", "name": "n" * 17}):
        assert await seen(SECRET[25], place) == await seen("~", place)


async def test_a_suspended_organization_calls_nobody_also_for_free(org: Tenant, host: Receiver, operator: Caller):
    await granted(org, host, price=None)
    good(await operator.post(f"/organizations/{org.org_id}/suspend", {"reason": "x"}))
    refused(await use(org.agent, host), 403, "organization.suspended")
    assert host.received == []


async def test_a_path_that_is_too_long_is_not_the_one_that_it_begins_with(org: Tenant, host: Receiver):
    path = f"api_keys/{'/'.join(['a' * 47] * 4)}"
    assert len(path) == 200
    good(await put(org.owner, path, value=SECRET))
    more: dict[str, Any] = {"methods": ["POST"], "hosts": [f"127.0.0.1:{host.port}"]}
    await grant(org.owner, "api_keys/*", agent_id=org.agent_id, verbs=["use"], **more)
    good(await use(org.agent, host, path=path))
    refused(await use(org.agent, host, path=f"{path}x"), 404, "not_found")
    await grant(org.owner, path, principal=await principal(org.member))
    good(await org.member.post(f"/secrets/{path}/open", {"purpose": "x"}))
    refused(await org.member.post(f"/secrets/{path}x/open", {"purpose": "x"}), 404, "not_found")


async def test_a_value_that_a_header_cannot_have_is_neither_sent_nor_charged(org: Tenant, host: Receiver):
    await granted(org, host)
    good(await put(org.owner, value=f"{SECRET} "))
    refused(await use(org.agent, host), 422, "request.invalid")
    assert host.received == []
    assert await balance(org.owner) == ("100.00", "0.00")
    refused(
        await use(org.agent, host, place={"in": "header", "name": "Authorization", "prefix": "lang="}),
        422,
        "request.invalid",
    )


async def test_a_use_without_a_price_is_free(org: Tenant, host: Receiver):
    await granted(org, host, price=None)
    done = good(await use(org.agent, host))
    assert (done["cost"], done["spend_id"]) == (None, None)
    assert await balance(org.owner) == ("100.00", "0.00")


async def test_a_use_that_was_not_sent_leaves_the_day_its_count(
    org: Tenant, host: Receiver, database: Database, database_urls: DatabaseUrls
):
    hosts = [f"127.0.0.1:{host.port}", "localhost:1024", "10.0.0.7"]
    good(await put(org.owner, "api_keys/dear", value=SECRET))
    more: dict[str, Any] = {"agent_id": org.agent_id, "verbs": ["use"], "methods": ["POST"], "hosts": hosts}
    dear = await grant(org.owner, "api_keys/dear", price={"amount": "1000"}, **more)
    made = await grant(org.owner, "api_keys/model", price={"amount": "2"}, uses_per_day=2, **more)

    async def counted() -> int:
        seen = {each["id"]: each["uses_today"] for each in good(await org.agent.get("/secrets/grants"))["data"]}
        assert seen[dear["id"]] == 0
        return int(seen[made["id"]])

    refused(await use(org.agent, host, path="api_keys/dear"), 402, "ledger.insufficient_funds")
    refused(await use(org.agent, "http://localhost:1024/"), 502, "secret.unreachable")
    refused(await use(org.agent, "https://10.0.0.7/"), 403, "secret.host")
    refused(
        await use(
            org.agent, host, request={"body": "[]"}, place={"in": "header", "name": "Authorization", "prefix": "x"}
        ),
        422,
        "request.invalid",
    )
    assert await counted() == 0
    # A sent request counts, also if its outcome is unknown.
    host.reply = drops
    refused(await use(org.agent, host), 502, "secret.no_answer")
    assert await counted() == 1
    host.reply = answers(404)
    # Of concurrent requests exactly one succeeds; those never sent do not count.
    urls = [host, "http://localhost:1024/"] * 5
    found = await asyncio.gather(*(use(org.agent, url) for url in urls))
    assert sum(answer.status_code == 200 for answer in found) == len(host.received) - 1 <= 1
    if len(host.received) == 1:
        # All of them came while another one that was never sent had the place.
        good(await use(org.agent, host))
    assert (await counted(), len(host.received)) == (2, 2)
    refused(await use(org.agent, host), 403, "secret.uses_exhausted")
    await prove(database_urls, grants.INVARIANTS, secret_use.INVARIANTS, spend.INVARIANTS)


async def test_a_lost_use_stays_counted_until_known_as_unsent(
    org: Tenant, host: Receiver, database: Database, database_urls: DatabaseUrls
):
    await granted(org, host, hosts=["api.example.com"])
    now = datetime.now(UTC)
    first, _ = [await begun(org, database, at=now) for _ in range(2)]
    await HoldActivities(database).expire_holds(BatchPage(now=now + timedelta(minutes=6), limit=100))
    [seen] = good(await org.agent.get("/secrets/grants"))["data"]
    assert seen["uses_today"] == 2
    assert first.reference is not None
    for reason in ("unreachable", "unreachable"):
        async with database.platform() as session:
            await service.end(
                session, first.reference, UseOutcome(status="failed", cost_minor=0, reason=reason), now=now
            )
    [seen] = good(await org.agent.get("/secrets/grants"))["data"]
    assert seen["uses_today"] == 1
    await prove(database_urls, grants.INVARIANTS, secret_use.INVARIANTS)


async def test_answers_that_the_grant_does_not_name_are_free(org: Tenant, host: Receiver):
    made = await granted(org, host)
    assert made["charged_statuses"] == ["2xx"]
    for status, cost in ((401, "0.00"), (404, "0.00"), (302, "0.00"), (500, "0.00"), (200, "2.00"), (204, "2.00")):
        host.reply = answers(status)
        assert good(await use(org.agent, host))["cost"] == cost
    assert await balance(org.owner) == ("96.00", "0.00")
    good(await org.owner.delete(f"/secrets/grants/{made['id']}"))
    # An owner whose agent can make a host answer 404 names that status.
    await granted(org, host, charged_statuses=["2xx", "404"])
    for status, cost in ((404, "2.00"), (403, "0.00"), (201, "2.00")):
        host.reply = answers(status)
        assert good(await use(org.agent, host))["cost"] == cost
    assert await balance(org.owner) == ("92.00", "0.00")


async def test_a_use_sets_the_headers_that_are_allowed_and_no_others(org: Tenant, host: Receiver):
    await granted(org, host)
    asked: dict[str, Any] = {"headers": {"X-Tenant": "1", "Anthropic-Version": "2023-06-01"}}
    refused(await use(org.agent, host, request=asked), 403, "secret.header")
    for name in ("X-Original-Host", "request_range", "X-Tunnel-Method"):
        refused(await use(org.agent, host, request={"headers": {name: "1"}}), 422, "request.invalid")
    assert host.received == []
    entries = good(await org.auditor.get("/secrets/api_keys/model/access"))["data"]
    assert [entry["outcome"] for entry in entries] == ["header"]
    await granted(org, host, headers=["X-Tenant"])
    good(await use(org.agent, host, request=asked))
    assert (host.received[0].headers["x-tenant"], host.received[0].headers["anthropic-version"]) == ("1", "2023-06-01")
    wrong = {"agent_id": org.agent_id, "paths": ["api_keys/*"], "verbs": ["use"], "hosts": ["a.example"]}
    wrong |= {"methods": ["POST"], "ends_at": (datetime.now(UTC) + timedelta(days=1)).isoformat()}
    for name in ("host", "x-original-url", "request-range", "accept-charset", "a b"):
        answer = await org.owner.post("/secrets/grants", {**wrong, "headers": [name]}, key=new_key())
        refused(answer, 422, "request.invalid")


@pytest.mark.parametrize(
    ("purpose", "code"),
    [
        ("Answer\u200b the customer", "request.invalid"),
        ("Use sk-live_4eC39HqLyjWDarjtT1zdp7dc", "request.invalid"),
        ("Pay with 4242 4242 4242 4242", "privacy.card_number"),
    ],
)
async def test_a_purpose_contains_no_secret_and_no_invisible_characters(
    org: Tenant, host: Receiver, purpose: str, code: str
):
    await granted(org, host)
    refused(await use(org.agent, host, purpose=purpose), 422, code)
    refused(await org.member.post("/secrets/api_keys/model/open", {"purpose": purpose}), 422, code)
    assert good(await org.auditor.get("/secrets/api_keys/model/access"))["data"] == []


async def test_nothing_is_charged_if_nothing_was_sent_and_all_if_that_is_unknown(org: Tenant, host: Receiver):
    await granted(org, host, hosts=[f"127.0.0.1:{host.port}", "localhost:1024"])
    refused(await use(org.agent, "http://localhost:1024/"), 502, "secret.unreachable")
    assert await balance(org.owner) == ("100.00", "0.00")
    host.reply = drops
    key = new_key()
    assert refused(await use(org.agent, host, key=key), 502, "secret.no_answer")["reason"] == "broken"
    assert await balance(org.owner) == ("98.00", "0.00")
    assert refused(await use(org.agent, host, key=key), 409, "secret.used")["state"] == "unknown"
    host.reply = answers(200, b"x", content_encoding="gzip")
    assert refused(await use(org.agent, host), 502, "secret.no_answer")["reason"] == "encoded"


async def test_a_redirect_and_binary_bodies_are_returned(org: Tenant, host: Receiver):
    await granted(org, host)
    host.reply = answers(302, b"\xff\x00", location="http://127.0.0.1:1/inside")
    done = good(await use(org.agent, host))
    assert (done["status"], done["body"], done["body_base64"]) == (302, None, "/wA=")
    assert {"name": "location", "value": "http://127.0.0.1:1/inside"} in done["headers"]
    assert len(host.received) == 1


@pytest.mark.parametrize(
    ("url", "status", "code"),
    [
        ("http://localhost:{port}/in", 403, "secret.host"),
        # The host is on the list, and its address is this machine's.
        ("https://127.0.0.1:{port}/in", 403, "secret.host"),
        ("https://api.example.com/", 403, "secret.host"),
        ("https://10.0.0.7/", 403, "secret.host"),
        ("https://169.254.169.254/latest/meta-data", 403, "secret.host"),
        ("http://10.0.0.7:8080/", 403, "secret.host"),
        ("http://127.0.0.1.:{port}/in", 422, "request.invalid"),
        ("http://x@127.0.0.1:{port}/in", 422, "request.invalid"),
        ("http://127.0.0.1:{port}/in#x", 422, "request.invalid"),
        ("ftp://127.0.0.1:{port}/in", 422, "request.invalid"),
    ],
)
async def test_a_request_goes_to_hosts_of_the_grant_alone(
    org: Tenant, host: Receiver, url: str, status: int, code: str
):
    await granted(org, host, hosts=[f"127.0.0.1:{host.port}", "169.254.169.254", "10.0.0.7"])
    refused(await use(org.agent, url.format(port=host.port)), status, code)
    assert host.received == []
    assert await balance(org.owner) == ("100.00", "0.00")


async def test_the_value_is_placed_as_granted_and_never_in_an_address(org: Tenant, host: Receiver):
    await granted(org, host, places=["header:X-Api-Key", "query:key", "body:token"])
    for place in (
        {"in": "header", "name": "Authorization"},
        {"in": "basic"},
        {"in": "header", "name": "X-Note"},
        {"in": "query", "name": "Key"},
        {"in": "body", "name": "text"},
    ):
        refused(await use(org.agent, host, place=place), 403, "secret.place")
    for part in ("host", "path", "url", "scheme"):
        refused(await use(org.agent, host, place={"in": part, "name": "x"}), 422, "request.invalid")
    assert host.received == []
    good(await use(org.agent, host, place={"in": "header", "name": "x-api-key"}))
    good(await use(org.agent, host, place={"in": "query", "name": "key"}))
    good(await use(org.agent, host, place={"in": "body", "name": "token"}))
    header, query, body = host.received
    assert header.headers["x-api-key"] == SECRET
    assert query.line == "POST /in?key=sk-live_4eC39%2FHqly%2BWDarjtT1zdp7dc HTTP/1.1"
    assert json.loads(body.body) == {"token": SECRET, "model": "any"}
    wrong = {"agent_id": org.agent_id, "paths": ["api_keys/*"], "verbs": ["use"], "hosts": ["a.example"]}
    wrong |= {"methods": ["POST"], "ends_at": (datetime.now(UTC) + timedelta(days=1)).isoformat()}
    for wrong_place in ("host", "path:x", "header:", "header:Host", "header:Range", "basic:x"):
        refused(
            await org.owner.post("/secrets/grants", {**wrong, "places": [wrong_place]}, key=new_key()),
            422,
            "request.invalid",
        )
    refused(
        await org.owner.post("/secrets/grants", {**wrong, "meter": "openai"}, key=new_key()), 422, "request.invalid"
    )


async def test_others_and_other_methods_are_refused_with_an_entry(org: Tenant, host: Receiver):
    await granted(org, host)
    refused(await use(org.member, host), 403, "secret.not_granted")
    refused(await use(org.auditor, host), 403, "auth.forbidden")
    refused(await use(org.agent, host, request={"method": "DELETE"}), 403, "secret.method")
    refused(await use(org.agent, host, path="api_keys/none"), 404, "not_found")
    refused(await use(org.agent, host, request={"headers": {"Host": "x"}}), 422, "request.invalid")
    assert host.received == []
    entries = good(await org.auditor.get("/secrets/api_keys/model/access"))["data"]
    assert [entry["outcome"] for entry in entries] == ["method", "no_grant"]


async def test_requests_under_way_hold_their_price_and_no_connection_to_the_database(org: Tenant, host: Receiver):
    await granted(org, host)
    go_on = asyncio.Event()

    async def waits(request: Received, writer: asyncio.StreamWriter) -> None:
        await go_on.wait()
        await answers(200)(request, writer)

    host.reply = waits
    # More than the pools have, so they would never all arrive if each kept one.
    using = [asyncio.create_task(use(org.agent, host)) for _ in range(12)]
    await host.has(12)
    assert await balance(org.owner) == ("76.00", "24.00")
    go_on.set()
    assert {good(await each)["cost"] for each in using} == {"2.00"}


async def test_answers_that_are_not_read_keep_their_slots(org: Tenant, host: Receiver, calling: httpx2.AsyncClient):
    await granted(org, host, price=None)
    transport = calling._transport
    assert isinstance(transport, httpx2.ASGITransport)
    all_written, go_on, written = asyncio.Event(), asyncio.Event(), list[str]()

    async def unread(scope: Any, receive: Any, send: Any) -> None:
        async def waits(message: Any) -> None:
            if message["type"] == "http.response.body":
                written.append("")
                if len(written) == using.MAX_USES_AT_ONCE:
                    all_written.set()
                await go_on.wait()
            await send(message)

        await transport.app(scope, receive, waits)

    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(unread), base_url="http://bursar.test") as slow:
        agent = org.through(slow).agent
        unheard = [asyncio.create_task(use(agent, host)) for _ in range(using.MAX_USES_AT_ONCE)]
        await all_written.wait()
        refused(await use(org.agent, host), 429, "rate_limited")
        go_on.set()
        assert {good(await each)["status"] for each in unheard} == {200}
    good(await use(org.agent, host))
    assert len(host.received) == using.MAX_USES_AT_ONCE + 1


@pytest.mark.parametrize("longest", [16, 10_485_760])
def test_a_written_answer_is_as_long_as_base64_at_most(longest: int, monkeypatch: pytest.MonkeyPatch):
    # JSON writes control characters with six characters each.
    monkeypatch.setattr(using, "MAX_WRITTEN_BYTES", longest // 3 * 4)
    view = SecretUseView.model_construct(
        id="scu", version=1, status=200, headers=[], is_scrubbed=False, cost=None, spend_id=None, body=None,
        body_base64=None,
    )  # fmt: skip
    empty = len(using._written(view, b""))
    for body in (b"\x01", b'"', b"\\", b"\n", b"a", "é".encode(), b'{"a": "b"}', b"\xff"):
        for size in (1, longest // len(body)):
            whole = body * size
            answer = using._written(view, whole)
            assert len(answer) <= longest // 3 * 4 + empty + 8
            shown = json.loads(answer)
            back = base64.b64decode(shown["body_base64"]) if shown["body"] is None else shown["body"].encode()
            assert back == whole
    assert json.loads(using._written(view, b"\n\x01"))["body"] == "\n\x01"


async def test_a_reservation_of_a_use_cannot_be_released_by_its_user(org: Tenant, host: Receiver):
    await granted(org, host)
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def waits(request: Received, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await go_on.wait()
        await answers(200)(request, writer)

    host.reply = waits
    using = asyncio.create_task(use(org.agent, host))
    await asked.wait()
    [held] = good(await org.agent.get("/credits/usage"))["data"]
    for caller in (org.agent, org.owner):
        released = await caller.post("/credits/release", {"reservation_id": held["id"]}, key=new_key())
        refused(released, 409, "spend.secret_use")
    captured = await org.agent.post(f"/credits/reservations/{held['id']}/capture", {"amount": "0.01"}, key=new_key())
    refused(captured, 409, "spend.secret_use")
    go_on.set()
    assert good(await using)["cost"] == "2.00"


@pytest.mark.parametrize("down", [timedelta(minutes=6), timedelta(days=8)])
async def test_a_use_whose_process_died_is_charged_in_full_later(
    org: Tenant, host: Receiver, database: Database, database_urls: DatabaseUrls, down: timedelta
):
    await granted(org, host)
    asked = asyncio.Event()

    async def hangs(_: Received, __: asyncio.StreamWriter) -> None:
        asked.set()
        await asyncio.Event().wait()

    host.reply = hangs
    key = new_key()
    using = asyncio.create_task(use(org.agent, host, key=key))
    await asked.wait()
    using.cancel()
    await asyncio.gather(using, return_exceptions=True)
    assert refused(await use(org.agent, host, key=key), 409, "secret.used")["state"] == "requested"
    now = datetime.now(UTC)
    holds = HoldActivities(database)
    await holds.expire_holds(BatchPage(now=now + timedelta(minutes=4), limit=100))
    assert await balance(org.owner) == ("98.00", "2.00")
    for _ in range(2):
        await holds.expire_holds(BatchPage(now=now + down, limit=100))
    assert await balance(org.owner) == ("98.00", "0.00")
    used = refused(await use(org.agent, host, key=key), 409, "secret.used")
    assert (used["state"], used["cost"]) == ("unknown", "2.00")
    await prove(database_urls, secret_use.INVARIANTS, spend.INVARIANTS)


async def begun(org: Tenant, database: Database, *, at: datetime) -> OpenRequest:
    """Begin a use whose process does nothing more."""
    asked = OpenRequest(
        org_id=org.org_id, path="api_keys/model", verb=AccessVerb.USE, principal="ada", agent_id=org.agent_id,
        host="api.example.com", method="POST", place="header:authorization", reference=new_id("scu"),
    )  # fmt: skip
    async with database.platform() as session:
        opened = await service.begin(session, asked, command_id=new_id("cmd"), now=at)
    opened.require()
    return asked


async def hold(database: Database, asked: OpenRequest, *, at: datetime, days: int = 7) -> None:
    assert asked.reference is not None
    async with database.platform() as session:
        spent = await Spending(await driver_connection(session), asked.org_id).authorize(
            NewSpend(
                key=secret_use_key(asked.reference), action=service.ACTION, amount_minor=2_000_000, spender=Spender()
            ),
            expires_at=at + timedelta(days=days),
            at=at,
        )
    assert spent.outcome == "reserved"


async def test_a_lost_use_whose_hold_has_expired_is_charged_and_stops_no_other_hold(
    org: Tenant, host: Receiver, database: Database, database_urls: DatabaseUrls
):
    await granted(org, host, hosts=["api.example.com"])
    now = datetime.now(UTC)
    swept, unswept = [await begun(org, database, at=now) for _ in range(2)]
    await hold(database, swept, at=now, days=1)
    await hold(database, unswept, at=now, days=7)
    assert await balance(org.owner) == ("96.00", "4.00")
    holds = HoldActivities(database)
    async with database.platform() as session:
        await Ledger(await driver_connection(session)).expire_holds(now=now + timedelta(days=2))
    await holds.expire_holds(BatchPage(now=now + timedelta(days=8), limit=100))
    assert await balance(org.owner) == ("96.00", "0.00")
    await prove(database_urls, secret_use.INVARIANTS, spend.INVARIANTS)


async def test_a_use_that_cannot_be_ended_stops_neither_the_others_nor_holds(
    org: Tenant, host: Receiver, database: Database, monkeypatch: pytest.MonkeyPatch
):
    await granted(org, host, hosts=["api.example.com"])
    now = datetime.now(UTC)
    first, second = [await begun(org, database, at=now + timedelta(seconds=i)) for i in range(2)]
    for each in (first, second):
        await hold(database, each, at=now)
    end_lost = service.end_unfinished

    async def fails(session: AsyncSession, use_id: str, *, now: datetime) -> None:
        if use_id == first.reference:
            raise RuntimeError("It cannot be ended.")
        await end_lost(session, use_id, now=now)

    monkeypatch.setattr(service, "end_unfinished", fails)
    await HoldActivities(database).expire_holds(BatchPage(now=now + timedelta(minutes=6), limit=100))
    assert await balance(org.owner) == ("96.00", "2.00")
    monkeypatch.undo()
    await HoldActivities(database).expire_holds(BatchPage(now=now + timedelta(minutes=6), limit=100))
    assert await balance(org.owner) == ("96.00", "0.00")


async def test_a_process_that_stalled_before_the_hold_pays_nevertheless(
    org: Tenant, host: Receiver, database: Database, database_urls: DatabaseUrls
):
    await granted(org, host, hosts=["api.example.com"])
    now = datetime.now(UTC)
    asked = await begun(org, database, at=now)
    assert asked.reference is not None
    await HoldActivities(database).expire_holds(BatchPage(now=now + timedelta(minutes=6), limit=100))
    await hold(database, asked, at=now)
    ended = UseOutcome(status="answered", cost_minor=2_000_000, status_code=200)
    for cost in (2_000_000, None):
        async with database.platform() as session:
            assert await service.end(session, asked.reference, ended, now=now + timedelta(minutes=7)) == cost
    assert await balance(org.owner) == ("98.00", "0.00")
    await prove(database_urls, secret_use.INVARIANTS, spend.INVARIANTS)
