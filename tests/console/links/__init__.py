"""Tests of the console in a browser. Pages to look at are lines of `tests/console/table.py`."""
