"""New ids outside of workflows, with the clock and randomness for `domain.common.ids`."""

import secrets
import threading
import time

from domain.common.ids import make_id

_LOCK = threading.Lock()
#: The 12 bits of a UUIDv7 after the milliseconds contain, as in PostgreSQL, the fraction of the millisecond.
_PART_BITS = 12
_last = 0


def new_id(prefix: str) -> str:
    """Return a new, sortable id such as `esc_01kar6…`. Not for workflow code, which must be deterministic."""
    return make_id(prefix, unix_ms=time.time_ns() // 1_000_000, entropy=secrets.token_bytes(10))


def new_ids(prefix: str, count: int) -> list[str]:
    """Return new ids in ascending order, greater than all earlier ones of this function."""
    global _last
    now = (time.time_ns() << _PART_BITS) // 1_000_000
    with _LOCK:
        first = max(now, _last + 1)
        _last = first + count - 1
    return [_id_at(prefix, ticks) for ticks in range(first, first + count)]


def _id_at(prefix: str, ticks: int) -> str:
    part = ticks & ((1 << _PART_BITS) - 1)
    entropy = part << 68 | secrets.randbits(62)
    return make_id(prefix, unix_ms=ticks >> _PART_BITS, entropy=entropy.to_bytes(10, "big"))
