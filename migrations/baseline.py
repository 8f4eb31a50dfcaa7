"""The schema as it stands: a file of SQL for each area, and the revisions by which a database knows that it has it.

Each area has a module in `versions`, which is its revision for Alembic, and beside it the SQL that makes its tables and
functions. Until the first release a change of the schema edits that SQL. So the id of a revision ends with a digest of
its SQL and of all before it: a database of another schema is at an id that nothing here knows.
"""

import hashlib
import re
from functools import cache
from pathlib import Path

_HERE = Path(__file__).parent
#: Stands for another file, as in psql; its path counts from the folder of the file that has the line.
_INCLUDED = re.compile(r"^\\ir (\S+)$", re.MULTILINE)


@cache
def areas() -> dict[str, str]:
    """Return the SQL of each area by its revision, in the order in which they are made."""
    made, digest = {}, hashlib.sha256()
    for path in sorted((_HERE / "versions").glob("*.sql")):
        sql = _read(_HERE / "protection.sql") + _read(path)
        digest.update(sql.encode())
        made[f"{path.stem}_{digest.hexdigest()[:12]}"] = sql
    return made


def revisions(module: str) -> tuple[str, str | None]:
    """Return the revision of the area that a module of `versions` is for, and the one before it."""
    ids = list(areas())
    place = [path.stem for path in sorted((_HERE / "versions").glob("*.sql"))].index(Path(module).stem)
    return ids[place], ids[place - 1] if place else None


def _read(path: Path) -> str:
    return _INCLUDED.sub(lambda line: _read(path.parent / line[1]), path.read_text("utf-8"))
