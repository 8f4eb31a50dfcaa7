"""`python -m dev.bench.economy [--seeds N] [--routing PATH]`: what allocation and routing are worth, against an oracle.

It needs nothing that runs, and prints the tables of docs/returns.md and docs/routing.md; equal seeds print equal ones.
Routing is measured on a file of answers, which is not bundled, and with a third of the seeds.
"""

import argparse
from pathlib import Path

from dev.bench import economy_allocation, economy_routing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=60)
    parser.add_argument("--routing", type=Path, metavar="PATH", help="the answers of a strong and a weak model, as CSV")
    asked = parser.parse_args()
    print("\n".join(economy_allocation.table(asked.seeds)))
    if asked.routing is not None:
        seeds = range(1, max(1, asked.seeds // 3) + 1)
        print("\n".join(economy_routing.table(asked.routing, seeds)))


if __name__ == "__main__":
    main()
