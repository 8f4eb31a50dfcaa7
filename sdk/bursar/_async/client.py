"""The client: the API's resources, holds, and metered functions."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Literal, TypeVar

from bursar import params
from bursar._async.budgeted import within_budget
from bursar._async.holds import AsyncHold
from bursar._async.metered import metered
from bursar._async.purchases import AsyncPurchase
from bursar._async.resources import AsyncResources
from bursar._context import attributed
from bursar._errors import ConfigurationError
from bursar._metering import EXPIRES_IN, Metering
from bursar._wire import OMITTED, AmountLike, Omitted

F = TypeVar("F", bound=Callable[..., Any])


class AsyncBursar(AsyncResources):
    """A client of the API, for one key. Safe to share between tasks; `async with` closes its connections."""

    def hold(
        self,
        amount: AmountLike | Omitted = OMITTED,
        *,
        action: str | Omitted = OMITTED,
        quantity: int | Omitted = OMITTED,
        agent_id: str | Omitted = OMITTED,
        department_id: str | Omitted = OMITTED,
        project_id: str | Omitted = OMITTED,
        run_id: str | Omitted = OMITTED,
        metadata: dict[str, str | int | bool] | Omitted = OMITTED,
        expires_in: timedelta = EXPIRES_IN,
        report_every: AmountLike | None = None,
        idempotency_key: str | None = None,
    ) -> AsyncHold:
        """Set credits aside for as long as a block runs: `async with client.hold("50") as hold: hold.use("12.40")`.

        The hold extends itself. When the block is left, also by an exception or a cancellation, what was noted with
        `use` is captured, and the rest is released. When the process dies, the rest is released at the expiry.

        Args:
            amount: credits; the cost of the action when left out.
            action: what it is for.
            quantity: units of the action.
            agent_id: which agent it is attributed to; by `bursar.context` when left out, as with the next three.
            department_id: which department.
            project_id: which project.
            run_id: which run.
            metadata: kept with it.
            expires_in: how long it lasts when the process dies.
            report_every: once so much was noted since the last time, it is captured while the work goes on, so that
                it is
                charged even when the process dies.
            idempotency_key: by where the call stands when left out.
        """
        body = {
            "amount": amount,
            "action": action,
            "quantity": quantity,
            "agent_id": agent_id,
            "department_id": department_id,
            "project_id": project_id,
            "run_id": run_id,
            "metadata": metadata,
        }
        given = {name: value for name, value in body.items() if value is not OMITTED}
        return AsyncHold(self, given, expires_in=expires_in, report_every=report_every, key=idempotency_key)

    def purchase_order(
        self,
        item: str,
        *,
        vendor: str,
        category: str,
        amount: AmountLike,
        currency: str,
        why: str,
        agent_id: str | Omitted = OMITTED,
        project_id: str | Omitted = OMITTED,
        term: Literal["month", "quarter", "year"] | Omitted = OMITTED,
        alternatives: Sequence[params.PurchaseAlternativeSet] | Omitted = OMITTED,
        pool: Literal["operating", "reserve", "emergency"] | Omitted = OMITTED,
        on_limit: Literal["refuse", "ask", "reserve"] | Omitted = OMITTED,
        external_id: str | Omitted = OMITTED,
        metadata: dict[str, str] | Omitted = OMITTED,
        idempotency_key: str | None = None,
    ) -> AsyncPurchase:
        """Ask whether an agent may buy something outside, and pay it in a block.

        `async with client.purchase_order("Editor", …) as order: await order.attempt(); …; await order.succeeded()`

        Entering the block asks, and raises where the purchase is not approved. When the block is left without a
        purchase, also by an exception, the order is abandoned. The same key enters the same order again, so after a
        person has approved it the block runs.

        Args:
            item: what is bought.
            vendor: from whom.
            category: such as `coding`; policies and free options are by category.
            amount: its price.
            currency: of the price.
            why: what it is for.
            agent_id: who buys; by `bursar.context` when left out, as with the next one.
            project_id: for which project.
            term: how often it renews; once when left out.
            alternatives: what else was looked at.
            pool: of the budget; `operating` when left out.
            on_limit: what happens if it does not fit: `refuse` when left out.
            external_id: your own id of the order.
            metadata: kept with it.
            idempotency_key: by where the call stands when left out.

        Raises:
            PurchaseNotApproved: on entering the block.
        """
        body = {
            "item": item,
            "vendor": vendor,
            "category": category,
            "amount": amount,
            "currency": currency,
            "why": why,
            "agent_id": agent_id,
            "project_id": project_id,
            "term": term,
            "alternatives": alternatives,
            "pool": pool,
            "on_limit": on_limit,
            "external_id": external_id,
            "metadata": metadata,
        }
        given = {name: value for name, value in body.items() if value is not OMITTED}
        return AsyncPurchase(self, given, key=idempotency_key)

    def metered(
        self,
        action: str,
        *,
        quantity: int | Callable[[Any], int | None] | None = None,
        estimate: int | Callable[..., int] = 1,
        charged_errors: tuple[type[BaseException], ...] = (),
        expires_in: timedelta = EXPIRES_IN,
    ) -> Callable[[F], F]:
        """Charge a function by its result: hold the estimate, run, capture by the result.

        What raises is not charged, unless it is one of `charged_errors`. A stream is charged for the items that came,
        also when it is closed early. Units beyond the estimate are charged when they come.

        Args:
            action: what is charged, at its cost for each unit.
            quantity: units, or what tells them from the result, or from each item of a stream; the estimate when left
                out or told as None, and 1 for an item.
            estimate: units to hold, or what tells them from the arguments.
            charged_errors: exceptions after which the estimate is charged, or the items that came before.
            expires_in: how long the hold lasts when the process dies.

        Raises:
            TypeError: the function is of the other client's kind.
        """
        return metered(self, Metering(action, quantity, estimate, charged_errors, expires_in))

    def within_budget(
        self,
        amount: AmountLike,
        *,
        pool: str | Omitted = OMITTED,
        on_limit: str | Omitted = OMITTED,
        agent_id: str | Omitted = OMITTED,
        expires_in: timedelta = EXPIRES_IN,
    ) -> Callable[[F], F]:
        """Run a function only while its amount fits into the budgets above it: holds it, runs, charges all of it.

        A call that does not fit raises `SpendLimitExceeded`, and the function does not run. What raises is not charged.

        Args:
            amount: credits that one call costs.
            agent_id: which agent it is attributed to; by `bursar.context` when left out.
            pool: `reserve` or `emergency`, to draw that pool.
            on_limit: `reserve` to draw the reserve where the operating pool does not suffice.
            expires_in: how long the hold lasts when the process dies.

        Raises:
            TypeError: the function is of the other client's kind, or a stream.
        """
        body = {"amount": amount, "pool": pool, "on_limit": on_limit, "agent_id": agent_id}
        given = {name: value for name, value in body.items() if value is not OMITTED}
        return within_budget(self, given, expires_in)

    async def prompt(self, agent_id: str | None = None) -> str:
        """Return the lines that an agent reads of its budget, for its prompt.

        Args:
            agent_id: which agent; by `bursar.context` when left out.
        """
        wanted = agent_id or attributed({}).get("agent_id")
        if wanted is None:
            raise ConfigurationError("Name the agent: pass agent_id, or call inside of bursar.context(agent_id=…).")
        return (await self.agents.get_prompt(wanted, format_="json")).text
