"""Purchases outside, which an agent asks for before it pays."""

import contextlib
import logging
from types import TracebackType
from typing import Any, Self

from bursar import models
from bursar._async._base import AsyncCaller, read_model
from bursar._context import attributed
from bursar._errors import BursarError, PurchaseNotApproved
from bursar._keys import derived, key_for, refuse_in_workflow
from bursar._wire import AmountLike

log = logging.getLogger("bursar")

#: What an attempt can still become.
_OPEN = {"begun", "unknown"}
#: What became of an order that an earlier run gave up, so that this one proposes anew.
_GIVEN_UP = {"abandoned", "expired"}
#: How often a key may stand for orders that were given up.
_GENERATIONS = 50
#: Why a method that the organization has declared is not paid with here: whoever has it pays, and reports it.
_REPORTED = "not_connected"


class AsyncPurchase:
    """A purchase that was approved, for as long as the block runs; see `purchase_order` of the client.

    When the block is left without a purchase, also by an exception or a cancellation, the order is abandoned, so that
    nothing stays held. An attempt without a result may have paid: it is reported as unknown, and the order stays.

    Attributes:
        view: the order as the API answered last.
    """

    view: models.PurchaseOrderView

    def __init__(self, caller: AsyncCaller, body: dict[str, Any], *, key: str | None = None) -> None:
        """Say what is bought; see `purchase_order` of the client."""
        named = attributed({})
        self._caller = caller
        around = {name: named[name] for name in ("agent_id", "project_id") if name in named}
        self._body: dict[str, Any] = around | body
        self._given_key = key
        self._place = contextlib.ExitStack()
        self._alternative: dict[str, Any] = {}

    @property
    def is_purchased(self) -> bool:
        """Whether the order is paid, also by an earlier run of the same code."""
        return self.view.status == "purchased"

    async def attempt(self, method: str | None = None) -> str:
        """Note that it is paid now, before it is, and return the method.

        Args:
            method: its name; the first one that the policy allows when left out.

        Raises:
            ValueError: the order has no such method, and none is named.
            Conflict: `purchase_order.attempt_open`, the result of an earlier attempt is not known.
        """
        allowed = (each.method for each in self.view.methods if each.why_not == _REPORTED)
        chosen = method or next(allowed, None)
        if chosen is None:
            raise ValueError("The order has no method that can be paid with. Name the method.")
        number = str(len(self.view.attempts) + 1)
        await self._post("attempt", "attempts", {"method": chosen}, "attempt", number)
        return chosen

    async def succeeded(
        self,
        amount: AmountLike | None = None,
        *,
        fee: AmountLike | None = None,
        reference: str | None = None,
        receipt_url: str | None = None,
    ) -> None:
        """Report that the attempt paid.

        Args:
            amount: all that was charged; the order's amount when left out.
            fee: the part of it that is a fee.
            reference: of the payment, where it was made.
            receipt_url: of its receipt.
        """
        more = {"amount": amount, "fee": fee, "reference": reference, "receipt_url": receipt_url}
        await self._report("succeeded", more)

    async def declined(self, *, reference: str | None = None) -> None:
        """Report that the attempt was declined; another one may follow."""
        await self._report("declined", {"reference": reference})

    async def unknown(self, *, reference: str | None = None) -> None:
        """Report that nobody knows yet whether the attempt paid. The amount stays held until somebody does."""
        await self._report("unknown", {"reference": reference})

    def instead(self, alternative_action: str, *, saved: AmountLike | None = None) -> None:
        """Say what is done instead, for the log; the order is abandoned with it when the block is left."""
        self._alternative = {"alternative_action": alternative_action, "saved": saved}

    async def __aenter__(self) -> Self:
        refuse_in_workflow()
        self._key = self._place.enter_context(key_for("purchase_order", self._given_key))
        try:
            await self._propose()
            if self.view.status not in {"approved", "purchased"}:
                decision = self.view.decision
                raise PurchaseNotApproved(
                    self.view.id,
                    self.view.status,
                    decision.sentence,
                    remaining=decision.remaining,
                    currency=decision.currency,
                    resets_at=decision.resets_at,
                )
        except BaseException:
            self._place.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._place:
            try:
                await self._finish()
            except BursarError as failure:
                if error is None:
                    raise
                error.add_note(f"Bursar could not end purchase order {self.view.id}: {failure}")
                log.exception("A purchase order could not be ended", extra={"purchase_order_id": self.view.id})

    async def _propose(self) -> None:
        """Propose, or find what an earlier run of the same code proposed, and go on from there."""
        key = self._key
        for generation in range(_GENERATIONS):
            self._key = key if generation == 0 else derived(key, "again", str(generation))
            response, info = await self._caller.send(
                "purchase_orders.create", "POST /purchase-orders", body=self._body, key=self._key
            )
            self.view = read_model(models.PurchaseOrderView, response, info)
            if not info.replayed:
                return
            await self._read()
            if self.view.status not in _GIVEN_UP:
                return
        raise BursarError(f"The key of this purchase stands for {_GENERATIONS} orders that ended: choose another.")

    async def _finish(self) -> None:
        if self.view.attempts and self.view.attempts[-1].status in _OPEN:
            if self.view.attempts[-1].status == "begun":
                await self.unknown()
        elif self.view.status == "approved":
            given = {name: value for name, value in self._alternative.items() if value is not None}
            await self._post("abandon", "abandon", given, "abandon")

    async def _report(self, result: str, more: dict[str, Any]) -> None:
        if not self.view.attempts:
            raise ValueError("Nothing was attempted. Call attempt() before it is paid.")
        number = str(self.view.attempts[-1].number)
        body = {"result": result, **{name: value for name, value in more.items() if value is not None}}
        await self._post("report", f"attempts/{number}/result", body, "result", number, result)

    async def _post(self, operation: str, path: str, body: dict[str, Any], *key: str) -> None:
        response, info = await self._caller.send(
            f"purchase_orders.{operation}",
            f"POST /purchase-orders/{self.view.id}/{path}",
            body=body,
            key=derived(self._key, *key),
        )
        self.view = read_model(models.PurchaseOrderView, response, info)

    async def _read(self) -> None:
        endpoint = f"GET /purchase-orders/{self.view.id}"
        self.view = await self._caller.ask(models.PurchaseOrderView, "purchase_orders.get", endpoint)
