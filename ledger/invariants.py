"""How a noun says what its own rows and the books must agree on; `commands/verify.py` collects what all of them say."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Invariant:
    """A rule that `verify` proves beside those of the books themselves.

    Attributes:
        name: the rule, as the report says it.
        table: whose rows are counted; where it does not exist yet, the rule is left out.
        unit: what a row of it is.
        violations: a query of one column of text, whose rows are the violations.
    """

    name: str
    table: str
    unit: str
    violations: str
