"""The requests to an outside tax service, and the answers that are accepted."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from dev.sandbox.tax.app import Service, create_app
from domain.billing.tax.rates import AppliedTax, TaxCategory
from domain.billing.tax.treatment import TaxParty, Treatment
from providers.payments.base import ProviderRefused, ProviderUnavailable
from providers.tax.http import HttpTaxService
from providers.tax.service import TaxedLine, TaxQuestion
from tests.support.cases import for_each

URL = "http://tax/"
IN_FRANCE = TaxParty(billing_country="FR", card_country="FR")
VAT = AppliedTax(code="vat-fr", category=TaxCategory.STANDARD, rate_e6=200_000)


def question(party: TaxParty = IN_FRANCE, lines: int = 2) -> TaxQuestion:
    return TaxQuestion(
        key="org_1:2026-01",
        org_id="org_1",
        party=party,
        seller_country="DE",
        currency="USD",
        lines=[TaxedLine(product="standard", amount_minor=1_250)] * lines,
        at=datetime(2026, 2, 1, tzinfo=UTC),
    )


def asking(client: httpx2.AsyncClient, key: str | None = "sk") -> HttpTaxService:
    return HttpTaxService(client, URL, key=key, timeout=timedelta(minutes=1))


@pytest.fixture
async def service() -> AsyncIterator[tuple[Service, HttpTaxService]]:
    kept = Service("sk")
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(create_app(kept))) as client:
        yield kept, asking(client)


async def answered(body: str, status: int = 200) -> Treatment:
    async def answer(_: Request) -> Response:
        return PlainTextResponse(body, status_code=status)

    app = Starlette(routes=[Route("/", answer, methods=["POST"])])
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app)) as client:
        return await asking(client).treat(question(lines=1))


async def test_each_line_has_its_tax_and_the_question_has_no_names(service: tuple[Service, HttpTaxService]) -> None:
    kept, taxes = service
    assert await taxes.treat(question()) == Treatment(taxes=(VAT, VAT), is_proven=True)
    [asked] = kept.questions
    assert asked["lines"] == [{"product": "standard", "amount": "12.50"}] * 2
    assert set(asked) == {
        *("key", "organization_id", "seller_country", "currency", "at", "customer", "includes_tax", "lines")
    }


@pytest.mark.parametrize(
    ("party", "tax", "is_proven"),
    [
        (TaxParty(billing_country="FR", card_country="FR", vat_country="FR"), ("reverse-charge", "AE"), True),
        (TaxParty(is_exempt=True), ("exempt", "E"), False),
        (TaxParty(billing_country="US", card_country="US"), ("none", "O"), True),
        (TaxParty(billing_country="US", card_country="FR"), ("vat-de", "S"), False),
    ],
)
async def test_stand_in_handles_the_usual_cases(
    service: tuple[Service, HttpTaxService], party: TaxParty, tax: tuple[str, str], is_proven: bool
) -> None:
    treatment = await service[1].treat(question(party))
    assert [(each.code, each.category) for each in treatment.taxes] == [tax] * 2
    assert treatment.is_proven is is_proven


@pytest.mark.parametrize(("mode", "error"), [("down", ProviderUnavailable), ("refuse", ProviderRefused)])
async def test_outage_is_retryable_and_a_refusal_has_its_reason(
    service: tuple[Service, HttpTaxService], mode: str, error: type[Exception]
) -> None:
    kept, taxes = service
    kept.mode = mode
    with pytest.raises(error, match="503" if mode == "down" else "This product is not known"):
        await taxes.treat(question())
    assert not kept.questions


async def test_a_service_that_hangs_is_given_up_in_time() -> None:
    kept = Service()
    kept.mode = "hang"
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(create_app(kept))) as client:
        taxes = HttpTaxService(client, URL, key=None, timeout=timedelta(milliseconds=20))
        with pytest.raises(ProviderUnavailable, match="in time"):
            await taxes.treat(question())


async def test_wrong_key_does_not_refuse_the_question() -> None:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(create_app(Service("sk")))) as client:
        with pytest.raises(ProviderUnavailable, match="401"):
            await asking(client, key="another").treat(question())


@for_each(
    "body",
    [
        "<html>",
        "[]",
        '{"is_proven": true, "taxes": []}',
        '{"is_proven": 1, "taxes": [{"code": "a", "category": "S", "rate": "0.1"}]}',
        '{"is_proven": true, "taxes": ["S"]}',
        '{"is_proven": true, "taxes": [{"code": "A/../b", "category": "S", "rate": "0.1"}]}',
        '{"is_proven": true, "taxes": [{"code": "a", "category": "S", "rate": "-0.1"}]}',
        '{"is_proven": true, "taxes": [{"code": "a", "category": "S", "rate": "1.5"}]}',
        '{"is_proven": true, "taxes": [{"code": "a", "category": "S", "rate": "0"}]}',
        '{"is_proven": true, "taxes": [{"code": "a", "category": "AE", "rate": "0.1"}]}',
        '{"is_proven": true, "taxes": [{"code": "a", "category": "X", "rate": "0"}]}',
        '{"is_proven": true, "taxes": [{"code": "a", "category": "S", "rate": true}]}',
        '{"is_proven": true, "taxes": "' + "x" * 1024 * 1024 + '"}',
    ],
)
async def test_invalid_response_charges_nothing(body: str) -> None:
    with pytest.raises(ProviderRefused, match="cannot be used"):
        await answered(body)


async def test_a_reason_is_cut_and_printable() -> None:
    with pytest.raises(ProviderRefused) as refusal:
        await answered('{"detail": "no\\u202e\\n' + "x" * 999 + '"}', status=422)
    assert refusal.value.detail.isprintable()
    assert len(refusal.value.detail) < 250
