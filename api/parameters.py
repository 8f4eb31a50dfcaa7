"""What is checked of path and query parameters before an operation sees them.

A query parameter that the operation does not know is refused: ignored in silence, a filter that is misspelt or not
there would return something else than was requested. Each is given once, unless it takes several values. A path that
holds what PostgreSQL cannot store names nothing.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from fastapi.dependencies.models import Dependant
from starlette.datastructures import QueryParams

from domain.errors import Invalid, NotFound
from domain.text import is_holdable

#: How many faults of a query are listed, and how much of a name is repeated.
_MAX_LISTED = 50
_MAX_NAME = 200


def query_names(dependant: Dependant) -> Iterator[tuple[str, bool]]:
    """Return the query parameters that an operation and what it depends on take, and whether each takes several.

    `name[]` covers all of `name[…]`.
    """
    for field in dependant.query_params:
        yield field.alias, _takes_several(field.field_info.annotation)
    for part in dependant.dependencies:
        family = getattr(part.call, "query_family", None)
        if family is not None:
            yield f"{family}[]", False
        yield from query_names(part)


def _takes_several(annotation: Any) -> bool:
    """Return whether a parameter of this type is a list, or may be one."""
    origin = get_origin(annotation)
    if origin in (Annotated, Union, UnionType):
        return any(map(_takes_several, get_args(annotation)))
    return list in (annotation, origin)


def check_path(parameters: Mapping[str, str]) -> None:
    """Refuse a path that cannot name anything.

    Raises:
        NotFound: a parameter holds NUL or half of a surrogate pair.
    """
    if not all(is_holdable(value) for value in parameters.values()):
        raise NotFound("This path does not exist.")


def check_query(query: QueryParams, known: Mapping[str, bool]) -> None:
    """Refuse a query that the operation would not read as it is meant.

    Raises:
        Invalid: a parameter is unknown, given more than once, or cannot be stored.
    """
    faults: dict[str, str] = {}
    for name, times in Counter(name for name, _ in query.multi_items()).items():
        if name not in known and not (name.endswith("]") and f"{name.partition('[')[0]}[]" in known):
            faults[name] = "Unknown parameter."
        elif times > 1 and not known.get(name, False):
            faults[name] = "Given more than once."
        elif not all(map(is_holdable, query.getlist(name))):
            faults[name] = "NUL and unpaired surrogates are not allowed here."
    if faults:
        listed = [{"field": name[:_MAX_NAME], "message": message} for name, message in faults.items()][:_MAX_LISTED]
        raise Invalid(f"{listed[0]['field']}: {listed[0]['message']}", extra={"errors": listed})
