"""The protocol of an outside tax service: it decides the tax of what is about to be invoiced or sold."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from domain.billing.tax.treatment import TaxParty, Treatment

#: Codes of errors: it does not answer now; it will not answer, or not in a way that can be used.
UNAVAILABLE, REFUSED = "tax.service_unavailable", "tax.service_refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxedLine:
    """A line before discounts on the whole invoice: its product code, and its amount in minor units."""

    product: str
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxQuestion:
    """What the tax of an invoice or of a sale of credits is asked for.

    Attributes:
        key: of the question; the same invoice asks with the same one.
        party: what is known of whom is billed; no name and no address.
        seller_country: where the seller is.
        currency: of the amounts.
        lines: in the order of the answer.
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
    """Decides taxes. It is asked with no transaction open, and may be asked again before the invoice is issued.

    Errors:
        ProviderUnavailable: it does not answer now.
        ProviderRefused: it will not answer this question.
    """

    async def treat(self, question: TaxQuestion) -> Treatment:
        """Return the tax of each line, in their order."""
