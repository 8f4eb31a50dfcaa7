"""Report of the day."""

from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction


@dataclass
class Report:
    """Report of the day; amounts are in minor units of credits.

    Attributes:
        passed: what was let through although it did not fit.
        wrongly_refused: what was refused although it fitted.
        stuck: what is still held when all is over.
        differs: windows of which the books count something else.
        asked: how often each kind asked.
        got: what each kind got.
        refused: how often each kind was refused, by reason.
        expired: how many holds the sweep ended.
        forged: how often an agent tried what is not its to do, and how often it could.
        still_fits: what is still wanted and would have fitted.
    """

    passed: list[str] = field(default_factory=list)
    wrongly_refused: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    differs: list[str] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    got: Counter[str] = field(default_factory=Counter)
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    expired: int = 0
    forged: Counter[str] = field(default_factory=Counter)
    still_fits: int = 0

    @property
    def share(self) -> Fraction:
        """Used share of the usable amount."""
        used = sum(self.got.values())
        return Fraction(used, used + self.still_fits)
