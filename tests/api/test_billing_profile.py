"""Billing profiles and tax rates over HTTP, and what they do to an invoice."""

from typing import Any

import pytest
from sqlalchemy import select

from domain.billing.billing_profile import Profile
from domain.common.errors import Invalid
from models.messages.alert import Alert
from providers.payments.base import ProviderUnavailable
from providers.tax.base import Confirmation
from repositories.billing import billing_profile as profiles
from repositories.billing.billing_profile import UnconfirmedNumber
from runtime.database import Database
from services.billing import billing_profile
from tests.api.conftest import Caller, Tenant, good, new_key, refused
from tests.api.invoicing import PATH, issue
from tests.support.billing import KIM, NOW
from tests.support.cases import for_each

pytestmark = pytest.mark.db

PROFILE = "/billing/profile"
GOOD = {"legal_name": "Acme GmbH", "country": "DE", "vat_id": "DE 136 695 976"}


class Register:
    """Gives the answer that a test sets, and counts the requests."""

    def __init__(self, answer: Confirmation | None) -> None:
        self.answer, self.asked = answer, 0

    async def confirm(self, country: str, number: str) -> Confirmation:
        self.asked += 1
        if self.answer is None:
            raise ProviderUnavailable("down", code="tax.unavailable")
        return self.answer


async def test_a_profile_is_empty_first_then_what_was_said_and_replaced_whole(customer: Tenant) -> None:
    empty = good(await customer.member.get(PROFILE))
    assert (empty["organization_id"], empty["legal_name"], empty["proven_country"]) == (customer.org_id, None, None)
    kept = good(await customer.owner.ask("PUT", PROFILE, json=GOOD))
    assert (kept["legal_name"], kept["vat_id"], kept["vat_confirmed_at"]) == ("Acme GmbH", "DE136695976", None)
    assert good(await customer.auditor.get(PROFILE)) == kept
    replaced = good(await customer.callers["finance"].ask("PUT", PROFILE, json={"country": "FR"}))
    assert (replaced["country"], replaced["legal_name"], replaced["vat_id"]) == ("FR", None, None)


@for_each(
    "change, field",
    [
        ({"vat_id": "FR40303265045"}, "vat_id"),
        ({"vat_id": None, "charges_vat": True}, "vat_id"),
        ({"vat_id": "DE136695977"}, "vat_id"),
        ({"country": None}, "vat_id"),
        ({"country": "de"}, "errors"),
        ({"legal_name": "Acme\uffff"}, "errors"),
        ({"line2": "Yard\ufffe 2"}, "errors"),
        ({"email": "nobody"}, "errors"),
        ({"confirmed_country": "DE"}, "errors"),
        ({"time_zone": "Europe/Berlin"}, "errors"),
    ],
)
async def test_what_is_no_profile_or_not_the_organizations_to_say_is_refused(
    customer: Tenant, change: dict[str, Any], field: str
) -> None:
    document = refused(await customer.owner.ask("PUT", PROFILE, json=GOOD | change), 422, "request.invalid")
    assert field in document if field == "errors" else document["field"] == field


async def test_operators_decide_what_organizations_cannot_say_of_themselves(operator: Caller, customer: Tenant) -> None:
    good(await customer.owner.ask("PUT", PROFILE, json={"country": "DE"}))
    decision = {"organization_id": customer.org_id, "confirmed_country": "DE"}
    made = good(await operator.ask("PUT", f"{PROFILE}/decisions", json={**decision, "exempt_reason": "Charity"}))
    assert (made["proven_country"], made["exempt_reason"]) == ("DE", "Charity")
    # What the organization says afterwards leaves it, and proves nothing by itself.
    moved = good(await customer.owner.ask("PUT", PROFILE, json={"country": "FR"}))
    assert (moved["proven_country"], moved["confirmed_country"]) == (None, "DE")


async def test_a_number_is_confirmed_once_and_forgotten_when_it_changes(database: Database, customer: Tenant) -> None:
    wanted = billing_profile.canonical(Profile(country="DE", vat_id="DE136695976"))
    register = Register(Confirmation(is_valid=True, reference="WAPI1"))

    async def put(profile: Profile, answers: Register) -> tuple[str | None, bool]:
        async with database.platform() as session:
            known = await profiles.find(session, customer.org_id)
        vat = await billing_profile.confirm_number(answers, known, profile)
        async with database.platform() as session:
            row = await billing_profile.replace_profile(session, KIM, customer.org_id, profile, vat=vat, now=NOW)
            return row.vat_reference, row.vat_confirmed_at is not None

    assert [await put(wanted, register) for _ in range(2)] == [("WAPI1", True)] * 2
    assert register.asked == 1
    other = billing_profile.canonical(Profile(country="FR", vat_id="FR40303265045"))
    for answers in (Register(None), Register(Confirmation(is_valid=True, reference=None))):
        assert await put(other, answers) == (None, False)
    with pytest.raises(Invalid, match="not in force"):
        await put(other, Register(Confirmation(is_valid=False, reference="WAPI2")))


