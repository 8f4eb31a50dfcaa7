"""Credits that are held while work goes on, and captured by what it used."""

import contextlib
import logging
import threading
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from types import TracebackType
from typing import Any, Self

import httpx2

from bursar._async._base import AsyncCaller, read_model
from bursar._asyncio import Keeper
from bursar._context import attributed
from bursar._errors import BursarError, HoldEnded, HoldExceeded, HoldTaken, IdempotencyConflict
from bursar._keys import derived, fresh, key_for, refuse_in_workflow, unpassed_guard
from bursar._metering import EXPIRES_IN
from bursar._wire import Amount, AmountLike, Model, ResponseInfo, amount

log = logging.getLogger("bursar")

#: The smallest part of a credit.
_SMALLEST = Decimal("0.000001")
#: How often a key may stand for a hold that ended without a charge before somebody has to look.
_GENERATIONS = 50
#: How often a capture may find that another one was first.
_COLLISIONS = 10


class _Reserved(Model):
    id: str
    amount: Amount


class _Reservation(Model):
    id: str
    status: str
    captured: Amount
    expires_at: datetime | None = None
    expired: bool = False

    @property
    def is_settled(self) -> bool:
        """Whether the hold was captured in full; an expired hold may have been captured in part."""
        return self.status in {"captured", "refunded"} and not self.expired


