"""Functions that are computed outside of the event loop."""

import asyncio
import threading

import pytest

from runtime.compute_thread import run_in_thread


async def test_event_loop_goes_on_while_something_is_computed():
    seen = threading.Event()
    computed = asyncio.create_task(run_in_thread(seen.wait, 60))
    await asyncio.sleep(0)
    # On the event loop it would wait in vain for this.
    seen.set()
    assert await computed


async def test_one_thing_is_computed_at_a_time_and_what_it_raises_is_raised():
    threads = await asyncio.gather(*(run_in_thread(threading.get_ident) for _ in range(10)))
    assert len(set(threads) | {threading.get_ident()}) == 2
    with pytest.raises(ZeroDivisionError):
        await run_in_thread(divmod, 1, 0)
