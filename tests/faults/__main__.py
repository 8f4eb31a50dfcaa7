"""The command line: `python -m tests.faults [--escrows 200] [--kills 4] [--clients 20] [--seed N]`."""

import argparse
import asyncio
import secrets
import shutil
import sys
import tempfile
import time
from pathlib import Path

from stack.process import StackError
from tests.faults.run import Setup, report, run


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults", description="Kill every part under load, and count."
    )
    parser.add_argument("--escrows", type=int, default=200, help="how many escrows are settled (200)")
    parser.add_argument("--kills", type=int, default=4, help="how often each part is killed (4)")
    parser.add_argument("--clients", type=int, default=20, help="how many clients work at once (20)")
    parser.add_argument("--seed", type=int, default=None, help="draws the same plans and kills again")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else secrets.randbelow(1_000_000)
    setup = Setup(seed, options.escrows, options.kills, options.clients)
    home = Path(tempfile.mkdtemp(prefix="bursar-faults-"))
    home.chmod(0o711)  # the account of PostgreSQL passes through
    print(
        f"Faults with seed {seed}: {setup.escrows} escrows from {setup.clients} clients; worker, API, Temporal and "
        f"PostgreSQL killed {setup.kills} times each",
        flush=True,
    )
    began = time.monotonic()
    try:
        findings = asyncio.run(run(setup, lambda line: print(line, flush=True), home / "data"))
    except (StackError, ExceptionGroup) as error:
        print(f"error: {error}\nThe data and the logs stay in {home}; again with --seed {seed}", file=sys.stderr)
        return 1
    print(f"\n{report(findings)}")
    verdict = "Something is off" if findings.wrong else "Nothing was lost, nothing was done twice"
    print(f"\n{verdict}: {setup.escrows} escrows, seed {seed}, {time.monotonic() - began:.0f} s")
    if findings.wrong:
        print(f"The data and the logs stay in {home}; again with --seed {seed}", file=sys.stderr)
        return 1
    shutil.rmtree(home, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
