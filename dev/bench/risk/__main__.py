"""Measures decisions against fraud, and prints a table for each part.

`python -m dev.bench.risk [plays] [rings] [creation] [--rings PATH] [--honest N] [--seed N]`

By default everything is measured; rings need the file of a network, see `dev.bench.risk_rings`.
"""

import argparse
import asyncio
from collections.abc import Iterator
from pathlib import Path

from dev.bench import risk_rings
from dev.bench.__main__ import line
from dev.bench.risk import creation
from dev.bench.risk.plays import PlayResult, play_all
from dev.bench.world import World, running_world
from dev.stack.migrate import migrate
from runtime.database import Database

PARTS = ("plays", "rings", "creation")
HONEST, SEED = 2_000, 1


def table(rows: list[PlayResult]) -> Iterator[str]:
    """Write the plays as a table of Markdown."""
    yield "| play | tried | took place | first stop | lost | mostly stopped by | blocked | reviewed | challenged |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for row in rows:
        found = row.found
        by = ", ".join(f"`{name}` {count}" for name, count in found.by.most_common(2)) or "nothing"
        honest = f"{row.blocked:.1f} | {row.reviewed:.1f} | {row.challenged:.1f}"
        first = found.passed if found.until is None else found.until
        lost = f"{found.lost / 100:,.2f}"
        yield f"| {row.name} | {found.attempts:,} | {found.passed:,} | {first} | {lost} | {by} | {honest} |"


async def _plays(world: World, honest: int, seed: int) -> None:
    postgres, name = world.stack.postgres, "plays"
    await asyncio.to_thread(postgres.ensure_database, name)
    await asyncio.to_thread(migrate, postgres.url(database=name))
    database = Database(postgres.url("bursar_api", name), postgres.url("bursar_platform", name))
    platform, rows = await play_all(database, postgres.url(database=name), honest=honest, seed=seed)
    await database.close()
    print("\n".join(table(rows)), flush=True)
    stops = ", ".join(f"{rule} {count}" for (rule, _), count in platform.honest_stops().most_common())
    print(f"acts of honest organizations that did not simply take place, by rule: {stops or 'none'}\n", flush=True)


async def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m dev.bench.risk", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="what to measure; everything by default")
    parser.add_argument("--rings", type=Path, help="the file of the network for rings")
    parser.add_argument("--honest", type=int, default=HONEST, help="honest organizations of the plays")
    parser.add_argument("--seed", type=int, default=SEED, help="of the plays")
    given = parser.parse_args()
    chosen = given.parts or [part for part in PARTS if part != "rings" or given.rings]
    if "rings" in chosen:
        if given.rings is None:
            parser.error("rings needs --rings")
        print(risk_rings.report(given.rings), flush=True)
    if not {"plays", "creation"} & set(chosen):
        return
    async with running_world() as world:
        if "plays" in chosen:
            await _plays(world, given.honest, given.seed)
        for row in await creation.run(world) if "creation" in chosen else ():
            print(line(row), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
