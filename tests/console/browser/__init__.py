"""Tests of the console in a browser. Pages to look at are lines of `tests/console/table.py`."""

NO_CHROMIUM = "There is no Chromium: install it (apt-get install chromium), or name one in BURSAR_CHROMIUM."
