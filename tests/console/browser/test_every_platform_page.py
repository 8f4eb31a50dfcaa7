"""Every page of the platform, in both themes and at both widths: nothing to complain of."""

import pytest

from tests.console.browser.driver import complaints_of
from tests.console.table import SHOWN


@pytest.mark.parametrize("entry", [each for each in SHOWN if each.is_of_platform], ids=lambda each: each.path)
async def test_page_can_be_read_by_everybody(entry, signed_in, path_of):
    assert await complaints_of(entry, signed_in, path_of) == []
