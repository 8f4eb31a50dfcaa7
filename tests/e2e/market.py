"""A market for the Python client, on the running stack and on the fake."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from bursar import AsyncBursar, models
from bursar.testing import FakeBursar


@dataclass
class Market:
    """An organization with 100 credits and an agent: keys of its owner and finance, and of the platform's people."""

    owner: AsyncBursar
    finance: AsyncBursar
    validator: AsyncBursar
    arbiter: AsyncBursar
    operator: AsyncBursar
    agent_id: str = ""
    fake: FakeBursar | None = None

    async def escrow(self, price: str = "20", *, status: str = "open", **terms: Any) -> models.EscrowView:
        """Return an escrow that was brought to a state: open, funded, delivered or disputed."""
        contract = await self.owner.contracts.create(agent_id=self.agent_id, title="Report", price=price, **terms)
        escrow = await self.owner.escrows.create(contract_id=contract.id)
        if status != "open":
            await self.owner.escrows.fund(escrow.id, source="credits")
        if status in {"delivered", "disputed"}:
            await self.owner.escrows.deliver(escrow.id, note="Done")
        if status == "disputed":
            await self.owner.escrows.open_dispute(escrow.id, reason="No")
        escrow = await self.owner.escrows.get(escrow.id)
        assert escrow.status == status
        return escrow

    async def assets(self, currency: str = "CREDIT") -> models.AssetSummaryView:
        """Return what the summary says of a currency, whose parts add up."""
        summary = await self.owner.billing.get_summary()
        [found] = [each for each in summary.assets if each.currency == currency]
        assert found.total == found.available + found.held + found.in_escrow + found.earnings.total
        assert sum(each.total for each in summary.earnings if each.currency == currency) == found.earnings.total
        assert sum(each.amount for each in summary.escrows if each.currency == currency) == found.in_escrow
        return found


def shares(escrow: models.EscrowView) -> tuple[Decimal, ...]:
    return escrow.funded_amount, escrow.released_amount, escrow.commission_amount, escrow.refunded_amount


def numbers(*texts: str) -> tuple[Decimal, ...]:
    return tuple(Decimal(text) for text in texts)
