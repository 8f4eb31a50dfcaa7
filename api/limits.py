"""Rate limits of principals, organizations, and addresses without a key.

An organization can create any number of keys, so its own limit is the effective one; that of a principal protects the
other principals of an organization. All keys of a principal or an agent count together, and so do the IPv6 addresses of
a /64 network.

The `limits` library counts, in this process or in Redis (`BURSAR_RATE_LIMIT_STORAGE`). For speed a process takes small
slices of the limit and spends them in memory: the limit is never exceeded, and unused slices are lost at the end of the
window. A limit below 200 has slices of one and is exact.

Each limit is a policy in the header `RateLimit-Policy`, and `RateLimit` has its rest and reset time
(draft-ietf-httpapi-ratelimit-headers-11). The rest is that of the last slice, less requests since: other processes may
have taken more.

If the store does not respond, requests pass, because a failed limiter must not stop payments. The process logs it and
tries the store again after some seconds.
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
    #: Rest of the window in the store after taking this slice.
    beyond: int = 0


def _slice_size(amount: int) -> int:
    """Return the largest divisor of the limit that is at most a hundredth of it, so that slices fit exactly."""
    return next(size for size in range(max(1, amount // 100), 0, -1) if amount % size == 0)


def storage_at(uri: str) -> Storage:
    storage = storage_from_string(uri, implementation="redispy")
    assert isinstance(storage, Storage), "the rate limit's storage must be an async one (async+…)"
    return storage


@lru_cache(maxsize=4096)
def share_of(address: str | None) -> str:
    """Return the counter of an address: an IPv4 address, or the /64 network of an IPv6 address."""
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
    """Counts requests by name against a limit."""

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
        """Count one request from memory; False if `hit` must be awaited."""
        held = self._slices.get(name)
        if held is None or held.left <= 0 or held.until <= time.time():
            return False
        held.left -= 1
        return True

    def check(self, name: str) -> None:
        """Refuse if the limit is known to be reached, without counting.

        Raises:
            RateLimited: `retry_after` is the time until the window ends.
        """
        held = self._slices.get(name)
        if held is not None and held.left < 0 and held.until > time.time():
            raise self._refusal(held.until - time.time())

    async def hit(self, name: str) -> None:
        """Count one request.

        Raises:
            RateLimited: the limit is reached; `retry_after` is the time until the window ends.
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
        """Cache a slice as the newest one; a full cache evicts the oldest, which remains counted in the store."""
        self._slices.pop(name, None)
        self._slices[name] = of
        if len(self._slices) > MAX_SLICES:
            del self._slices[next(iter(self._slices))]

    def left(self, name: str) -> str:
        """Return the rest of the limit for `RateLimit`; all of it if unknown."""
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
