"""Registry of the typed search attributes by which operators filter runs in the Temporal UI.

They are stored in clear, also when payloads are encrypted, so they contain ids, states and amounts, and no personal
data. A namespace on a SQL store has room for ten keywords and three integers, so all workflows share them.
"""

from typing import Any

from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

from domain.escrow.state import EscrowStatus, Terms
from domain.payments.payment.state import PaymentStatus
from domain.payments.payment.terms import PaymentTerms

#: The run's organization: the payer of an escrow, the customer of an invoice.
ORG_ID: SearchAttributeKey[str] = SearchAttributeKey.for_keyword("OrgId")
#: The organization that an escrow pays.
PAYEE_ORG_ID: SearchAttributeKey[str] = SearchAttributeKey.for_keyword("PayeeOrgId")
#: The agent that is paid or rated.
AGENT_ID: SearchAttributeKey[str] = SearchAttributeKey.for_keyword("AgentId")
#: The entity's status, as in the API.
STATE: SearchAttributeKey[str] = SearchAttributeKey.for_keyword("State")
#: The amount in minor units of `CURRENCY`.
AMOUNT_MINOR: SearchAttributeKey[int] = SearchAttributeKey.for_int("AmountMinor")
#: The code of the asset, `CREDIT` or `USD`.
CURRENCY: SearchAttributeKey[str] = SearchAttributeKey.for_keyword("Currency")

#: Every attribute that a namespace must know before a worker starts.
ALL: tuple[SearchAttributeKey[Any], ...] = (ORG_ID, PAYEE_ORG_ID, AGENT_ID, STATE, AMOUNT_MINOR, CURRENCY)


def search_attributes(
    *,
    org_id: str | None = None,
    payee_org_id: str | None = None,
    agent_id: str | None = None,
    state: str | None = None,
    amount_minor: int | None = None,
    currency: str | None = None,
) -> TypedSearchAttributes:
    """Return the attributes that a run starts with, without those that are None."""
    pairs: list[SearchAttributePair[Any]] = []
    words: tuple[tuple[SearchAttributeKey[str], str | None], ...] = (
        (ORG_ID, org_id),
        (PAYEE_ORG_ID, payee_org_id),
        (AGENT_ID, agent_id),
        (STATE, state),
        (CURRENCY, currency),
    )
    pairs.extend(SearchAttributePair(key, value) for key, value in words if value is not None)
    if amount_minor is not None:
        pairs.append(SearchAttributePair(AMOUNT_MINOR, amount_minor))
    return TypedSearchAttributes(pairs)


def payment_attributes(terms: PaymentTerms, status: PaymentStatus | None) -> TypedSearchAttributes:
    """Return the attributes that a payment's run starts with; without a status if it is not known."""
    return search_attributes(
        org_id=terms.org_id, state=status, amount_minor=terms.amount_minor, currency=terms.currency
    )


def escrow_attributes(terms: Terms, status: EscrowStatus | None) -> TypedSearchAttributes:
    """Return the attributes that an escrow's run starts with; without a status if it is not known."""
    return search_attributes(
        org_id=terms.payer_org_id,
        payee_org_id=terms.payee_org_id,
        agent_id=terms.agent_id,
        state=status,
        amount_minor=terms.amount_minor,
        currency=terms.currency,
    )
