"""Baseline schema: the tables of the models, and the SQL that models cannot express.

Until the first release a change of the schema edits a model, or the SQL of its area in `sql`: row-level security,
grants, triggers, functions and initial rows. The revision ends with a digest of all of it: a database of another schema
has an unknown revision.
"""

import hashlib
import re
from functools import cache
from pathlib import Path

from sqlalchemy import create_mock_engine
from sqlalchemy.schema import CreateIndex, ExecutableDDLElement

from models.common.base import Base

_HERE = Path(__file__).parent
#: Include of another file, as in psql, with a path relative to the including file.
_INCLUDED = re.compile(r"^\\ir (\S+)$", re.MULTILINE)


@cache
def sql() -> str:
    """Return the statements that create the schema in an empty database."""
    after = (_HERE / "protection.sql", *sorted((_HERE / "sql").glob("*.sql")))
    return "\n".join((_read(_HERE / "schemas.sql"), _tables(), *map(_read, after)))


@cache
def revision() -> str:
    return f"0001_baseline_{hashlib.sha256(sql().encode()).hexdigest()[:12]}"


def _tables() -> str:
    made: list[ExecutableDDLElement] = []
    engine = create_mock_engine("postgresql+asyncpg://", lambda statement, *_, **__: made.append(statement))
    Base.metadata.create_all(engine, checkfirst=False)
    return "\n".join(f"{each.compile(dialect=engine.dialect)};" for each in sorted(made, key=_turn))


def _turn(statement: ExecutableDDLElement) -> tuple[int, str]:
    """Sort indexes after tables, and those of few columns first.

    Of two indexes with equal cost, PostgreSQL chooses the one created first. In another order a replay to a webhook
    endpoint would read the whole history.
    """
    if isinstance(statement, CreateIndex):
        return len(statement.element.expressions), str(statement.element.name)
    return 0, ""


def _read(path: Path) -> str:
    return _INCLUDED.sub(lambda line: _read(path.parent / line[1]), path.read_text("utf-8"))
