"""A secret that is stored, used, opened, replaced and refused is nowhere afterwards but where it is sealed.

It comes back from its host in every spelling, in every place and with every failure. Then all that is kept is searched:
logs at the level DEBUG, spans, all tables, histories of Temporal, and every answer. What was planted in plain text is
found by the same search.
"""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import structlog
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from temporalio.worker import Worker

from activities.secrets.access import SecretAccessActivities
from api.app import create_app
from api.bootstrap import operator_key
from contracts.secrets.access import AccessSeals
from providers.judged import Receivers
from runtime import logs
from runtime.database import Database
from runtime.identity import new_id
from runtime.settings import Settings
from runtime.telemetry import Telemetry
from runtime.temporal import connect
from tests.api.conftest import Caller, Tenant, good, make_tenant, new_key, settings_for
from tests.api.spending import grant as credit
from tests.api.test_secret_use import use
from tests.api.test_secrets import KEYS, grant, principal, put
from tests.conftest import DatabaseUrls
from tests.support.collector import Collector
from tests.support.connections import connected
from tests.support.logging import restored_logging as restored_logging
from tests.support.receivers import Received, Receiver, answers, babbles, drops, receiving
from tests.support.secrets import local_secrets
from tests.support.serving import client_of
from tests.support.spellings import hidden_in, spellings
from workflows.secrets.access_seal import SecretAccessSealWorkflow

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.slow]

SECRET = "canary-7fA3+/\"x\\9 <&>'=%q5Zt"
LOGIN = json.dumps({"username": "olga", "password": SECRET})
#: Planted in plain text, for the search to find.
PLANTED = "planted-in-plain-0c1d"

PLACES: dict[str, dict[str, str]] = {
    "header": {"in": "header", "name": "Authorization", "prefix": "Bearer "},
    "key header": {"in": "header", "name": "X-Api-Key"},
    "query": {"in": "query", "name": "key"},
    "body": {"in": "body", "name": "token"},
    "user": {"in": "basic"},
    "password": {"in": "basic", "name": "olga"},
}


class World:
    """A new database, the requests, and all answers."""

    def __init__(self, org: Tenant, host: Receiver, database: Database) -> None:
        self.org, self.host, self.database = org, host, database
        self.answers: list[bytes] = []

    async def use(self, **more: Any) -> int:
        answer = await use(self.org.agent, self.host, **more)
        self.keep(answer)
        return int(answer.status_code)

    def keep(self, answer: Any) -> None:
        self.answers.append(repr(dict(answer.headers)).encode() + answer.content)


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    collector = Collector()
    yield Telemetry(Settings(otlp_endpoint=collector.url), "api")
    collector.close()


@pytest.fixture
def spans(telemetry: Telemetry) -> InMemorySpanExporter:
    """Record each span as it ends. The batch exporter drops spans when the collector answers late."""
    kept = InMemorySpanExporter()
    trace.get_tracer_provider().add_span_processor(SimpleSpanProcessor(kept))  # type: ignore[attr-defined]
    return kept


@pytest.fixture
async def world(
    fresh_database_urls: DatabaseUrls,
    tmp_path: Path,
    telemetry: Telemetry,
    spans: InMemorySpanExporter,
    restored_logging: None,
) -> AsyncIterator[World]:
    logs.configure(Settings(log_file=tmp_path / "api.log", log_level="DEBUG"), "api")
    settings = settings_for(fresh_database_urls, secret_keys=KEYS, allow_insecure_webhooks=True)
    app = create_app(settings, telemetry=telemetry, secrets=local_secrets(), receivers=Receivers(local=True))
    async with client_of(app) as http, receiving() as host:
        database = app.state.deps.database
        async with database.platform() as session:
            operator = Caller(http, await operator_key(session, "operator-of-canaries"))
        org = await make_tenant(operator, database, "owner", "member", "auditor", "agent")
        await credit(operator, org.org_id, "10000")
        yield World(org, host, database)


