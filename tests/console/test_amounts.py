"""An amount in a form is read by its reader's own marks: 1.500 is no one and a half to whoever reads 1.500,00.

What is previewed before it is sent, such as a refund, shows there what was read.
"""

from typing import Any

import pytest

from console.format import Prefs
from console.forms import Form, written
from tests.console.fake import ME, ORG, OWN, FakeApi, browser
from tests.support.cases import for_each

HERE = f"/console/{ORG}"
PLATFORM = "/console/platform"
KEY = {"command": "con_0123456789abcdef"}
RULE = {"metric": "credits.available", "type": "below", "severity": "warning"}


@for_each(
    "path, fields, member",
    [
        (f"{HERE}/agents/new", {"model": "one_time", "amount": "1.500", "currency": "USD"}, "pricing.amount"),
        (f"{HERE}/agents/agt_1/price", {"model": "one_time", "amount": "1.500", "currency": "USD"}, "pricing.amount"),
        (f"{HERE}/agents/agt_1/offer", {"model": "one_time", "price": "1.500", "currency": "USD"}, "price"),
        (f"{HERE}/agents/agt_1/offer", {"model": "usage", "prices": "page 1.500"}, "prices.page"),
        (f"{PLATFORM}/pricing/new", {"type": "bounds", "terms_floor_amount": "1.500"}, "terms.floor_amount"),
        (f"{HERE}/escrows/new", {"agent_id": "agt_1", "price": "1.500", "currency": "USD"}, "price"),
        (f"{HERE}/limits/new", {"month_amount": "1.500"}, "limits.0.amount"),
        (f"{HERE}/limits/new", {"per_spend": "1.500"}, "per_spend"),
        (f"{HERE}/alerts/settings/rules/new", {**RULE, "threshold": "1.500"}, "condition.threshold"),
        (
            f"{PLATFORM}/credits/grants",
            {"receiver": ORG, "amount": "1.500", "source": "promotion", "sure": "yes"},
            "amount",
        ),
        (f"{PLATFORM}/credits/costs", {"action": "page", "cost": "1.500"}, "cost"),
        (f"{PLATFORM}/invoices/new", {"description_1": "Work", "unit_amount_1": "1.500"}, "lines.0.unit_amount"),
    ],
)
async def test_amount_is_read_by_the_marks_that_its_reader_has_chosen(
    path: str, fields: dict[str, str], member: str
) -> None:
    sent = []
    for locale in ("en", "de"):
        me = {**ME, "locale": locale}
        me |= {"role": "operator", "organization": None} if path.startswith(PLATFORM) else {}
        api = FakeApi(answers={"GET /me": (200, me)})
        async with browser(api, signed_in=True) as client:
            await client.post(path, data={**KEY, **fields}, headers=OWN)
        body: Any = next(body for name, _, body in api.asked if not name.startswith("GET"))
        for part in member.split("."):
            body = body[int(part) if part.isdigit() else part]
        sent.append(body)
    assert sent == ["1.500", "1.500,00"]


@pytest.mark.parametrize(("number", "in_a_field"), [("2.375", "2.3750"), ("2.50", "2.50"), ("0.125", "0.125")])
def test_number_of_the_api_stands_in_a_field_as_nobody_reads_it_for_another_one(number: str, in_a_field: str) -> None:
    assert written(number) == in_a_field
    assert Form(values={"price": in_a_field}, prefs=Prefs(locale="de")).number("price") == in_a_field
