"""The legal entities that a deployment sells as: their party on documents, and their tax country."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from domain.billing.document.content import Party
from domain.billing.invoice.series import DocumentType, entity_of, series_of
from domain.billing.tax.rates import check_place
from domain.common.errors import Invalid, UnknownEntity

T = TypeVar("T")
#: The maximum number of entities besides the usual one; each has its own series.
MAX_ENTITIES = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class LegalEntity:
    """A legal entity that sells.

    Attributes:
        code: names its series; None for the deployment's first one, whose numbers have no prefix.
        seller: as documents show it; None if not configured.
        tax_country: ISO 3166-1; None charges no tax.
    """

    code: str | None = None
    seller: Party | None = None
    tax_country: str | None = None


@dataclass(frozen=True, slots=True)
class LegalEntities:
    """All legal entities: the default one sells to organizations without an assigned one; the others are by code."""

    usual: LegalEntity = LegalEntity()
    others: Mapping[str, LegalEntity] = field(default_factory=dict)

    def of(self, code: str | None) -> LegalEntity:
        """Return an entity by its code; None is the usual one.

        Raises:
            UnknownEntity: the settings have none of that code.
        """
        return select_entity(code, (self.usual.code, self.usual), self.others)[1]

    def of_series(self, series: str) -> LegalEntity:
        """Return the entity that issued the documents of a series; a series without a code is the usual entity's."""
        return self.of(entity_of(series))

    def series(self, document: DocumentType) -> list[str]:
        """Return the series of a document of every entity."""
        return [series_of(document, code) for code in (self.usual.code, *self.others)]


def select_entity(code: str | None, usual: tuple[str | None, T], others: Mapping[str, T]) -> tuple[str | None, T]:
    """Return an entity's code and its party; None for the usual one.

    Raises:
        UnknownEntity: the settings have none of that code.
    """
    if code is None or code == usual[0]:
        return usual
    if code not in others:
        raise UnknownEntity(unknown_entity(code))
    return code, others[code]


def unknown_entity(code: str) -> str:
    """Return the message that the settings have no such entity."""
    return f"The settings have no legal entity {code}: add it to BURSAR_LEGAL_ENTITIES."


def entities_from(text: str) -> dict[str, LegalEntity]:
    """Read the other entities from JSON: a list of objects with a code and the party on documents.

    Raises:
        Invalid: the setting is not valid.
    """
    try:
        rows = json.loads(text)
    except ValueError as error:
        raise Invalid(f"must be JSON: {error}") from None
    if not isinstance(rows, list) or len(rows) > MAX_ENTITIES:
        raise Invalid(f"must be a list of at most {MAX_ENTITIES} legal entities")
    found: dict[str, LegalEntity] = {}
    for row in rows:
        entity = _entity(row)
        assert entity.code is not None
        if entity.code in found:
            raise Invalid(f"names {entity.code} twice")
        found[entity.code] = entity
    return found


def _entity(row: Any) -> LegalEntity:
    known = {each.name for each in fields(Party)}
    if not isinstance(row, dict) or not all(isinstance(value, str) and value for value in row.values()):
        raise Invalid("must be a list of objects whose members are texts")
    said = {name: value for name, value in row.items() if name not in {"code", "tax_country"}}
    wrong = sorted(set(said) - known)
    if wrong or not {"code", "name"} <= set(row):
        raise Invalid(f"has an entity with {wrong[0]}" if wrong else "has an entity without code or name")
    series_of(DocumentType.INVOICE, row["code"])
    tax_country = row.get("tax_country")
    for country in (tax_country, said.get("country")):
        check_place(country, None)
    seller = Party(**{"country": tax_country, **said})
    return LegalEntity(code=row["code"], seller=seller, tax_country=tax_country)
