"""Tables of cases that one test goes through."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from inspect import iscoroutinefunction, signature
from typing import Any

import pytest

Cases = Iterable[Any] | Callable[[], Iterable[Any]]
#: How a case fails. A skip is a failure too: it would hide the other cases.
FAILURES = (Exception, pytest.fail.Exception, pytest.skip.Exception)
#: What `pytest.param` makes.
Param = type(pytest.param())


def for_each(names: str | Sequence[str], cases: Cases) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Run a test for each case, as `pytest.mark.parametrize` does, but as one test, which names all cases that failed.

    The cases share the test's fixtures, so each has to leave them as they were. Cases that are given as a function are
    made when the test runs, not when it is collected.
    """
    arguments = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)

    def looped(test: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(test)
        def run(*fixtures: Any, **named: Any) -> None:
            table = Table(arguments, cases)
            for case in table.cases:
                with table.noting(case):
                    test(*fixtures, **named, **case)
            table.check()

        @wraps(test)
        async def run_async(*fixtures: Any, **named: Any) -> None:
            table = Table(arguments, cases)
            for case in table.cases:
                with table.noting(case):
                    await test(*fixtures, **named, **case)
            table.check()

        loop: Any = run_async if iscoroutinefunction(test) else run
        declared = signature(test)
        assert {*arguments} <= {*declared.parameters}, f"{test.__name__} does not take {names}"
        fixtures = [given for name, given in declared.parameters.items() if name not in arguments]
        loop.__signature__ = declared.replace(parameters=fixtures)
        return loop  # type: ignore[no-any-return]

    return looped


class Table:
    """The cases of one test, and the failures among them."""

    def __init__(self, names: Sequence[str], cases: Cases) -> None:
        self.cases = [self._arguments(names, case) for case in (cases if isinstance(cases, Iterable) else cases())]
        self._failures: list[tuple[dict[str, Any], BaseException]] = []

    @staticmethod
    def _arguments(names: Sequence[str], case: Any) -> dict[str, Any]:
        if isinstance(case, Param):
            assert not case.marks, "A case of a loop has no marks."
            values = case.values
        else:
            values = case if len(names) > 1 else [case]
        return dict(zip(names, values, strict=True))

    @contextmanager
    def noting(self, case: dict[str, Any]) -> Iterator[None]:
        """Note that the case failed, and go on."""
        try:
            yield
        except FAILURES as error:
            self._failures.append((case, error))

    def check(self) -> None:
        """Fail if a case failed, or if there was none."""
        assert self.cases, "There are no cases."
        if self._failures:
            lines = [f"{len(self._failures)} of {len(self.cases)} cases failed; the first is shown above."]
            for case, error in self._failures:
                values = ", ".join(f"{name}={repr(value)[:200]}" for name, value in case.items())
                lines.append(f"- {values}\n  {type(error).__name__}: {error}")
            raise AssertionError("\n".join(lines)) from self._failures[0][1]
