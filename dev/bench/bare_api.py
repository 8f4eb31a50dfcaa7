"""The baseline of an HTTP read: FastAPI and an asyncpg pool, one row, no keys, no tenancy, no logs."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import uvicorn
from fastapi import FastAPI


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Keep the pool for as long as the app runs."""
    async with asyncpg.create_pool(os.environ["BENCH_DATABASE_URL"], min_size=10, max_size=10) as pool:
        app.state.pool = pool
        # One that exists: a read that finds nothing would be a baseline too fast.
        app.state.account_id = await pool.fetchval("SELECT min(account_id) FROM ledger.balances")
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/row")
async def row() -> dict[str, str]:
    """Read one row."""
    found = await app.state.pool.fetchrow(
        "SELECT posted, pending_out FROM ledger.balances WHERE account_id = $1 AND stripe = 0", app.state.account_id
    )
    return {"posted": str(found[0]), "pending": str(found[1])}


if __name__ == "__main__":
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(os.environ["BENCH_PORT"]),
        loop="uvloop",
        http="httptools",
        log_level="warning",
        access_log=False,
    )
