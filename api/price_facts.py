"""What a price is made from, and by which rules.

Prices that are asked for together share a statement; rules are compiled once for each version.
"""

from collections.abc import Callable, Sequence
from functools import partial

from api.gathering import BatchedReads
from api.pool import StatementPool
from domain.common.errors import PricingNoPrice, Unavailable
from domain.common.ids import is_id
from domain.marketplace.pricing.book import RuleBook
from domain.marketplace.pricing.facts import PricingFacts, RankedScore
from domain.reputation.levels import Ladder, Rank
from domain.reputation.policy import EvidencePolicy
from repositories.marketplace import pricing
from repositories.marketplace.pricing import PriceFactsRow, PriceQuestion
from services.marketplace.pricing import COMPILE, PriceRequest

#: How often the rules may change between two statements before a request is given up.
TRIES = 5


class PriceFacts:
    """Keeps the rules of one process. Each statement that reads the facts says whether they are the current ones."""

    def __init__(self, pool: StatementPool, policy: EvidencePolicy | None = None) -> None:
        """Take the pool of the platform's role, because the demand is work of others, and what counts as evidence."""
        self._pool = pool
        self._policy = policy or EvidencePolicy()
        self._book, self._ladder = RuleBook((), version=-1), Ladder()
        self._gathering = BatchedReads(self._read)
        self._gathering_all = BatchedReads(partial(self._read, everything=True))

    async def ask(
        self,
        agent_id: str,
        *,
        org_id: str | None,
        quantity: int,
        base: tuple[int, str] | None,
        visible: Callable[[str, str], bool],
        buyer_id: str | None = None,
        everything: bool = False,
    ) -> PriceRequest | None:
        """Return what a price is made from; None when there is no such agent, or it is not to be seen.

        Args:
            agent_id: whose price.
            org_id: the client.
            quantity: how many.
            base: what one costs, in minor units, and the currency, in place of the listing's.
            visible: tells by the agent's organization and visibility whether the caller may see it.
            buyer_id: the client's agent that asks, when it is one.
            everything: whether what no rule of now asks for is read too: for what explains a price, and for quotes, on
                which rules are tried later.
        """
        if not is_id(agent_id, "agt"):
            return None
        question = PriceQuestion(agent_id, org_id, None if base is None else base[1], buyer_id)
        for _ in range(TRIES):
            found = await (self._gathering_all if everything else self._gathering).ask(question)
            if found is None:
                return None
            row, book, ladder = found
            if not visible(row.payee_org_id, row.visibility):
                return None
            if row.version == book.version:
                rank = Rank(share_e6=row.seasoned_e6 or 0, evidence_count=row.seasoned_events or 0)
                return PriceRequest(
                    _facts(row, agent_id, org_id, quantity, base),
                    book,
                    row.payee_org_id,
                    row.bears_discounts,
                    ladder.version,
                    ladder.level_of(rank),
                )
            version, rules, levels = await self._pool.read(lambda pool: pricing.read_rules(pool, COMPILE))
            if version != self._book.version:
                self._book, self._ladder = RuleBook(rules, version), levels
        raise Unavailable("The pricing rules are being changed. Repeat the request.")

    async def _read(
        self, questions: Sequence[PriceQuestion], *, everything: bool = False
    ) -> dict[PriceQuestion, tuple[PriceFactsRow, RuleBook, Ladder]]:
        book, ladder = self._book, self._ladder
        found = await self._pool.read(
            lambda pool: pricing.read_facts(
                pool,
                questions,
                demand=everything or book.asks_demand,
                volume=everything or book.asks_volume,
                client=everything or book.asks_client,
                exempt=self._policy.registrars,
                levels=bool(ladder.levels),
                chargeback_days=self._policy.chargeback_days,
            )
        )
        return {question: (row, book, ladder) for question, row in found.items()}


def _facts(
    row: PriceFactsRow, agent_id: str, org_id: str | None, quantity: int, base: tuple[int, str] | None
) -> PricingFacts:
    if base is None:
        if row.price_minor is None or row.price_currency is None or row.price_minor == 0:
            raise PricingNoPrice(
                "The agent's listing has no price. Agree on one in the contract.", extra={"field": "agent_id"}
            )
        base = row.price_minor, row.price_currency
    return PricingFacts(
        agent_id=agent_id,
        org_id=org_id,
        at=row.at,
        unit_minor=base[0],
        currency=base[1],
        quantity=quantity,
        tier=row.tier,
        volume_minor=row.volume_minor,
        open_jobs=row.open_jobs,
        capacity=row.capacity,
        calls=row.calls,
        calls_per_day=row.calls_per_day,
        client=_standing(row.client_e6, row.client_units),
        buyer=_standing(row.buyer_e6, row.buyer_events),
        seller=_standing(row.seller_e6, row.seller_events),
        is_related=row.is_related,
    )


def _standing(share_e6: int | None, count: int | None) -> RankedScore | None:
    """Return a share in millionths as 0 to 10 in ten-thousandths."""
    return None if share_e6 is None or count is None else RankedScore(share_e6 // 10, count)
