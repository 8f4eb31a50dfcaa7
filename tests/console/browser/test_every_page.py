"""Every page of the table, in both themes and at both widths, in one visit each: nothing to complain of."""

import pytest

from dev.browser import SHIFTED
from tests.console.browser.driver import role_of
from tests.console.table import PAGES

#: What nobody may read there has nothing to look at.
READABLE = [entry for entry in PAGES if entry.roles]


@pytest.mark.parametrize("entry", READABLE, ids=lambda entry: entry.path)
async def test_page_can_be_read_by_everybody(entry, signed_in, path_of):
    window = await signed_in(role_of(entry.roles))
    answer = await window.go(await path_of(entry.path))

    assert answer is not None
    assert answer.status == 200
    assert await window.findings() == []


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
