"""An agent that charges for its work."""

from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any, ClassVar

from bursar import models
from bursar._async.client import AsyncBursar
from bursar._async.holds import AsyncHold
from bursar._context import context
from bursar._errors import ConfigurationError
from bursar._metering import EXPIRES_IN
from bursar._wallet import Wallet
from bursar._wire import OMITTED, AmountLike, Omitted


class AsyncAgent:
    """Base class of an agent that charges its organization; may be combined with a framework's classes.

    Set `bursar_client` and `bursar_agent_id` on the class or on the agent. It has no `__init__` and no fields, so it
    goes together with models of pydantic, which take both in the class alone, annotated as `ClassVar`.
    """

    bursar_client: ClassVar[AsyncBursar | None] = None
    bursar_agent_id: ClassVar[str | None] = None

    @property
    def _bursar(self) -> AsyncBursar:
        client = self.bursar_client
        if client is None:
            raise ConfigurationError(f"Set bursar_client on {type(self).__name__}.")
        return client

    def _attributed(self, **given: Any) -> AbstractContextManager[None]:
        named = {name: value for name, value in given.items() if value is not None}
        if self.bursar_agent_id is not None:
            named.setdefault("agent_id", self.bursar_agent_id)
        return context(**named)

    async def charge(
        self,
        action: str | None = None,
        *,
        quantity: int = 1,
        amount: AmountLike | None = None,
        department_id: str | None = None,
        project_id: str | None = None,
        metadata: dict[str, str | int | bool] | None = None,
        idempotency_key: str | None = None,
    ) -> models.UseView:
        """Charge for an action at its cost, or an amount."""
        with self._attributed(department_id=department_id, project_id=project_id):
            return await self._bursar.credits.use(
                action=_given(action),
                quantity=quantity,
                amount=_given(amount),
                metadata=_given(metadata),
                idempotency_key=idempotency_key,
            )

    def hold(
        self,
        amount: AmountLike | Omitted = OMITTED,
        *,
        action: str | Omitted = OMITTED,
        quantity: int | Omitted = OMITTED,
        expires_in: timedelta = EXPIRES_IN,
        report_every: AmountLike | None = None,
        idempotency_key: str | None = None,
    ) -> AsyncHold:
        """Set credits aside for as long as a block runs; see `hold` of the client."""
        with self._attributed():
            return self._bursar.hold(
                amount,
                action=action,
                quantity=quantity,
                expires_in=expires_in,
                report_every=report_every,
                idempotency_key=idempotency_key,
            )

    async def wallet(self) -> Wallet:
        """Return what the agent's organization has in credits, and what is left of the agent's own budget."""
        balance = await self._bursar.billing.get_balance()
        budget = None
        if self.bursar_agent_id is not None:
            shown = await self._bursar.agents.get_prompt(self.bursar_agent_id, format_="json")
            budget = shown.budget
        return Wallet(**balance.model_dump(), budget=budget)

    async def prompt(self) -> str:
        """Return the lines that the agent reads of its budget, for its prompt."""
        return await self._bursar.prompt(self.bursar_agent_id)

    async def earnings(self) -> models.EarningsView | None:
        """Return what the agent has earned and was not converted or paid out; None where it is not in the list."""
        async for each in self._bursar.earnings.list():
            if each.agent_id == self.bursar_agent_id:
                return each
        return None

    async def consume_credits_for_action(
        self,
        action: str,
        quantity: int = 1,
        *,
        agent_id: str | None = None,
        department_id: str | None = None,
        project_id: str | None = None,
        metadata: dict[str, str | int | bool] | None = None,
        idempotency_key: str | None = None,
    ) -> models.UseView:
        """Charge for an action, by the name and keywords that agents of older platforms use."""
        with self._attributed(agent_id=agent_id, department_id=department_id, project_id=project_id):
            return await self._bursar.credits.use(
                action=action, quantity=quantity, metadata=_given(metadata), idempotency_key=idempotency_key
            )


def _given(value: Any) -> Any:
    return OMITTED if value is None else value
