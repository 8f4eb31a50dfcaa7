"""Python's collector of cycles, set for a process that serves for long."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

#: How many more containers are made than freed before the young ones are looked through. Python's own 700 is reached
#: several times in a command; this many take a few megabytes until then.
YOUNG = 20_000


def settle() -> None:
    """Leave out of collections what the process has started with, and collect less often; called once, before serving.

    A full collection looks at all that there is: 300,000 objects of imported modules, for a tenth of a second in which
    nobody is answered, and never finds one of them to free. Collections that were off during the start are on again.
    """
    gc.collect()
    gc.freeze()
    _, middle, old = gc.get_threshold()
    gc.set_threshold(YOUNG, middle, old)
    gc.enable()


@contextmanager
def paused() -> Iterator[None]:
    """Collect nothing in the block, in which modules are imported: a fifth of what it takes, and nothing is to free."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
