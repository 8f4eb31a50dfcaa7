"""The form of VAT numbers, and what registers answer."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from dev.sandbox.vies.app import Register, create_app
from domain.common.errors import Invalid
from providers.payments.base import ProviderUnavailable
from providers.tax.base import Confirmation, canonical_number
from providers.tax.vies import Vies

BASE = "http://vies"


@pytest.fixture
async def register() -> AsyncIterator[tuple[Register, Vies]]:
    kept = Register()
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(create_app(kept))) as client:
        yield kept, Vies(client, BASE, requester="DE136695976")


@pytest.mark.parametrize(
    ("number", "country", "plain"),
    [
        ("DE 136,695 976", "DE", "DE136695976"),
        ("136695976", "DE", "DE136695976"),
        ("fr 40 303 265 045", "FR", "FR40303265045"),
        ("EL094259216", "GR", "EL094259216"),
        ("094259216", "GR", "EL094259216"),
        ("ATU13585627", "AT", "ATU13585627"),
    ],
)
def test_numbers_are_kept_in_their_plain_form(number: str, country: str, plain: str) -> None:
    assert canonical_number(number, country) == plain


@pytest.mark.parametrize(
    ("number", "country"),
    [
        ("DE136695976", "FR"),
        ("DE136695977", "DE"),
        ("DE12", "DE"),
        ("", "DE"),
        ("DE136695976", None),
        ("123", "US"),
        ("DE136695976", "XX"),
    ],
)
def test_numbers_of_another_country_or_form_are_refused(number: str, country: str | None) -> None:
    with pytest.raises(Invalid) as refusal:
        canonical_number(number, country)
    assert refusal.value.extra["field"] == "vat_id"


async def test_a_number_is_confirmed_with_its_reference(register: tuple[Register, Vies]) -> None:
    _, vies = register
    assert await vies.confirm("FR", "FR40303265045") == Confirmation(is_valid=True, reference="WAPIAAAA00000001")
    assert not (await vies.confirm("DE", "DE100000000")).is_valid


async def test_a_member_state_that_is_down_confirms_nothing(register: tuple[Register, Vies]) -> None:
    kept, vies = register
    kept.down = {"FR"}
    with pytest.raises(ProviderUnavailable):
        await vies.confirm("FR", "FR40303265045")


@pytest.mark.parametrize(
    "answer",
    [
        {"valid": "yes"},
        {"valid": True, "countryCode": "FR", "vatNumber": "1"},
        [],
    ],
)
async def test_answers_that_cannot_be_believed_confirm_nothing(answer: Any) -> None:
    async def app(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, json=answer)

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(app)) as client:
        with pytest.raises(ProviderUnavailable):
            await Vies(client, BASE, requester="DE136695976").confirm("FR", "FR40303265045")
