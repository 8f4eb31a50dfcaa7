"""`python -m dev.year.quarter`, which is `make quarter`: plays a quarter of a small studio, and proves its returns."""

import argparse
import asyncio
import hashlib
import logging
import random
import secrets
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import structlog

from commands.import_model_prices import SHIPPED, SHIPPED_FROM
from dev.stack.migrate import migrate
from dev.stack.postgres import running_postgres
from dev.year.__main__ import FAST, say
from dev.year.studio import Studio
from dev.year.studio_proof import StudioProof
from dev.year.world import IDLE_JOBS, World, YearError, running
from domain.usage.price_map import read_price_map
from services.usage.model_price import import_prices

DATABASE = "quarter"
WEEKS = 13
#: What a year does without: the nights in which budgets are divided.
NEEDED = frozenset({"allocation-sweep"})


async def play(data_dir: Path, urls: tuple[str, str, str], seed: int, weeks: int) -> list[str]:
    """Play the weeks on a migrated database of its own, and return the books and what ties out."""
    starts_at = datetime(datetime.now(UTC).year + 1, 1, 4, tzinfo=UTC)
    async with running(data_dir, urls, starts_at, {}, job_days=1, idle=IDLE_JOBS - NEEDED) as world:
        await _prices(world)
        studio = Studio(world, random.Random(seed), starts_at, weeks)
        await studio.cast()
        await studio.play(say)
        return await StudioProof(studio).prove()


async def _prices(world: World) -> None:
    """Import the prices that ship with the product: only models with a price are routed to."""
    text = SHIPPED.read_text("utf-8")
    prices = read_price_map(text, version="shipped", valid_from=SHIPPED_FROM)
    async with world.database.platform() as session:
        await import_prices(session, prices, sha256=hashlib.sha256(text.encode()).hexdigest())


def main() -> int:
    """Run the quarter; the status is 1 when something does not tie out."""
    parser = argparse.ArgumentParser(prog="python -m dev.year.quarter", description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000), help="draws the same quarter again")
    parser.add_argument("--weeks", type=int, default=WEEKS, choices=range(1, 27), metavar="1…26", help="how many")
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    say(f"A quarter of a studio, seed {given.seed}")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bursar-quarter-") as directory:
        home = Path(directory)
        home.chmod(0o711)  # the account of PostgreSQL passes through
        with running_postgres(home / "pg", FAST) as postgres:
            postgres.ensure_database(DATABASE)
            migrate(postgres.url(database=DATABASE))
            owner, tenant, platform = (
                postgres.url(role, DATABASE) for role in ("postgres", "bursar_api", "bursar_platform")
            )
            try:
                for line in asyncio.run(play(home / "data", (owner, tenant, platform), given.seed, given.weeks)):
                    say(line)
            except YearError as error:
                say(f"\n{error}\n\nseed {given.seed}")
                return 1
    say(f"\n{time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