async def test_number_that_lapses_while_its_profile_is_replaced_stays_unconfirmed(
    database: Database, customer: Tenant
) -> None:
    wanted = billing_profile.canonical(Profile(country="DE", vat_id="DE136695976"))
    register = Register(Confirmation(is_valid=True, reference="WAPI1"))
    async with database.platform() as session:
        await billing_profile.replace_profile(session, KIM, customer.org_id, wanted, vat=register.answer, now=NOW)
    async with database.platform() as session:
        known = await profiles.find(session, customer.org_id)
    vat = await billing_profile.confirm_number(register, known, wanted)
    async with database.platform() as session:
        asked = UnconfirmedNumber(org_id=customer.org_id, country="DE", vat_id="DE136695976")
        lapsed = Confirmation(is_valid=False, reference="WAPI2")
        assert not await billing_profile.note_confirmation(session, asked, lapsed, NOW)
    async with database.platform() as session:
        row = await billing_profile.replace_profile(session, KIM, customer.org_id, wanted, vat=vat, now=NOW)
    assert (register.asked, row.vat_reference, row.vat_confirmed_at) == (0, None, None)


async def test_number_of_another_name_or_of_two_organizations_is_put_before_an_operator(
    database: Database, new_tenant: Any
) -> None:
    async def put(name: str | None, registered: str | None, org_id: str | None = None) -> tuple[str, list[str]]:
        org_id = org_id or (await new_tenant("owner")).org_id
        wanted = billing_profile.canonical(Profile(country="IT", vat_id="IT00743110157", legal_name=name))
        register = Register(Confirmation(is_valid=True, reference="WAPI1", name=registered))
        async with database.platform() as session:
            known = await profiles.find(session, org_id)
        vat = await billing_profile.confirm_number(register, known, wanted)
        async with database.platform() as session:
            await billing_profile.replace_profile(session, KIM, org_id, wanted, vat=vat, now=NOW)
            alerts = await session.scalars(select(Alert.detail).where(Alert.subject == org_id))
            return org_id, list(alerts)

    first, told = await put("Acme S.r.l.", "ACME SRL")
    assert told == []
    _, (told_of_second,) = await put(None, None)
    assert "another organization has it too" in told_of_second
    _, (told_of_name,) = await put("Jean Dupont", "ACME SRL", first)
    assert "the register has it under another name" in told_of_name


async def test_rates_are_added_once_listed_and_never_two_for_one_time(operator: Caller) -> None:
    body = {"code": "is-vat", "country": "IS", "rate": "0.24", "valid_from": "2015-01-01T00:00:00Z"}
    key = new_key()
    made = good(await operator.post("/tax-rates", body, key=key), 201)
    assert (made["rate"], made["region"], made["product"]) == ("0.24", None, None)
    assert good(await operator.post("/tax-rates", body, key=key), 201) == made
    refused(await operator.post("/tax-rates", {**body, "rate": "0.25"}, key=new_key()), 409, "tax.rate_exists")
    food = good(await operator.post("/tax-rates", {**body, "product": "food", "rate": "0.11"}, key=new_key()), 201)
    assert good(await operator.get("/tax-rates?country=IS"))["data"] == [food, made]
    for wrong in ({"rate": "1.1"}, {"code": "a/b"}, {"valid_until": "2014-01-01T00:00:00Z"}):
        refused(await operator.post("/tax-rates", {**body, **wrong}, key=new_key()), 422, "request.invalid")


async def test_a_deployment_without_a_country_charges_no_tax(operator: Caller, customer: Tenant) -> None:
    made = await issue(operator, customer)
    assert (made["tax"], made["total"]) == ("0.00", "10.00")
    assert good(await operator.get(f"{PATH}/{made['id']}"))["taxes"][0]["category"] == "O"


async def test_only_an_entity_of_the_settings_can_sell_to_an_organization(operator: Caller, customer: Tenant) -> None:
    decision = {"organization_id": customer.org_id, "legal_entity": "NOBODY"}
    body = refused(await operator.ask("PUT", f"{PROFILE}/decisions", json=decision), 422, "request.invalid")
    assert body["field"] == "legal_entity"
    assert good(await customer.owner.get(PROFILE))["legal_entity"] is None