async def plant(world: World) -> int:
    """Do everything with the secret that can be done, and return in how many forms."""
    org, host, forms = world.org, world.host, 0
    for body in (
        {"kind": "api_key", "value": SECRET},
        {"kind": "api_key", "value": SECRET, "hosts": ["not a host"]},
        {"kind": "reference", "value": SECRET},
        {"kind": "unknown", "value": SECRET},
        {"kind": "api_key", "value": [SECRET]},
        {"kind": "api_key", "value": {"a": SECRET}},
        {"kind": "api_key", "value": SECRET * 3_000},
        {"kind": "login", "value": SECRET},
        {"kind": "api_key", "value": SECRET + " 4242 4242 4242 4242"},
        {"kind": "api_key", "value": SECRET, "grace": "soon"},
        {"kind": "api_key", "value": SECRET, "grace": "PT1H"},
    ):
        world.keep(await org.owner.ask("PUT", "/secrets/api_keys/model", key=new_key(), json=body))
        forms += 1
    for path in ("api_keys/old", "api_keys/model"):
        good(await put(org.owner, path, value=SECRET))
    broken = json.dumps({"kind": "api_key", "value": SECRET}).encode()[:-3]
    headers = {"Content-Type": "application/json"}
    world.keep(await org.owner.ask("PUT", "/secrets/api_keys/x", key=new_key(), content=broken, headers=headers))
    world.keep(
        await org.member.ask("PUT", "/secrets/api_keys/x", key=new_key(), json={"kind": "other", "value": SECRET})
    )
    good(
        await org.owner.ask(
            "PUT", "/secrets/access_credentials/site", key=new_key(), json={"kind": "login", "value": LOGIN}
        )
    )
    for number in (1, 2):
        world.keep(await org.owner.delete(f"/secrets/api_keys/old/versions/{number}"))

    places = ["basic", "header:authorization", "header:x-api-key", "query:key", "body:token"]
    more: dict[str, Any] = {"hosts": [f"127.0.0.1:{host.port}"], "methods": ["POST"], "places": places}
    await grant(org.owner, "api_keys/model", agent_id=org.agent_id, verbs=["use"], price={"amount": "1"}, **more)
    await grant(org.owner, "access_credentials/*", agent_id=org.agent_id, verbs=["use"], **more)
    shown = list(spellings(SECRET).values())
    basic = [base64.b64encode(f"{user}:{SECRET}".encode()) for user in ("olga",)] + [
        base64.b64encode(f"{SECRET}:".encode())
    ]

    async def echoes(request: Received, writer: asyncio.StreamWriter) -> None:
        plain = SECRET.encode().decode("latin-1")
        await answers(401, b"\n".join((*shown, *basic)), X_Echo=plain, Location=f"https://x/?{plain}")(request, writer)

    for name, place in PLACES.items():
        for reply in (echoes, drops, babbles, answers(200, SECRET.encode(), content_encoding="gzip")):
            host.reply = reply
            await world.use(place=place)
            if name == "password":
                await world.use(place={"in": "basic"}, path="access_credentials/site")
            forms += 1
    for form in shown:
        host.reply = answers(200, b'{"model": "' + form + b'", "usage": {"prompt_tokens": "' + form + b'"}}')
        assert await world.use() == 200
        forms += 1
    for wrong in (
        {"place": {"in": "header", "name": "X-Other"}},
        {"place": {"in": "body", "name": "token"}, "request": {"body": "[]"}},
        {"request": {"url": "http://127.0.0.1:1024/"}},
        {"request": {"method": "DELETE"}},
    ):
        await world.use(**wrong)
    opened = await grant(org.owner, "api_keys/model", principal=await principal(org.member))
    assert good(await org.member.post("/secrets/api_keys/model/open", {"purpose": "x"}))["value"] == SECRET
    world.keep(await org.member.post("/secrets/api_keys/old/open", {"purpose": "x"}))
    good(await org.owner.delete(f"/secrets/grants/{opened['id']}"))
    for path in ("/secrets", "/secrets/api_keys/model", "/secrets/grants", "/credits/usage", "/events"):
        world.keep(await org.owner.get(path))
    world.keep(await org.auditor.get("/secrets/api_keys/model/access"))
    return forms


