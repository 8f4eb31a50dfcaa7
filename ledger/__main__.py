"""`python -m ledger verify`: verifies the books. All commands: `python -m manage --help`."""

import sys

from manage import main

if __name__ == "__main__":
    if sys.argv[1:2] != ["verify"]:
        sys.stderr.write("usage: python -m ledger verify [--database-url URL]; see also python -m manage --help\n")
        sys.exit(2)
    sys.exit(main(sys.argv[1:]))
