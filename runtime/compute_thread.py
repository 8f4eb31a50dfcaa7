"""Computes what takes long outside of the event loop, one thing at a time.

One thread, because threads that compute share the interpreter with the event loop: with one of them a request waits for
it for milliseconds, with several of them for all.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_THREAD = ThreadPoolExecutor(1, thread_name_prefix="aside")


async def run_in_thread(function: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
    """Return what the function returns, or raise what it raises. It must await nothing and use no session."""
    return await asyncio.get_running_loop().run_in_executor(_THREAD, partial(function, *given, **named))
