"""The protocol of an outside tax service, which decides the tax of invoices and sales."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from domain.billing.tax.treatment import TaxParty, Treatment

#: Codes of errors: it is unavailable; it refuses, or its response cannot be used.
UNAVAILABLE, REFUSED = "tax.service_unavailable", "tax.service_refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxedLine:
    """A line before discounts on the whole invoice: its product code, and its amount in minor units."""

    product: str
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxQuestion:
    """Question about the tax of an invoice or of a sale of credits.

    Attributes:
        key: of the question; the same for the same invoice.
        party: the facts about the buyer, without name and address.
        seller_country: the country of the seller.
        currency: of the amounts.
        lines: in the order of the response.
        at: when the tax becomes due.
        includes_tax: whether the amounts include their tax.
    """

    key: str
    org_id: str
    party: TaxParty
    seller_country: str | None
    currency: str
    lines: Sequence[TaxedLine]
    at: datetime
    includes_tax: bool = False


class TaxService(Protocol):
    """Decides taxes, outside of any transaction; the same question may be repeated before the invoice is issued.

    Errors:
        ProviderUnavailable: it is unavailable.
        ProviderRefused: it refuses this question.
    """

    async def treat(self, question: TaxQuestion) -> Treatment:
        """Return the tax of each line, in their order."""