async def plant_in_plain(world: World) -> None:
    world.keep(await world.org.owner.post("/departments", {"name": PLANTED}, key=new_key()))
    structlog.get_logger("bursar.api").debug("planted", path=PLANTED)


async def spans_of(world: World, spans: InMemorySpanExporter) -> bytes:
    """Return all spans as they are sent to a collector."""
    world.keep(await world.org.owner.get(f"/secrets/api_keys/{PLANTED}"))
    return encode_spans(spans.get_finished_spans()).SerializeToString()


async def tables_of(urls: DatabaseUrls) -> bytes:
    """Return all rows of all tables as text, as a dump has them, but for what is sealed."""
    async with connected(urls.owner.replace("+asyncpg", "")) as connection:
        found = await connection.fetch(
            "SELECT n.nspname, c.relname, array_agg(a.attname::text ORDER BY a.attnum) AS columns"
            " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid"
            " WHERE c.relkind = 'r' AND n.nspname !~ '^(pg_|information_schema)' AND a.attnum > 0 AND NOT attisdropped"
            " AND attgenerated = ''"
            " GROUP BY 1, 2"
        )
        assert {"secret_access", "idempotency_keys", "events"} <= {row["relname"] for row in found}
        kept = BytesIO()
        for schema, table, columns in found:
            sealed = {"sealed", "wrapped_key"} if table == "secret_versions" else set()
            await connection.copy_from_table(
                table, schema_name=schema, columns=[each for each in columns if each not in sealed], output=kept
            )
        return kept.getvalue()


async def history_of(world: World, address: str, planted: str) -> bytes:
    """Seal the access log in Temporal, and return the history with what its payloads hold."""
    client = await connect(Settings(temporal_address=address))
    queue = new_id("queue")
    activities = SecretAccessActivities(world.database)
    async with Worker(
        client, task_queue=queue, workflows=[SecretAccessSealWorkflow], activities=[activities.seal_access]
    ):
        handle = await client.start_workflow(
            SecretAccessSealWorkflow.run,
            AccessSeals(limit=1_000, now=datetime.now(UTC)),
            id=new_id("batch"),
            task_queue=queue,
            static_summary=planted,
        )
        await handle.result()
        history = (await handle.fetch_history()).to_json()
    payloads = [base64.b64decode(each) for each in _data_in(json.loads(history))]
    return b"\n".join((history.encode(), *payloads))


def _data_in(node: object) -> list[str]:
    if isinstance(node, dict):
        own = [node["data"]] if isinstance(node.get("data"), str) else []
        return own + [data for each in node.values() for data in _data_in(each)]
    return [data for each in node for data in _data_in(each)] if isinstance(node, list) else []


async def test_a_secret_in_fifty_forms_is_kept_nowhere_but_sealed(
    world: World, fresh_database_urls: DatabaseUrls, tmp_path: Path, spans: InMemorySpanExporter, temporal_address: str
):
    assert await plant(world) >= 50
    await plant_in_plain(world)
    history = await history_of(world, temporal_address, PLANTED)
    kept = {
        "answers": b"\n".join(world.answers),
        "log": (tmp_path / "api.log").read_bytes(),
        "spans": await spans_of(world, spans),
        "tables": await tables_of(fresh_database_urls),
        "history": history,
    }
    assert {name: found for name, text in kept.items() if (found := hidden_in(SECRET, text))} == {}
    # The host received it, and the search finds it there.
    assert any(SECRET in value for request in world.host.received for value in request.headers.values())
    assert [name for name, text in kept.items() if not hidden_in(PLANTED, text)] == []
