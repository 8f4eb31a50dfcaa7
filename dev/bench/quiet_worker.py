"""The product's worker, which can be asked to write no events: SIGUSR1 begins that, SIGUSR2 ends it.

`python -m dev.bench.quiet_worker`, with the settings of `worker.py` in its environment.
"""

import contextlib
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

import uvloop

import worker


@contextmanager
def without_events() -> Iterator[None]:
    """Make escrows and payments write their events without outbox rows and their construction."""
    with ExitStack() as patched:
        for module in ("activities.escrow.escrow", "activities.payments.payment"):
            patched.enter_context(patch(f"{module}.facts", lambda *_: []))
        yield


def main() -> None:
    """Work until SIGINT or SIGTERM."""
    quiet = ExitStack()
    signal.signal(signal.SIGUSR1, lambda *_: quiet.enter_context(without_events()))
    signal.signal(signal.SIGUSR2, lambda *_: quiet.close())
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(worker.main())


if __name__ == "__main__":
    main()
