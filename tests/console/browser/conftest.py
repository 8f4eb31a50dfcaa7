"""One Chromium and one stack for all tests of the console in a browser."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.async_api import Browser

from dev.browser import NO_CHROMIUM, chromium, launched
from dev.stack.running import Running
from tests.conftest import BROWSER, browser_stack
from tests.console.browser.driver import Window, console_url, window
from tests.console.browser.objects import filled
from tests.e2e.conftest import World
from tests.support.servers import ask


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.nodeid.startswith(BROWSER):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
async def chrome() -> AsyncIterator[Browser]:
    """One browser. Where there is none, tests say so and are skipped; with `CI=true` they fail."""
    if chromium() is None:
        if os.environ.get("CI") == "true":
            pytest.fail(NO_CHROMIUM)
        pytest.skip(NO_CHROMIUM)
    async with launched() as browser:
        yield browser


@pytest.fixture(scope="session")
def stack(chrome: Browser, pytestconfig: pytest.Config) -> Running:
    """The stack of these tests, with its console; seeded keys and ids are in it."""
    return Running.read(Path(ask(browser_stack(pytestconfig))["data_dir"]) / "dev.json")


@pytest.fixture(scope="session")
async def world(stack: Running) -> AsyncIterator[World]:
    """The seeded people, who give commands by the API while pages are looked at."""
    async with httpx2.AsyncClient(base_url=stack.api_url, trust_env=False, timeout=60) as http:
        yield World(stack, http)


OpenWindow = Callable[..., AbstractAsyncContextManager[Window]]


@pytest.fixture(scope="session")
def open_window(chrome: Browser, stack: Running) -> OpenWindow:
    """Open windows on the console: `async with open_window(scripts=False) as window`."""

    def opened(**options: Any) -> AbstractAsyncContextManager[Window]:
        return window(chrome, console_url(stack), **options)

    return opened


SignedIn = Callable[[str], Awaitable[Window]]


@asynccontextmanager
async def windows(open_window: OpenWindow, keys: dict[str, str], **options: Any) -> AsyncIterator[SignedIn]:
    """Give a window of each persona, which signs in when it is first asked for."""
    async with AsyncExitStack() as stack:
        opened: dict[str, Window] = {}

        async def of(persona: str) -> Window:
            if persona not in opened:
                opened[persona] = await stack.enter_async_context(open_window(**options))
                await opened[persona].sign_in(keys[persona])
            opened[persona].heard.complaints.clear()
            return opened[persona]

        yield of


@pytest.fixture(scope="session")
async def signed_in(open_window: OpenWindow, stack: Running) -> AsyncIterator[SignedIn]:
    """Windows of the seeded people, one for each: `await signed_in("client")`."""
    async with windows(open_window, stack.keys) as of:
        yield of


@pytest.fixture(scope="session")
def path_of(world: World) -> Callable[[str], Awaitable[str]]:
    """Fill the names in an address of the table with ids of the stack, making what is not there yet."""
    made: dict[str, str] = {}
    return lambda path: filled(path, world, made)
