"""The check against PayPal's published documents notices what they do not know; it needs `BURSAR_PAYPAL_OPENAPI`."""

import httpx2
import pytest

from tests.support.paypal import DOCUMENTS, a_payment, running_paypal
from tests.support.paypal_openapi import published

pytestmark = pytest.mark.skipif(not DOCUMENTS, reason="BURSAR_PAYPAL_OPENAPI names no directory with the documents")


@pytest.fixture
async def exchange(tmp_path):
    async with running_paypal(tmp_path) as paypal:
        await (await paypal.provider()).create(a_payment(), idempotency_key="k")
        yield paypal.exchanges[-1]


def test_what_the_documents_know_is_accepted(exchange):
    assert published(DOCUMENTS).mismatches(*exchange) == []


@pytest.mark.parametrize(
    ("status", "change"),
    [
        (201, {"extra": 1}),
        (201, {"status": "PAID"}),
        (201, {"intent": 1}),
        (201, {"purchase_units": []}),
        (201, {"purchase_units": [{"amount": {"currency_code": "USD", "value": "1.00", "unit": "cents"}}]}),
        (201, {"purchase_units": [{"payments": {"captures": [{"status": "REVERSED"}]}}]}),
        (202, {}),
    ],
)
def test_an_answer_that_the_documents_do_not_know_is_a_mismatch(exchange, status, change):
    request, response = exchange
    changed = httpx2.Response(status, json=response.json() | change)
    assert published(DOCUMENTS).mismatches(request, changed)


def test_an_issue_that_the_documents_do_not_know_is_a_mismatch(exchange):
    request, _ = exchange
    error = {"name": "UNPROCESSABLE_ENTITY", "message": "no", "debug_id": "1"}

    def answered(issue):
        body = error | {"details": [{"issue": issue, "description": "no"}]}
        return published(DOCUMENTS).mismatches(request, httpx2.Response(422, json=body))

    assert answered("INSTRUMENT_DECLINED") == []
    assert answered("MADE_UP")


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"paypal-unknown": "1"}, None),
        ({"paypal-request-id": "k" * 109}, None),
        ({}, {"intent": "CAPTURE"}),
        ({}, {"intent": "CAPTURE", "purchase_units": [{"amount": {"currency_code": "USD", "value": "1"}, "x": 1}]}),
    ],
)
def test_a_request_that_the_documents_do_not_know_is_a_mismatch(exchange, headers, body):
    request, response = exchange
    content = {"content": request.content} if body is None else {"json": body}
    sent = httpx2.Request("POST", request.url, headers=headers, **content)
    assert published(DOCUMENTS).mismatches(sent, response)
