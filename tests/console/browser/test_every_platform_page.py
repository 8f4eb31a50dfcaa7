"""Every page of the platform, in both themes and at three widths: nothing to complain of."""

import pytest

from tests.console.browser.driver import PICTURES, complaints_of, write_sheets
from tests.console.table import SHOWN

ENTRIES = [each for each in SHOWN if each.is_of_platform]


@pytest.fixture(scope="module", autouse=True)
async def sheets(chrome):
    PICTURES.mkdir(parents=True, exist_ok=True)
    yield
    await write_sheets(chrome, "platform", [each.path for each in ENTRIES])


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda each: each.path)
async def test_page_can_be_read_by_everybody(entry, signed_in, path_of):
    assert await complaints_of(entry, signed_in, path_of) == []
