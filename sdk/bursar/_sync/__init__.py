"""The client for threads, derived from `bursar._async`; only `_runtime` is written by hand."""
