"""Settings of Python's cyclic garbage collector for a long-running server."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

#: How many more containers are allocated than freed before the young generation is collected. Python's own 700 is
#: reached several times in a command; this many take a few megabytes until then.
YOUNG = 20_000


def freeze_startup_objects() -> None:
    """Exclude the objects of the start from collections, and collect less often; called once, before serving.

    A full collection traverses all objects: 300,000 of imported modules, for a tenth of a second in which no request is
    answered, and frees none of them. Collections that were off during the start are on again.
    """
    gc.collect()
    gc.freeze()
    _, middle, old = gc.get_threshold()
    gc.set_threshold(YOUNG, middle, old)
    gc.enable()


@contextmanager
def collection_paused() -> Iterator[None]:
    """Disable collections while modules are imported: they take a fifth of the time, and free nothing."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
