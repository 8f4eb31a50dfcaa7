"""Settings of Python's cyclic garbage collector for a long-running server."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

#: Threshold of the young generation: allocated less freed containers. Python's default of 700 is reached several times
#: in a command; this one takes a few megabytes.
YOUNG = 20_000


def freeze_startup_objects() -> None:
    """Freeze the objects of the start, and collect less often; called once, before serving.

    A full collection would traverse 300,000 objects of imported modules, which blocks requests for a tenth of a second
    and frees nothing. Collections disabled during the start are enabled again.
    """
    gc.collect()
    gc.freeze()
    _, middle, old = gc.get_threshold()
    gc.set_threshold(YOUNG, middle, old)
    gc.enable()


@contextmanager
def collection_paused() -> Iterator[None]:
    """Disable collections during imports: they take a fifth of that time and free nothing."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
