"""Every page of the table, in both themes and at both widths, in one visit each: nothing to complain of."""

import pytest

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