class AsyncHold:
    """Credits that are set aside for as long as the block runs.

    It extends itself. When the block is left, also by an exception or a cancellation, what was noted is captured and
    the rest is released. When the process dies, what was reported is captured and the rest is released at the expiry.

    Attributes:
        id: of the reservation.
        amount: how much is held.
        paid_before: what holds of the same key captured before they expired; so much is not charged again.
        settled_before: whether an earlier run of the same code captured this hold to its end; nothing is charged here.
    """

    id: str
    amount: Decimal
    paid_before: Decimal
    settled_before: bool

    def __init__(
        self,
        caller: AsyncCaller,
        body: dict[str, Any],
        *,
        expires_in: timedelta = EXPIRES_IN,
        report_every: AmountLike | None = None,
        key: str | None = None,
        exclusive: bool = False,
    ) -> None:
        """Say what is held; see `hold` of the client.

        With `exclusive`, a hold that another run of the same code has, or captured, is refused with `HoldTaken`.
        """
        if expires_in < timedelta(seconds=2):
            raise ValueError("A hold must last at least two seconds.")
        self._caller = caller
        self._body = attributed({**body, "expires_in": expires_in})
        self._expires_in = expires_in
        self._given_key = key
        self._exclusive = exclusive
        self._step = None if report_every is None else amount(report_every, "report_every")
        self._used = Decimal(0)
        self._captured = Decimal(0)
        self._ended = False
        self._lock = threading.Lock()
        self._keeper: Keeper | None = None
        self._place = contextlib.ExitStack()
        self.paid_before = Decimal(0)
        self.settled_before = False

    @property
    def key(self) -> str:
        """The key of the work that the hold is for, the same for each run of it; other keys are derived from it."""
        return self._key

    @property
    def used(self) -> Decimal:
        """Amount noted so far."""
        return self._used

    @property
    def left(self) -> Decimal:
        """Amount that can still be noted."""
        return self.paid_before + self.amount - self._used

    def use(self, used: AmountLike) -> None:
        """Note a used amount. It is reported in the background; nothing is sent here.

        Raises:
            HoldExceeded: it is more than what is left. What is left was noted.
            TypeError: it is a float.
        """
        noted = amount(used, "used")
        if noted <= 0:
            raise ValueError("What was used must be more than 0.")
        with self._lock:
            excess = Decimal(0) if self.settled_before else noted - self.left
            self._used += noted if excess <= 0 else self.left
            due = self._step is not None and self._used - self.paid_before - self._captured >= self._step
        if due and self._keeper is not None:
            self._keeper.wake()
        if excess > 0:
            raise HoldExceeded(excess)

    async def __aenter__(self) -> Self:
        refuse_in_workflow()
        guard = unpassed_guard() if self._given_key is None else None
        self._exclusive = self._exclusive or guard is not None
        self._key = self._place.enter_context(key_for("hold", self._given_key))
        try:
            await self._reserve()
        except BaseException:
            self._place.close()
            raise
        if guard is not None:
            guard.is_passed = True
        if not self.settled_before:
            self._keeper = Keeper(self._keep, self._expires_in.total_seconds() / 2)
            self._keeper.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._place:
            if self._keeper is not None:
                await self._keeper.stop()
            if self.settled_before:
                return
            try:
                await self._finish()
            except BursarError as failure:
                if error is None:
                    raise
                error.add_note(f"Bursar could not settle hold {self.id}: {failure}")
                log.exception("A hold could not be settled after an exception", extra={"hold_id": self.id})

    async def _reserve(self) -> None:
        """Reserve, or find what an earlier run of the same code reserved and go on from there."""
        for generation in range(_GENERATIONS):
            self._hold_key = self._key if generation == 0 else derived(self._key, "again", str(generation))
            response, info = await self._post("reserve", "/credits/reserve", self._hold_key, self._body)
            reserved = read_model(_Reserved, response, info)
            self.id, self.amount = reserved.id, reserved.amount
            if not info.replayed:
                return
            found = await self._read()
            if self._exclusive and (found.status == "reserved" or found.is_settled):
                raise HoldTaken("reserved" if found.status == "reserved" else "captured", found.expires_at)
            if found.status == "reserved" and await self._still_stands():
                return
            if found.is_settled:
                self.settled_before = True
                return
            # It ended without us: released, or expired, when only what had been reported was captured.
            self.paid_before += self._captured
            self._captured, self._ended = Decimal(0), False
        raise BursarError(f"The key of this hold stands for {_GENERATIONS} holds that ended before: choose another.")

    async def _still_stands(self) -> bool:
        """Extend a hold of an earlier run, and say whether that could be done: it may have expired a moment ago."""
        try:
            await self._extend()
        except HoldEnded:
            return False
        return True

    async def _extend(self) -> None:
        path = f"/credits/reservations/{self.id}/extend"
        await self._post("extend", path, fresh(), {"expires_in": self._expires_in})

    async def _read(self) -> _Reservation:
        endpoint = f"GET /credits/reservations/{self.id}"
        found = await self._caller.ask(_Reservation, "credits.get_reservation", endpoint)
        self._captured = found.captured
        self._ended = found.status != "reserved"
        return found

    async def _keep(self) -> float:
        """Report what was noted, and extend; return the seconds until the next time."""
        seconds = self._expires_in.total_seconds() / 2
        try:
            if self._step is not None:
                await self._capture(final=False)
            if not self._ended:
                await self._extend()
        except BursarError as failure:
            log.warning("A hold could not be extended: %s", failure, extra={"hold_id": self.id})
            return seconds / 4
        return seconds

    async def _finish(self) -> None:
        await self._capture(final=True)
        if not self._ended:
            body = {"reservation_id": self.id}
            await self._post("release", "/credits/release", derived(self._hold_key, "release"), body)
            self._ended = True

    async def _capture(self, *, final: bool) -> None:
        """Capture what was noted and not captured yet."""
        for _ in range(_COLLISIONS):
            with self._lock:
                target = (self._used - self.paid_before).quantize(_SMALLEST, ROUND_CEILING)
                due = target - self._captured
                last = final or target >= self.amount
            if due <= 0 or self._ended:
                return
            # The key says from where: of two runs of the same code only one captures from there, and when the outcome
            # of one capture was unknown, a later one that asks for more is refused if the first took effect.
            key = derived(self._hold_key, "capture", f"{self._captured.normalize():f}")
            body = {"amount": due, "final_capture": last}
            try:
                await self._post("capture", f"/credits/reservations/{self.id}/capture", key, body)
            except (IdempotencyConflict, HoldEnded) as refusal:
                found = await self._read()
                if (self._ended or isinstance(refusal, HoldEnded)) and not found.is_settled:
                    raise
                continue
            self._captured, self._ended = target, last
            return
        raise BursarError(f"What was used of hold {self.id} could not be captured: others capture of it all the time.")

    async def _post(self, operation: str, path: str, key: str, body: Any) -> tuple[httpx2.Response, ResponseInfo]:
        return await self._caller.send(f"credits.{operation}", f"POST {path}", body=body, key=key)
