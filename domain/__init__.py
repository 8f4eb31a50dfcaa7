"""Pure rules: money, ids, errors, access, escrow. Standard library only; no clock, no I/O, no async."""
