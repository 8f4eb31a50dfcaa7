"""The client. It is written for asyncio, in `bursar._async`, and `bursar._sync`, for threads, is derived from it."""
