"""Fresh ids outside of workflows: the clock and the randomness that `domain.ids` does not have."""

import secrets
import time

from domain.ids import make_id


def new_id(prefix: str) -> str:
    """Return a fresh, sortable id such as `esc_01kar6…`. Not for workflow code, which must be deterministic."""
    return make_id(prefix, unix_ms=time.time_ns() // 1_000_000, entropy=secrets.token_bytes(10))
