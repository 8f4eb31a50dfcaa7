"""The client for asyncio. Written by hand; `bursar._sync` is derived from it."""
