"""The settings of invoices: the seller's country and entity, and which of them credits pay."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from domain.billing.legal_entity import select_entity
from domain.common.credits import CreditPrice


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceRules:
    """The settings of invoices.

    Attributes:
        seller_country: ISO 3166-1; None charges no tax.
        entity: the code of the legal entity that invoices; None for the deployment's first one.
        others: the tax countries of the other legal entities, by code; None charges no tax.
        granted: what a granted credit is worth; invoices in that currency are paid by credits, None if none are.
        cost_markup_e6: what a line of cost charges beyond the cost, in 10^-6 of it.
        needs_answer: whether an outside tax service decides, so no invoice is finalised without its answer.
    """

    seller_country: str | None = None
    entity: str | None = None
    others: Mapping[str, str | None] = field(default_factory=dict)
    granted: CreditPrice | None = None
    cost_markup_e6: int = 0
    needs_answer: bool = False

    def of(self, code: str | None) -> Self:
        """Return the settings of a legal entity; None for these.

        Raises:
            UnknownEntity: the settings have none of that code.
        """
        entity, country = select_entity(code, (self.entity, self.seller_country), self.others)
        return replace(self, entity=entity, seller_country=country)


UNTAXED = InvoiceRules()
