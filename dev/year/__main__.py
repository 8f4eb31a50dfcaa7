"""`python -m dev.year`, which is `make year`: plays a year, prints its books and proves that they tie out."""

import argparse
import asyncio
import logging
import random
import secrets
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from dev.stack.migrate import migrate
from dev.stack.postgres import Postgres, running_postgres
from dev.year import books
from dev.year.market import Market
from dev.year.proof import Proof
from dev.year.story import CUSTOMERS, Month, Story, next_leap_year, settings
from dev.year.world import YearError, running

FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200"}
DATABASE = "year"


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def play(data_dir: Path, postgres: Postgres, given: argparse.Namespace) -> None:
    """Play the year on a cluster that runs."""
    year, began = next_leap_year(), time.monotonic()
    start = datetime(year, 1, 1, tzinfo=UTC) - timedelta(days=2)
    urls = tuple(postgres.url(role, DATABASE) for role in ("postgres", "bursar_api", "bursar_platform"))
    async with running(data_dir, (urls[0], urls[1], urls[2]), start, settings(given.taxed_at)) as world:
        market = Market(world, random.Random(given.seed))
        story = Month(market, year) if given.month else _year(market, year, given)
        await story.cast()
        await story.play(say)
        say(f"\n{story.summary()} in {time.monotonic() - began:.0f} s\n")
        for line in [] if given.month else await books.read(world, year, given.months):
            say(line)
        say("\nWhat ties out, in USD and credits")
        for line in await Proof(market).prove():
            say(line)


def _year(market: Market, year: int, given: argparse.Namespace) -> Story:
    return Story(market, year, months=given.months, customers=given.organizations)


def main() -> int:
    """Run the year; the status is 1 when something does not tie out."""
    parser = argparse.ArgumentParser(prog="python -m dev.year", description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000), help="draws the same year again")
    parser.add_argument("--months", type=int, default=12, choices=range(1, 13), metavar="1…12", help="ends earlier")
    parser.add_argument("--organizations", type=int, default=len(CUSTOMERS), help="that pay")
    parser.add_argument("--taxed-at", default="use", choices=("use", "sale"), help="when credits are taxed (use)")
    parser.add_argument("--month", action="store_true", help="plays one month of two organizations instead")
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    what = "A month on a simulated calendar" if given.month else f"The year {next_leap_year()}, seed {given.seed}"
    say(what)
    with tempfile.TemporaryDirectory(prefix="bursar-year-") as directory:
        home = Path(directory)
        home.chmod(0o711)  # the account of PostgreSQL passes through
        with running_postgres(home / "pg", FAST) as postgres:
            postgres.ensure_database(DATABASE)
            migrate(postgres.url(database=DATABASE))
            try:
                asyncio.run(play(home / "data", postgres, given))
            except YearError as error:
                say(f"\n{error}\n\nseed {given.seed}")
                return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
