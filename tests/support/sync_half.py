"""Derives the half of the Python client that git does not keep: imported before anything that imports `bursar`."""

import sync_half

sync_half.write()
