"""The runtime of the client for threads. `bursar._asyncio` is its counterpart."""

import inspect
import threading
import time
from collections.abc import Callable, Generator
from contextvars import copy_context
from typing import Any, TypeAlias

import httpx2

HTTPClient: TypeAlias = httpx2.Client
Transport: TypeAlias = httpx2.BaseTransport
Stream: TypeAlias = Generator[Any, None, None]


def is_stream(function: Callable[..., Any]) -> bool:
    """Say whether a function makes a stream."""
    return inspect.isgeneratorfunction(function)


def is_function(function: Callable[..., Any]) -> bool:
    """Say whether a function can be wrapped by this client."""
    return not inspect.iscoroutinefunction(function) and not inspect.isasyncgenfunction(function)


def sleep(seconds: float) -> None:
    """Wait."""
    time.sleep(seconds)


class Keeper:
    """Background thread that runs a task periodically, or when woken."""

    def __init__(self, work: Callable[[], float], seconds: float) -> None:
        """Say what is done, which returns the seconds until the next time, and when first."""
        self._work = work
        self._seconds = seconds
        self._woken = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, in a thread that does not keep the process alive."""
        self._thread = threading.Thread(target=copy_context().run, args=(self._run,), daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Wake the thread."""
        self._woken.set()

    def stop(self) -> None:
        """End, after what is being done."""
        if self._thread is not None:
            self._stopping = True
            self._woken.set()
            self._thread.join()

    def _run(self) -> None:
        while True:
            self._woken.wait(self._seconds)
            self._woken.clear()
            if self._stopping:
                return
            self._seconds = self._work()
