"""`python -m ledger`: the commands of `books.py`, the composition root that knows the settings and every noun."""

from books import main

if __name__ == "__main__":
    raise SystemExit(main())
