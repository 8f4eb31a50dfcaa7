"""Compares the clearing accounts of providers with the movements booked on them. Needs a platform session."""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from ledger.invariants import Invariant


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearingBalance:
    """A clearing account's balance and movements. Minor units of `currency`; positive is money at the provider.

    Attributes:
        held_minor: the balance of the account with its sign reversed: what the provider has according to the books.
        booked_minor: the sum of all booked movements, and `kinds` the same by kind.
    """

    currency: str
    held_minor: int
    booked_minor: int
    kinds: dict[str, int]

    @property
    def unexplained_minor(self) -> int:
        """The balance that the movements do not explain; zero in sound books."""
        return self.held_minor - self.booked_minor


# One statement, so that the account and its movements are read from one snapshot. A payment with credits moves from one
# of our accounts to the clearing account before its movement is booked, so the books have both sides.
_CLEARING = text(
    """
    SELECT currency, coalesce(h.held, 0)::bigint AS held, coalesce(b.booked, 0)::bigint AS booked,
        coalesce(b.kinds, '{}') AS kinds
    FROM (
        SELECT a.asset AS currency, -sum(s.posted) + coalesce((
            SELECT sum(e.amount) FROM ledger.entries e JOIN ledger.transfers t ON t.id = e.transfer_id
            WHERE CAST(:provider AS text) = 'credits' AND e.account_id = ANY(array_agg(a.id))
              AND t.kind IN ('credit_payment', 'credit_payment_refund')
        ), 0) AS held
        FROM ledger.accounts a JOIN ledger.balances s ON s.account_id = a.id
        WHERE a.path = 'provider/' || CAST(:provider AS text) || '/clearing' GROUP BY a.asset
    ) h
    FULL JOIN (
        SELECT currency, sum(net) AS booked, jsonb_object_agg(kind, net) AS kinds
        FROM (
            SELECT currency, kind, sum(amount_minor - coalesce(fee_minor, 0)) AS net
            FROM payment_movements WHERE provider = CAST(:provider AS text) GROUP BY currency, kind
        ) k GROUP BY currency
    ) b USING (currency)
    ORDER BY currency
    """
)


async def clearing(session: AsyncSession, provider: str) -> list[ClearingBalance]:
    """Return the balances and movements of a provider's clearing accounts, one for each currency."""
    rows = await session.execute(_CLEARING, {"provider": provider})
    return [
        ClearingBalance(currency=row.currency, held_minor=row.held, booked_minor=row.booked, kinds=dict(row.kinds))
        for row in rows
    ]


#: What `verify` proves about these rows and the books.
INVARIANTS = (
    # Payments with credits pass through a clearing account between two of our accounts.
    Invariant(
        name="each provider's clearing balance equals the sum of its booked movements",
        table="public.payment_movements",
        unit="movements",
        violations="""
        SELECT provider || ' ' || currency || ': holds ' || coalesce(held, 0) || ', movements ' || coalesce(stated, 0)
        FROM (
            SELECT split_part(a.path, '/', 2) AS provider, a.asset AS currency, -sum(b.posted) AS held
            FROM ledger.accounts a JOIN ledger.balances b ON b.account_id = a.id
            WHERE a.path LIKE 'provider/%/clearing' GROUP BY a.path, a.asset
        ) h
        FULL JOIN (
            SELECT provider, currency, sum(amount_minor - coalesce(fee_minor, 0)) AS stated
            FROM public.payment_movements GROUP BY provider, currency
        ) m USING (provider, currency)
        WHERE coalesce(held, 0) <> coalesce(stated, 0) AND provider <> 'credits'
        UNION ALL
        SELECT 'movement ' || m.key || ' of ' || m.provider || ': no transfer ' || m.transfer_id
        FROM public.payment_movements m
        WHERE NOT EXISTS (SELECT FROM ledger.transfers t WHERE t.id = m.transfer_id)
        """,
    ),
)
