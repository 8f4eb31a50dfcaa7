"""Card numbers at the door: refused wherever a request holds one, and then nowhere to be found."""

import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from api.card_numbers import refuse_in_body
from runtime import logs
from runtime.database import Database
from runtime.settings import Settings
from tests.api.conftest import Caller, Tenant, good, new_key, refused
from tests.support.cases import for_each
from tests.support.logging import restored_logging
from tests.support.openapi import problem_of, served

__all__ = ["restored_logging"]

pytestmark = pytest.mark.db

VISA, SPACED, DASHED = "4242424242424242", "4242 4242 4242 4242", "4242-4242-4242-4242"
NONE_OF_IT = ("4242424242424242", "4242 4242", "4242-4242", "42424242")
CODE = "privacy.card_number"


def refused_without_a_trace(response: Any) -> dict[str, Any]:
    document = refused(response, 422, CODE)
    assert not any(part in response.text for part in NONE_OF_IT)
    return document


@for_each(
    "body, field",
    [
        (b'{"name": "%b"}' % VISA.encode(), "name"),
        (b'{"name": "Acme %b"}' % SPACED.encode(), "name"),
        (b'{"name": "a", "note": "%b"}' % DASHED.encode(), "note"),
        (b'{"name": "a", "%b": 1}' % VISA.encode(), "[card number]"),
        (b'{"name": 4242424242424242}', "name"),
        (b'{"name": 4.242424242424242e15}', "name"),
        (b'{"name": {"a": [1, {"b": ["%b"]}]}}' % SPACED.encode(), "name.a.1.b.0"),
        (b'["%b"]' % VISA.encode(), "0"),
        (b'"%b"' % VISA.encode(), "body"),
        (b"4242424242424242", "body"),
        (b'{"name": "' + b"\\u0034\\u0032" * 8 + b'"}', "name"),
        (b'{"name": "4242\\n4242\\t4242\\u00a04242"}', "name"),
        (('{"name": "' + "\uff14\uff12" * 8 + '"}').encode(), "name"),
        (('{"name": "' + "\u200b".join(VISA) + '"}').encode(), "name"),
        (b'{"name": "' + b"\\u200b".join(VISA[at : at + 1].encode() for at in range(16)) + b'"}', "name"),
    ],
)
async def test_body_with_a_card_number_is_refused(body: bytes, field: str, operator: Caller) -> None:
    headers = {"Content-Type": "application/json"}
    response = await operator.ask("POST", "/organizations", content=body, headers=headers, key=new_key())
    document = refused_without_a_trace(response)
    assert document["errors"] == [{"field": field, "message": "This looks like a payment card number."}]


async def test_of_several_card_numbers_the_last_is_named(operator: Caller) -> None:
    body = b'{"a": {"b": "%b"}, "name": ["x", {"c": [7, %b, "%b", 8]}, true], "z": null}' % ((VISA.encode(),) * 3)
    response = await operator.ask(
        "POST", "/organizations", content=body, headers={"Content-Type": "application/json"}, key=new_key()
    )
    assert refused_without_a_trace(response)["errors"][0]["field"] == "name.1.c.2"


def test_search_of_a_deep_document_keeps_no_path_of_each_number() -> None:
    value: Any = [7] * 20_000
    for _ in range(60):
        value = [value]
    tracemalloc.start()
    try:
        refuse_in_body('"\\u0061"', value)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # A copy of the path for each number took eleven million.
    assert peak < 1_000_000


@for_each(
    "path",
    [
        f"/payments/{VISA}",
        f"/payments/{DASHED}",
        "/payments/4242%204242%204242%204242",
        f"/nowhere/{VISA}",
        f"/organizations/{VISA}/nothing",
        f"/docs/{VISA}",
        f"/contracts?cursor={VISA}",
        "/contracts?cursor=4242+4242+4242+4242",
        "/contracts?cursor=" + "".join(f"%{ord(digit):x}" for digit in VISA),
        f"/contracts?{VISA}=1",
        f"/docs/errors?x={VISA}",
    ],
)
@for_each("method", ["GET", "POST"])
async def test_address_with_a_card_number_is_refused(path: str, method: str, tenant: Tenant) -> None:
    refused_without_a_trace(await tenant.owner.ask(method, path))


async def test_nothing_of_a_refused_request_is_kept(
    tenant: Tenant,
    database: Database,
    tmp_path: Path,
    restored_logging: None,
) -> None:
    log_file = tmp_path / "api.log"
    logs.configure(Settings(log_file=log_file), "api")
    key = new_key()
    body = {"agent_id": tenant.agent_id, "title": f"Pay {SPACED}", "price": "5.00", "currency": "CREDIT"}
    refused_without_a_trace(await tenant.owner.post("/contracts", body, key=key))
    refused_without_a_trace(await tenant.owner.get(f"/contracts/{VISA}"))
    refused_without_a_trace(await tenant.owner.get("/contracts", headers={"X-Request-Id": "r1"}, params={"q": VISA}))
    async with database.platform() as session:
        kept = await session.scalar(text("SELECT count(*) FROM idempotency_keys WHERE key = :key"), {"key": key})
    assert kept == 0
    written = log_file.read_text()
    assert written.count('"event": "request"') == 3
    assert not any(part in written for part in NONE_OF_IT)
    # The key is free for the request as it should have been.
    good(await tenant.owner.post("/contracts", {**body, "title": "Pay"}, key=key), 201)


async def test_idempotency_key_that_is_a_card_number_is_refused(operator: Caller) -> None:
    response = await operator.post("/organizations", {"name": "Acme"}, key=SPACED)
    assert refused_without_a_trace(response)["errors"][0]["field"] == "Idempotency-Key"


async def test_request_id_that_is_a_card_number_is_replaced(operator: Caller) -> None:
    for given in (VISA, DASHED):
        response = await operator.ask("GET", "/organizations", headers={"X-Request-Id": given})
        assert response.headers["x-request-id"].startswith("req_")


async def test_refusal_of_an_anonymous_request_repeats_no_card_number(anonymous: Caller) -> None:
    response = await anonymous.get(f"/payments/{VISA}")
    assert not any(part in response.text for part in NONE_OF_IT)


async def test_ids_of_a_provider_are_no_card_numbers(customer: Tenant) -> None:
    """Pass the door with everything that a payment by card needs."""
    body = {"amount": "12.00", "currency": "USD", "provider": "stripe", "purpose": "credits"}
    for method in ("pm_card_visa", "pm_1QxAbCdEfGh4242424242424242"):
        response = await customer.owner.post("/payments", {**body, "payment_method": method}, key=new_key())
        assert response.json().get("code") != CODE


def test_openapi_documents_the_refusal() -> None:
    document = served()
    for methods in document["paths"].values():
        for operation in methods.values():
            assert CODE in problem_of(document, operation["responses"]["422"])["examples"]
