"""What is checked of path and query parameters before an operation sees them.

A query parameter that the operation does not know is refused: ignored in silence, a filter that is misspelt or not
there would return something else than was requested. Each is given once, unless it takes several values. Booleans are
`true` or `false`, whole numbers plain digits: pydantic alone would also take `yes` and `1_000`. A path that holds what
PostgreSQL cannot store names nothing.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from fastapi.dependencies.models import Dependant
from starlette.datastructures import QueryParams

from domain.common.errors import Invalid, NotFound
from domain.common.text import fits_postgres

#: How many faults of a query are listed, and how much of a name is repeated.
_MAX_LISTED = 50
_MAX_NAME = 200

#: How the values of a type are written, and what is said of another text.
_WRITTEN: Mapping[type, tuple[re.Pattern[str], str]] = {
    bool: (re.compile("true|false"), "This must be true or false."),
    int: (re.compile("-?[0-9]+"), "This must be a whole number."),
}


class QueryParameter(NamedTuple):
    """A query parameter of an operation.

    Attributes:
        several: whether it takes several values.
        of: the type of a value: `bool`, `int`, or `str` for everything else.
    """

    several: bool
    of: type


def query_names(dependant: Dependant) -> Iterator[tuple[str, QueryParameter]]:
    """Return the query parameters that an operation and what it depends on take; `name[]` covers all of `name[…]`."""
    for field in dependant.query_params:
        types = set(_types(field.field_info.annotation))
        of = next((kind for kind in _WRITTEN if any(issubclass(one, kind) for one in types)), str)
        yield field.alias, QueryParameter(list in types, of)
    for part in dependant.dependencies:
        family = getattr(part.call, "query_family", None)
        if family is not None:
            yield f"{family}[]", QueryParameter(several=False, of=str)
        yield from query_names(part)


def _types(annotation: Any) -> Iterator[type]:
    """Return the classes of the values that a parameter may have, and `list` if there may be several."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _types(get_args(annotation)[0])
    elif origin in (Union, UnionType, list):
        for part in get_args(annotation):
            yield from _types(part)
    if isinstance(origin or annotation, type):
        yield origin or annotation


def check_path(parameters: Mapping[str, str]) -> None:
    """Refuse a path that cannot name anything.

    Raises:
        NotFound: a parameter holds NUL or half of a surrogate pair.
    """
    if not all(fits_postgres(value) for value in parameters.values()):
        raise NotFound("This path does not exist.")


def check_query(query: QueryParams, known: Mapping[str, QueryParameter]) -> None:
    """Refuse a query that the operation would not read as it is meant.

    Raises:
        Invalid: a parameter is unknown, given more than once, cannot be stored, or is no boolean or whole number.
    """
    faults: dict[str, str] = {}
    for name, times in Counter(name for name, _ in query.multi_items()).items():
        parameter = known.get(name)
        if parameter is None and name.endswith("]"):
            parameter = known.get(f"{name.partition('[')[0]}[]")
        if parameter is None:
            faults[name] = "Unknown parameter."
        elif times > 1 and not parameter.several:
            faults[name] = "Given more than once."
        elif not all(map(fits_postgres, query.getlist(name))):
            faults[name] = "NUL and unpaired surrogates are not allowed here."
        elif parameter.of in _WRITTEN:
            pattern, message = _WRITTEN[parameter.of]
            if not all(map(pattern.fullmatch, query.getlist(name))):
                faults[name] = message
    if faults:
        listed = [{"field": name[:_MAX_NAME], "message": message} for name, message in faults.items()][:_MAX_LISTED]
        raise Invalid(f"{listed[0]['field']}: {listed[0]['message']}", extra={"errors": listed})
