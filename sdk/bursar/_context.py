"""To whom charges are attributed, for a piece of code and all that it calls."""

import contextlib
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any

from bursar._wire import OMITTED

_NOBODY: Mapping[str, str] = MappingProxyType({})
_ATTRIBUTION: ContextVar[Mapping[str, str]] = ContextVar("bursar_attribution", default=_NOBODY)


@contextlib.contextmanager
def context(
    *,
    agent_id: str | None = None,
    department_id: str | None = None,
    project_id: str | None = None,
    run_id: str | None = None,
) -> Iterator[None]:
    """Attribute every charge and reservation inside to these; what is not named stays as it is around."""
    named = {"agent_id": agent_id, "department_id": department_id, "project_id": project_id, "run_id": run_id}
    given = {name: value for name, value in named.items() if value is not None}
    token = _ATTRIBUTION.set(MappingProxyType({**_ATTRIBUTION.get(), **given}))
    try:
        yield
    finally:
        _ATTRIBUTION.reset(token)


def attributed(body: dict[str, Any]) -> dict[str, Any]:
    """Return the body of a charge with what the context says and the body does not."""
    return {**_ATTRIBUTION.get(), **{name: value for name, value in body.items() if value is not OMITTED}}
