"""Long computations outside of the event loop, one at a time.

There is one thread, because each computing thread shares the interpreter with the event loop and delays requests by
milliseconds.
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
    """Run a function and return its result. It must not await or use a session."""
    return await asyncio.get_running_loop().run_in_executor(_THREAD, partial(function, *given, **named))
