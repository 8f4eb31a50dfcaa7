"""`python -m dev.bench.economy [--seeds N] [--routing FILE]`: what the rules of allocation and routing are worth.

It needs nothing that runs, and prints the tables of returns.md and routing.md in docs/guides; equal seeds print
equal ones.
`FILE` has the outcomes of two models, see `dev/bench/economy_routing.py`; without it allocation alone is tried.
"""

import argparse
from pathlib import Path

from dev.bench import economy_allocation, economy_routing

#: The seeds of docs/guides/routing.md.
ROUTES = range(1, 21)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=60)
    parser.add_argument("--routing", type=Path)
    asked = parser.parse_args()
    print("\n".join(economy_allocation.table(asked.seeds)))
    if asked.routing:
        print("\n".join(["", *economy_routing.table(asked.routing, ROUTES)]))


if __name__ == "__main__":
    main()
