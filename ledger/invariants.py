"""Invariants between the rows of other tables and the books; `commands/verify.py` collects them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Invariant:
    """A rule that `verify` proves in addition to those of the books.

    Attributes:
        name: the rule, as shown in the report.
        table: the table whose rows are counted; if it does not exist yet, the rule is skipped.
        unit: the noun of a row.
        violations: a query of one column of text, whose rows are the violations.
    """

    name: str
    table: str
    unit: str
    violations: str
