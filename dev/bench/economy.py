"""`python -m dev.bench.economy [--seeds N]`: what the rules of allocation and routing are worth, against an oracle.

It needs nothing that runs, and prints the tables of docs/returns.md and docs/routing.md; equal seeds print equal ones.
"""

import argparse

from dev.bench import economy_allocation


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=60)
    asked = parser.parse_args()
    print("\n".join(economy_allocation.table(asked.seeds)))


if __name__ == "__main__":
    main()
