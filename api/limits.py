"""Rate limits: so many requests a principal, so many an organization, and so many an address for those without a key.

An organization makes keys as it likes, so its own limit is the one that holds; that of a principal keeps one of an
organization from using up what the others need. The keys of one principal count as one, and those of one agent. So do
the IPv6 addresses of one network, because the owner of one address has 2^64.

The count is kept by the `limits` library, in this process or in Redis (`BURSAR_RATE_LIMIT_STORAGE`). A process takes
requests from it in small slices and spends a slice from its own memory, so that the count costs next to nothing: the
limit is never passed, and a slice that was not used up when the window ends is lost. A limit of fewer than 200 has
slices of one and is exact.

Each limit is a policy of the header `RateLimit-Policy`, and `RateLimit` says what is left of it and for how long
(draft-ietf-httpapi-ratelimit-headers-11). What is left is what the store said with the last slice, less what was spent
of it since: other processes may have taken more.

When the store does not answer, requests pass: a limiter that is down must not stop payments. The process says so in
its log and asks the store again after some seconds.
"""

import ipaddress
import math
import time
from dataclasses import dataclass
from functools import lru_cache

import structlog
from limits import RateLimitItem, parse
from limits.aio.storage import Storage
from limits.aio.strategies import FixedWindowRateLimiter
from limits.storage import storage_from_string

from domain.common.errors import RateLimited

log = structlog.get_logger("bursar.api")

STORE_PAUSE_SECONDS = 5.0
MAX_SLICES = 20_000


@dataclass(slots=True)
class _Slice:
    left: int
    until: float
    #: What the store had left in the window, once this slice was taken.
    beyond: int = 0


def _slice_size(amount: int) -> int:
    """The largest divisor of the limit that is at most a hundredth of it, so that slices use it up exactly."""
    return next(size for size in range(max(1, amount // 100), 0, -1) if amount % size == 0)


def storage_at(uri: str) -> Storage:
    storage = storage_from_string(uri, implementation="redispy")
    assert isinstance(storage, Storage), "the rate limit's storage must be an async one (async+…)"
    return storage


@lru_cache(maxsize=4096)
def share_of(address: str | None) -> str:
    """Return what the limit of an address is counted by: an IPv4 address, or the /64 network of an IPv6 one."""
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return f"address/{address}"
    if isinstance(parsed, ipaddress.IPv4Address):
        return f"address/{parsed}"
    if parsed.ipv4_mapped is not None:
        return f"address/{parsed.ipv4_mapped}"
    return f"address/{ipaddress.ip_network((int(parsed), 64), strict=False)}"


class Limiter:
    """Counts requests by name against one limit."""

    def __init__(self, limit: str, storage: Storage, policy: str = "default") -> None:
        """Take a limit such as `6000/minute`, the store, and the name of the policy in headers."""
        self._name = policy
        #: The policy, as `RateLimit-Policy` has it.
        self.policy = f'"{policy}";q={parse(limit).amount};w={parse(limit).get_expiry()}'
        self._item: RateLimitItem = parse(limit)
        self._window = FixedWindowRateLimiter(storage)
        self._size = _slice_size(self._item.amount)
        self._slices: dict[str, _Slice] = {}
        self._silent_until = 0.0

    def try_fast(self, name: str) -> bool:
        """Spend one request from memory; False when `hit` has to be awaited."""
        held = self._slices.get(name)
        if held is None or held.left <= 0 or held.until <= time.time():
            return False
        held.left -= 1
        return True

    def check(self, name: str) -> None:
        """Refuse when the limit is known to be used up, without counting anything.

        Raises:
            RateLimited: it is; `retry_after` says when the window ends.
        """
        held = self._slices.get(name)
        if held is not None and held.left < 0 and held.until > time.time():
            raise self._refusal(held.until - time.time())

    async def hit(self, name: str) -> None:
        """Count one request.

        Raises:
            RateLimited: the limit is used up; `retry_after` says when the window ends.
        """
        if self.try_fast(name):
            return
        self.check(name)
        now = time.time()
        if now < self._silent_until:
            return
        try:
            granted = await self._window.hit(self._item, name, cost=self._size)
            resets_at, beyond = await self._window.get_window_stats(self._item, name)
        except Exception as exc:
            # Any exception: the store's client is one of five libraries.
            self._silent_until = now + STORE_PAUSE_SECONDS
            log.warning("rate_limit.store_unavailable", error=f"{type(exc).__name__}: {exc}"[:300])
            return
        if not granted:
            self._keep(name, _Slice(-1, resets_at))
            raise self._refusal(resets_at - now)
        # Two requests may take a slice at once: what is left of the other one is kept.
        held = self._slices.get(name)
        rest = held.left if held is not None and held.left > 0 and held.until > now else 0
        self._keep(name, _Slice(rest + self._size - 1, resets_at, beyond))

    def _keep(self, name: str, of: _Slice) -> None:
        """Remember a slice as the newest one; of too many, the oldest is lost, and the store knows of it still."""
        self._slices.pop(name, None)
        self._slices[name] = of
        if len(self._slices) > MAX_SLICES:
            del self._slices[next(iter(self._slices))]

    def left(self, name: str) -> str:
        """Return what is left of the limit, as `RateLimit` has it; all of it where nothing is known."""
        held, now = self._slices.get(name), time.time()
        if held is None or held.until <= now:
            return f'"{self._name}";r={self._item.amount}'
        return f'"{self._name}";r={max(0, held.left) + held.beyond};t={math.ceil(held.until - now)}'

    def _refusal(self, seconds: float) -> RateLimited:
        retry_after = max(1, math.ceil(seconds))
        return RateLimited(
            f"The limit of {self._item.amount} requests in {self._item.get_expiry()} seconds is exceeded.",
            extra={"retry_after": retry_after, "limit": self._item.amount, "window": self._item.get_expiry()},
        )
