"""Charges for calls of models that go through LiteLLM, in its proxy or in code. Needs the extra `litellm`.

```
litellm.callbacks = [BursarLogger(client)]
await litellm.acompletion("gpt-5-mini", messages)
```

Credits are held before a call, captured before its answer is returned, and released when it fails or a cache answers.
Where there are not enough, the call is refused with `InsufficientFunds`, in the proxy with 402. A stream is charged at
its end. A call whose end LiteLLM does not report, such as a stream that is closed early, is charged as estimated before
the hold expires.

The call's row in the proxy's spend log names the spend, with a secret whose hash the spend has in its metadata. So a
sync of the log finds what was paid for the call, and charges at most what is missing: from what is held, where the hold
is still open an hour later. What a caller of the proxy says itself of its spend and its organization is overwritten.

LiteLLM reports no second attempt of its own (`num_retries`), so a call that asks for one is refused; the router reports
all. It has no hook before a call of `completion` in a thread: that is not charged, and an error is logged.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from secrets import token_hex
from typing import Any
from weakref import WeakKeyDictionary

import litellm
from litellm.integrations.custom_logger import CustomLogger

from bursar._async.client import AsyncBursar
from bursar._context import attributed
from bursar._errors import BursarError, ConfigurationError, HoldEnded
from bursar._keys import derived, fresh
from bursar._metering import Metering, price_of

log = logging.getLogger("bursar")

#: What has LiteLLM make a call again outside of its router.
_UNREPORTED = ("num_retries", "retry_policy", "context_window_fallback_dict")
#: Returns the client that pays for a call, from LiteLLM's arguments of the call; None if none does.
Payer = Callable[[Mapping[str, Any]], AsyncBursar | None]


class _Unreported(ConfigurationError, ImportError):
    """A call cannot be charged. It is an `ImportError`, because LiteLLM retries after any other, without the hook."""


@dataclass(eq=False)
class _Held:
    """The hold of one call, and what ends it if the end of the call is never reported."""

    client: AsyncBursar
    key: str
    id: str
    amount: Decimal
    units: int
    attribution: dict[str, Any]
    secret: str
    watch: asyncio.TimerHandle | None = None
    failed: bool = False

    @property
    def spend(self) -> str:
        """The id of the reservation as that of a spend, which usage events name."""
        return "spd_" + self.id.partition("_")[2]


class BursarLogger(CustomLogger):
    """Charges for each call that LiteLLM makes for a coroutine; `litellm.callbacks` takes one of them.

    Attributes:
        not_charged: how many calls could not be charged so far: the client failed, or `quantity` raised. An error is
            logged for each, with the id of its hold.
    """

    def __init__(self, client: AsyncBursar | Payer, price: str | Metering = "llm_call") -> None:
        """Set the charge.

        Args:
            client: what charges; or a function that returns it for a call, where a proxy has several organizations.
                It returns the same client each time.
            price: the action that is charged for each call, or a `Metering`, whose `quantity` is told from the response
                (`tokens`), and whose `estimate` from the arguments of the call as keywords. Its `expires_in` must be
                longer than calls last. Another action than `llm_call` must be among the server's
                `BURSAR_LITELLM_ACTIONS`, or a sync of the proxy's spend log charges the call again.
        """
        super().__init__()
        self._payer: Payer = client if callable(client) else lambda _: client
        self._metering = Metering.of(price)
        self.not_charged = 0
        self._held: dict[str, _Held] = {}
        self._organizations: WeakKeyDictionary[AsyncBursar, str] = WeakKeyDictionary()
        self._tasks: set[asyncio.Task[None]] = set()

    async def async_pre_call_deployment_hook(self, kwargs: dict[str, Any], call_type: Any) -> dict[str, Any] | None:
        """Hold credits for a call, or refuse it."""
        client = self._payer(kwargs)
        if client is None:
            return None
        _refuse_unreported(kwargs)
        held = await self._reserve(client, kwargs)
        named = "litellm_metadata" if "litellm_metadata" in kwargs else "metadata"
        metadata = _mapping(kwargs.get(named))
        said = {
            **_mapping(metadata.get("spend_logs_metadata")),
            **held.attribution,
            "organization_id": self._organizations[client],
            "action": self._metering.action,
            "spend_id": held.spend,
            "spend_secret": held.secret,
        }
        return {**kwargs, named: {**metadata, "spend_logs_metadata": said}}

    async def async_post_call_success_deployment_hook(self, request_data: Any, response: Any, call_type: Any) -> None:
        """Capture what a call used, before its answer is returned."""
        await self._settle(_spend_of(request_data), response)

    async def async_log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """Capture what a stream used, and release what was held for an answer of the cache."""
        spend = _spend_of(_mapping(kwargs.get("litellm_params")))
        await (self._release(spend) if kwargs.get("cache_hit") else self._settle(spend, response_obj))

    async def async_log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """Release what was held for a call that failed."""
        await self._release(_spend_of(_mapping(kwargs.get("litellm_params"))))

    def log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """Say that a call was not charged; LiteLLM calls this for `completion` only."""
        log.error("A call of litellm.completion is not charged. Use litellm.acompletion.")

    async def _reserve(self, client: AsyncBursar, kwargs: Mapping[str, Any]) -> _Held:
        if client not in self._organizations:
            self._organizations[client] = (await client.billing.get_balance()).organization_id
        units, key, secret = self._metering.estimated((), dict(kwargs)), fresh(), token_hex()
        attribution = attributed({})
        # The id of the call is the caller's to choose, so it is no key: who repeats it would be charged once.
        reserved = await client.credits.reserve(
            action=self._metering.action,
            quantity=units,
            metadata={
                "litellm_call_id": str(kwargs.get("litellm_call_id"))[:500],
                "call_secret_sha256": sha256(secret.encode()).hexdigest(),
            },
            expires_in=self._metering.expires_in,
            idempotency_key=key,
        )
        held = _Held(client, key, reserved.id, reserved.amount, units, attribution, secret)
        seconds = self._metering.expires_in.total_seconds() * 0.8
        held.watch = asyncio.get_running_loop().call_later(seconds, self._give_up, held.spend)
        self._held[held.spend] = held
        return held

    def _give_up(self, spend: str) -> None:
        """Charge the estimate for a call whose end was not reported."""
        task = asyncio.get_running_loop().create_task(self._settle(spend, None))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _settle(self, spend: str | None, response: Any) -> None:
        """Charge the cost of a response, or the estimate if there is none."""
        held = self._forget(spend)
        if held is None or spend is None:
            return
        try:
            units = held.units if response is None else self._metering.counted(response, held.units)
        except Exception:
            # The platform's own code. LiteLLM would swallow what it raises, and the hold would lie until it expires.
            log.exception("A call is not charged: its units could not be counted", extra={"hold_id": held.id})
            self.not_charged += 1
            await self._give_back(held)
            return
        try:
            await self._charge(held, units)
        except BursarError:
            log.exception("A call could not be charged", extra={"hold_id": held.id})
            # LiteLLM reports the end of most calls twice.
            self._held[spend] = held
            self.not_charged += not held.failed
            held.failed = True
        else:
            self.not_charged -= held.failed

    async def _charge(self, held: _Held, units: int) -> None:
        due = price_of(held.amount, held.units, min(units, held.units))
        beyond = max(0, units - held.units)
        if due <= 0:
            await self._give_back(held)
            return
        try:
            await held.client.credits.capture_reservation(
                held.id, amount=min(due, held.amount), idempotency_key=derived(held.key, "capture")
            )
        except HoldEnded as ended:
            # The call took longer than the hold lasted. Where the hold has not expired, a sync of the spend log has
            # charged the call.
            beyond = units if ended.code == "ledger.hold_expired" else 0
        if beyond:
            await held.client.credits.use(
                action=self._metering.action,
                quantity=beyond,
                **held.attribution,
                # By what the call's row says, so that a sync of the log counts it too.
                idempotency_key=derived(held.secret, held.spend, "beyond"),
            )

    async def _release(self, spend: str | None) -> None:
        held = self._forget(spend)
        if held is not None:
            await self._give_back(held)

    async def _give_back(self, held: _Held) -> None:
        await held.client.credits.release(reservation_id=held.id, idempotency_key=derived(held.key, "release"))

    def _forget(self, spend: str | None) -> _Held | None:
        held = self._held.pop(spend, None) if spend is not None else None
        if held is not None and held.watch is not None:
            held.watch.cancel()
        return held


def tokens(response: Any) -> int | None:
    """Return how many tokens a call used in all, by its own report; for `Metering(quantity=tokens)`.

    None without a report, as of speech and pictures: the estimate is charged.
    """
    usage = getattr(response, "usage", None)
    return int(getattr(usage, "total_tokens", None) or 0) or None


def _spend_of(request: Mapping[str, Any]) -> str | None:
    """Return which spend a call was given."""
    for name in ("litellm_metadata", "metadata"):
        spend = _mapping(_mapping(request.get(name)).get("spend_logs_metadata")).get("spend_id")
        if isinstance(spend, str):
            return spend
    return None


def _refuse_unreported(kwargs: Mapping[str, Any]) -> None:
    """Refuse a call that LiteLLM would make again itself, without a word: every attempt but the first would be free."""
    routed = any("model_group" in _mapping(kwargs.get(name)) for name in ("metadata", "litellm_metadata"))
    if not routed and (litellm.num_retries or any(kwargs.get(name) for name in _UNREPORTED)):
        raise _Unreported("LiteLLM does not report what it tries again by num_retries. Use litellm.Router.")


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
