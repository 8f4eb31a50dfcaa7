"""The parts of the data map: categories of data, and the places that hold it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Category(StrEnum):
    """The category of a field, by the most sensitive data that it may hold."""

    CONTACT = "contact"  # what a person or an organization is called, or reached by
    IDENTIFIER = "identifier"  # what names one thing or one person and says nothing else of it
    FREE_TEXT = "free_text"  # what people and providers write, and documents that hold such text
    NETWORK = "network"  # where a request came from and what it asked for
    FINANCIAL = "financial"  # amounts, and what they are for
    SECRET = "secret"  # what lets somebody act
    TECHNICAL = "technical"  # states, times, counts, terms


DELETE, SEAL = "delete", "seal"


def keep(ground: str) -> str:
    """Return the entry of data that is not erased, with the reason."""
    return f"keep: {ground}"


BOOKS = keep("the law that books are kept")
EVIDENCE = keep("evidence of who decided about money")
NAMELESS = keep("it names nobody by itself, and the books refer to it")
NOTHING_PERSONAL = keep("it says nothing of a person")

#: How each category is erased where its place does not say otherwise.
ERASED: Mapping[Category, str] = {
    Category.CONTACT: SEAL,
    Category.IDENTIFIER: NAMELESS,
    Category.FREE_TEXT: SEAL,
    Category.NETWORK: DELETE,
    Category.FINANCIAL: BOOKS,
    Category.SECRET: DELETE,
    Category.TECHNICAL: NOTHING_PERSONAL,
}

WITH_THE_BOOKS = "as long as the books: what the law asks for where the operator is, 6 to 10 years in most places"
WITH_THE_ORGANIZATION = "as long as the organization, then as long as the books"
SETTLED = "30 days"
IN_TEMPORAL = "as long as the run, then the namespace's retention"
IN_LOGS = "as long as the operator keeps logs; 30 days is enough to look into a fault"


@dataclass(frozen=True, slots=True)
class Entry:
    """The entry of one column or field."""

    category: Category
    purpose: str
    retention: str
    erased: str


@dataclass(frozen=True, slots=True)
class Place:
    """A table, or all messages, or all log lines: its purpose and its fields.

    Attributes:
        purpose: the purpose of the data.
        retention: how long a row is kept.
        holds: the names of the fields by category, separated by spaces.
        erased: the categories whose erasure differs from `ERASED`.
    """

    purpose: str
    retention: str
    holds: Mapping[Category, str]
    erased: Mapping[Category, str] = field(default_factory=dict)

    def entries(self) -> Iterator[tuple[str, Entry]]:
        """Return the entry of each name."""
        for category, names in self.holds.items():
            erased = self.erased.get(category, ERASED[category])
            for name in names.split():
                yield name, Entry(category, self.purpose, self.retention, erased)


CONTACT, IDENTIFIER, FREE_TEXT = Category.CONTACT, Category.IDENTIFIER, Category.FREE_TEXT
NETWORK, FINANCIAL, SECRET, TECHNICAL = Category.NETWORK, Category.FINANCIAL, Category.SECRET, Category.TECHNICAL
#: Who decided is kept for as long as what was decided has to be proved.
WHO_DECIDED = {CONTACT: EVIDENCE}
