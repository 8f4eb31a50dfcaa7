"""`python -m dev.economy`, which is `make economy`: plays a day of many agents and proves every answer."""

import argparse
import asyncio
import secrets
import sys
import tempfile
import time
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import asyncpg

from commands.verify import verify
from dev.economy.day import Day
from dev.economy.report import Report
from dev.economy.world import Urls, World
from dev.stack.migrate import migrate
from dev.stack.postgres import running_postgres
from dev.year.__main__ import FAST, say
from domain.common.money import CREDIT, format_amount

DATABASE = "economy"
#: A Wednesday in the middle of a month.
BEGINS = datetime(2026, 3, 18, tzinfo=UTC)
#: What must be used of what could be.
LEAST = Fraction(99, 100)


async def play(urls: Urls, begins: datetime, *, projects: int, agents: int, seed: int) -> tuple[Day, Report]:
    """Play the day that begins at `begins`, midnight UTC, on a migrated database; return the day and its report."""
    world = World(urls, begins)
    day = Day(world, begins, seed)
    async with world.open():
        await day.cast(projects, agents)
        return day, await day.play()


def lines(day: Day, report: Report) -> list[str]:
    """Write what was refused, used and left."""
    reasons = sorted({reason for _, reason in report.refused})
    found = ["", f"{'who':<12}{'asked':>8}" + "".join(f"{reason:>14}" for reason in reasons) + f"{'got, CREDIT':>20}"]
    for who in report.asked:
        refused = "".join(f"{report.refused[who, reason]:>14,}" for reason in reasons)
        found.append(f"{who:<12}{report.asked[who]:>8,}{refused}{format_amount(report.got[who], CREDIT):>20}")
    found += ["", f"{'pools of projects':<20}{'used':>20}{'left':>20}"]
    for name, used, left in day.pools():
        found.append(f"{name:<20}{used:>20}{left:>20}")
    return [
        *found,
        "",
        f"limits passed: {len(report.passed)}",
        f"refused that would have fitted: {len(report.wrongly_refused)}",
        f"holds that expired: {report.expired:,}; stuck: {len(report.stuck)}",
        f"tried what is not an agent's to do: {report.forged['tried']:,}; could: {report.forged['could']}",
        f"windows that the books count otherwise: {len(report.differs)}",
        f"used of what could be used: {float(report.share):.4f}",
        *[f"  {wrong}" for wrong in (*report.passed, *report.wrongly_refused, *report.stuck, *report.differs)[:20]],
    ]


def is_right(report: Report) -> bool:
    """Return whether the day was as it must be."""
    wrong = (report.passed, report.wrongly_refused, report.stuck, report.differs)
    return not any(wrong) and not report.forged["could"] and report.share >= LEAST


async def _main(urls: Urls, given: argparse.Namespace) -> int:
    began = time.monotonic()
    day, report = await play(urls, BEGINS, projects=given.projects, agents=given.agents, seed=given.seed)
    for line in lines(day, report):
        say(line)
    connection = await asyncpg.connect(urls.platform)
    proof = await verify(connection)
    await connection.close()
    say(f"books: {'proven' if proof.ok else 'WRONG'}")
    for line in () if proof.ok else proof.lines():
        say(line)
    say(f"{sum(report.asked.values()):,} requests in {time.monotonic() - began:.0f} s, seed {given.seed}")
    return 0 if is_right(report) and proof.ok else 1


def main() -> int:
    """Play the day; the status is 1 when an answer was wrong, something is stuck or too little was used."""
    parser = argparse.ArgumentParser(prog="python -m dev.economy", description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000), help="draws the same agents again")
    parser.add_argument("--projects", type=int, default=50)
    parser.add_argument("--agents", type=int, default=1_000)
    given = parser.parse_args()
    say(f"A day of {given.agents:,} agents in {given.projects:,} projects, seed {given.seed}")
    with tempfile.TemporaryDirectory(prefix="bursar-economy-") as directory:
        home = Path(directory)
        home.chmod(0o711)  # the account of PostgreSQL passes through
        with running_postgres(home / "pg", FAST) as postgres:
            postgres.ensure_database(DATABASE)
            migrate(postgres.url(database=DATABASE))
            urls = Urls(*(postgres.url(role, DATABASE) for role in ("bursar_api", "bursar_platform")))
            return asyncio.run(_main(urls, given))


if __name__ == "__main__":
    sys.exit(main())
