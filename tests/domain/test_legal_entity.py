"""The legal entities that a deployment sells as, from its settings."""

import json

import pytest

from domain.billing.document.content import Party
from domain.billing.invoice.rules import InvoiceRules
from domain.billing.invoice.series import DocumentType
from domain.billing.legal_entity import LegalEntities, LegalEntity, entities_from
from domain.common.errors import Invalid, UnknownEntity
from tests.support.cases import for_each

ACME = {"code": "ACME", "name": "Acme SARL", "city": "Paris", "tax_country": "FR", "vat_id": "FR40303265045"}


def test_entity_has_its_party_on_documents_and_its_own_series() -> None:
    others = entities_from(json.dumps([ACME]))
    seller = Party(name="Acme SARL", city="Paris", country="FR", vat_id="FR40303265045")
    assert others == {"ACME": LegalEntity(code="ACME", seller=seller, tax_country="FR")}
    entities = LegalEntities(LegalEntity(code="BASE"), others)
    assert entities.series(DocumentType.CREDIT_NOTE) == ["credit_note/BASE", "credit_note/ACME"]
    assert entities.of_series("invoice/ACME").seller == seller
    # What was numbered before the usual entity had a code is its own.
    assert entities.of_series("invoice") == entities.of("BASE") == entities.usual


def test_removed_entity_is_refused_and_not_replaced() -> None:
    with pytest.raises(UnknownEntity):
        LegalEntities().of("ACME")
    rules = InvoiceRules(seller_country="DE", others={"ACME": "FR"})
    assert (rules.of("ACME").entity, rules.of("ACME").seller_country) == ("ACME", "FR")
    assert rules.of(None) == rules
    with pytest.raises(UnknownEntity):
        rules.of("GONE")


@for_each(
    "wrong",
    [
        "[",
        "{}",
        "[1]",
        json.dumps([ACME, ACME]),
        json.dumps([{"name": "Acme"}]),
        json.dumps([{"code": "ACME"}]),
        json.dumps([ACME | {"code": "a"}]),
        json.dumps([ACME | {"code": "INV"}]),
        json.dumps([ACME | {"tax_country": "France"}]),
        json.dumps([ACME | {"fax": "1"}]),
        json.dumps([ACME | {"name": 1}]),
        json.dumps([ACME | {"code": f"A{number}"} for number in range(51)]),
    ],
)
def test_invalid_list_of_entities_is_refused(wrong: str) -> None:
    with pytest.raises(Invalid):
        entities_from(wrong)
