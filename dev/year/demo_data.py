"""`python -m dev.year.demo_data` (`make demo-data`): give a fresh stack 90 days of history.

The product runs on a simulated calendar that begins 90 days ago and ends now, on the database and the sandbox of the
stack. What it did is told to the API like any client's commands. Then the stack is started once, and its runs are begun
from the books, so that `make run` goes on where the history ends.
"""

import argparse
import asyncio
import logging
import os
import random
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import structlog

from dev.stack.__main__ import data_directory, on_the_books, say
from dev.stack.claim import Ports
from dev.stack.process import StackError
from dev.stack.seed import Seed
from dev.stack.supervisor import DATABASE, SEED, Stack, delete_data
from dev.year import calendar
from dev.year.history import History
from dev.year.world import IDLE_JOBS, YearError, running, stripe_time
from runtime.environment import remove_external

#: What a history needs besides what a year does: scores of each night, spending by day, charges of usage, reports.
NEEDED = frozenset({"reputation-decay", "spend-days", "usage-charges", "report-sweep"})
OWNER, TENANT, PLATFORM = "postgres", "bursar_api", "bursar_platform"


async def fill(data_dir: Path, seed: int, days: int) -> None:
    """Play the history on the cluster of a data directory that has none."""
    stack = Stack(data_dir, parts=("postgres",))
    await stack.start()
    try:
        owner, *others = (stack.postgres.url(role, DATABASE) for role in (OWNER, TENANT, PLATFORM))
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        begins_at = midnight - timedelta(days=days)
        settings = stack.environment()
        idle = IDLE_JOBS - NEEDED
        urls = (owner, others[0], others[1])
        async with running(data_dir, urls, begins_at, settings, job_days=1, idle=idle, operator="operator") as world:
            made = Seed(data_dir / SEED, str(world.http.base_url).rstrip("/"), settings)
            made.keys["operator"] = world.operator.token
            await made.ensure()
            history = History(world, made.keys, made.ids, random.Random(seed), begins_at, days)
            await history.cast()
            await history.play(say)
        await _to_the_present(owner, data_dir)
    finally:
        await stack.stop()


async def _to_the_present(owner: str, data_dir: Path) -> None:
    connection = await asyncpg.connect(owner)
    try:
        await calendar.remove(connection)
    finally:
        await connection.close()
    stripe_time(data_dir, timedelta(0))


async def begin_runs(data_dir: Path, ports: Ports) -> None:
    """Start the stack, begin the runs of what is open from the books, prove the books, and stop it."""
    stack = Stack(data_dir, ports, say=say)
    await stack.start()
    try:
        for command, arguments in (("resume", ["--apply", "--look"]), ("verify", [])):
            if await asyncio.to_thread(on_the_books, data_dir, command, arguments):
                raise StackError(f"`manage {command}` is not content with the history: see above.")
    finally:
        await stack.stop()


def main() -> int:
    """Fill the data directory and return the exit code."""
    remove_external(os.environ)
    parser = argparse.ArgumentParser(prog="python -m dev.year.demo_data", description=__doc__)
    parser.add_argument("--new", action="store_true", help="delete the data that is there")
    parser.add_argument(
        "--days", type=int, default=90, choices=range(14, 366), metavar="14…365", help="of history (90)"
    )
    parser.add_argument("--seed", type=int, default=52, help="draws another history")
    given = parser.parse_args()
    logging.basicConfig(format="%(message)s", level=logging.WARNING, stream=sys.stderr)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    data_dir, began = data_directory(), time.monotonic()
    try:
        if given.new:
            delete_data(data_dir)
        if (data_dir / SEED).exists():
            raise StackError(f"{data_dir} has data already. `make demo-data ARGS=--new` deletes it first.")
        say(f"{given.days} days of three organizations, up to now, in {data_dir}")
        asyncio.run(fill(data_dir, given.seed, given.days))
        asyncio.run(begin_runs(data_dir, Ports.from_environment()))
    except (StackError, YearError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    say(f"\nReady after {time.monotonic() - began:.0f} s. Start the stack with `make run`, and open its console.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
