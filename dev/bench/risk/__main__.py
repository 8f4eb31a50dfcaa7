"""Measures decisions against fraud, and prints three tables.

`python -m dev.bench.risk [plays] [rings] [creation] [--rings PATH] [--honest N] [--seed N]`
"""

import argparse
import asyncio

from dev.bench.__main__ import line
from dev.bench.risk import creation
from dev.bench.world import running_world

PARTS = ("plays", "rings", "creation")


async def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m dev.bench.risk", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="what to measure; everything by default")
    chosen = parser.parse_args().parts or list(PARTS)
    async with running_world() as world:
        if "creation" in chosen:
            for row in await creation.run(world):
                print(line(row), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main()))
