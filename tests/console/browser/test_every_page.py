"""Every page of organizations and of everybody, in both themes and at three widths: nothing to complain of.

Those of the platform are a module of their own, because a module is what one of the processes takes that test.
"""

import pytest

from dev.browser import SHIFTED
from tests.console.browser.driver import PICTURES, complaints_of, write_sheets
from tests.console.table import SHOWN

ENTRIES = [each for each in SHOWN if not each.is_of_platform]


@pytest.fixture(scope="module", autouse=True)
async def sheets(chrome):
    PICTURES.mkdir(parents=True, exist_ok=True)
    yield
    await write_sheets(chrome, "pages", [each.path for each in ENTRIES])


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda each: each.path)
async def test_page_can_be_read_by_everybody(entry, signed_in, path_of):
    assert await complaints_of(entry, signed_in, path_of) == []


async def test_sign_in_page_can_be_read_by_everybody(open_window):
    async with open_window() as window:
        await window.go("/console/sign-in")

        assert await window.findings() == []


async def test_nothing_moves_on_a_slow_machine(open_window, stack):
    """Painted before its scripts ran and its rows had come, a list would have moved when they did."""
    async with open_window() as window:
        await window.sign_in(stack.keys["operator"])
        protocol = await window.context.new_cdp_session(window.page)
        await protocol.send("Emulation.setCPUThrottlingRate", {"rate": 6})
        await window.go("/console/platform/keys")

        assert await window.page.locator(".copy").first.is_visible()
        assert await window.page.evaluate(SHIFTED) == 0


async def test_button_that_needs_scripts_is_not_shown_without_them(open_window, stack):
    async with open_window(scripts=False) as window:
        await window.sign_in(stack.keys["operator"])
        await window.go("/console/platform/keys")

        assert await window.page.locator(".copy").count() > 0
        assert await window.page.locator(".copy:visible").count() == 0
