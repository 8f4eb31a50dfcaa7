"""Idempotency keys: given, made of where a call stands, or fresh.

A scope is where calls stand: an attempt of an activity, a request, or a step in one of these. It numbers the calls of
each operation, so that the same code makes the same keys when it runs again.
"""

import contextlib
import hashlib
import json
import re
import secrets
import sys
import threading
from collections.abc import Iterator
from contextvars import ContextVar

from bursar._errors import AmbientKeyError, HoldTaken, InWorkflow

_KEY = re.compile(r"[\x21-\x7e]([\x20-\x7e]{0,253}[\x21-\x7e])?")
#: Keys are letters only: long runs of digits are refused by the API where they look like the number of a card.
_LETTERS = str.maketrans("0123456789abcdef", "ghijklmnopabcdef")


def fresh() -> str:
    """Return a key that no other call has."""
    return "once-" + secrets.token_hex(16).translate(_LETTERS)


def derived(*parts: str) -> str:
    """Return the key of these parts, always of the same length."""
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    return "from-" + digest[:48].translate(_LETTERS)


def checked(key: str) -> str:
    """Return a key that the API takes.

    Raises:
        ValueError: it is empty, longer than 255 characters, or not of printable ASCII.
    """
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise ValueError("An idempotency key must consist of 1 to 255 printable ASCII characters.")
    return key


class Guard:
    """Whether this run charged a request that may be a repeat; until then its work is unpaid."""

    def __init__(self) -> None:
        """Begin before the first charge."""
        self.is_passed = False


class Scope:
    """Call sites by their identity; threads and tasks of one scope may share it."""

    def __init__(self, *identity: str, guard: Guard | None = None) -> None:
        """Name the scope by what stays the same when the same code runs again.

        With a guard, the first charge in it is refused where an earlier run was charged.
        """
        self.identity = identity
        self.guard = guard
        self._lock = threading.Lock()
        self._count: dict[str, int] = {}
        self._running: set[str] = set()

    @contextlib.contextmanager
    def place(self, name: str, *, alone: bool = True) -> Iterator[str]:
        """Hold the next place of an operation, or of a step, for as long as it runs.

        Without `alone`, others of the name may run at once: they do the same, so it does not matter which comes first.

        Raises:
            AmbientKeyError: another one of the same name is running, so that their order would be by chance.
        """
        with self._lock:
            if alone and name in self._running:
                raise AmbientKeyError(
                    f"Two calls of {name} run at once, and which comes first may differ when this runs again. Put each "
                    'into a step of its own (`with bursar.step("name"):`), or give each its `idempotency_key`.'
                )
            if alone:
                self._running.add(name)
            number = self._count.get(name, 0)
            self._count[name] = number + 1
        try:
            yield derived(*self.identity, name, str(number))
        finally:
            if alone:
                with self._lock:
                    self._running.discard(name)


_SCOPE: ContextVar[Scope | None] = ContextVar("bursar_scope", default=None)


def current_scope() -> Scope | None:
    """Return where the call stands, None if nothing names it."""
    scope = _SCOPE.get()
    if scope is not None:
        return scope
    if "temporalio.activity" in sys.modules:
        from bursar import _activities

        return _activities.scope()
    return None


@contextlib.contextmanager
def opened(scope: Scope | None) -> Iterator[None]:
    """Make calls in a scope; with None each call has a fresh key."""
    token = _SCOPE.set(scope)
    try:
        yield
    finally:
        _SCOPE.reset(token)


@contextlib.contextmanager
def step(name: str, *, of: str | None = None) -> Iterator[None]:
    """Derive the keys of the calls inside from this name and the surrounding activity or request.

    Args:
        name: of the step. Reusing a name afterwards makes another step; reusing it concurrently is refused.
        of: what the step belongs to if there is no activity or request, such as the id of an order. The same name of
            the same thing means the same calls forever: a second payment needs another name.

    Raises:
        AmbientKeyError: there is no activity, request or `of`, or a step of this name is running.
    """
    if of is not None:
        with opened(Scope("step", of, name)):
            yield
        return
    around = current_scope()
    if around is None:
        raise AmbientKeyError(
            'There is no activity and no request here that this is a step of. Say what it belongs to: `step("name", '
            'of="order-17")`, or give calls their `idempotency_key`.'
        )
    with around.place(f"step {name}") as place, opened(Scope(place, guard=around.guard)):
        yield


@contextlib.contextmanager
def alike(*parts: str) -> Iterator[None]:
    """Make the calls inside a step of the surrounding activity or request, if there is one.

    Steps with the same parts do the same, and may run at once.
    """
    around = current_scope()
    if around is None:
        yield
        return
    with around.place(derived(*parts), alone=False) as place, opened(Scope(place, guard=around.guard)):
        yield


@contextlib.contextmanager
def key_for(operation: str, given: str | None) -> Iterator[str]:
    """Yield the key of a call: the one given, else one of the scope, else a fresh one."""
    if given is not None:
        yield checked(given)
        return
    scope = current_scope()
    if scope is None:
        yield fresh()
        return
    with scope.place(operation) as key:
        yield key


def unpassed_guard() -> Guard | None:
    """Return the guard of the request around that no charge of this run has passed yet."""
    scope = _SCOPE.get()
    guard = None if scope is None else scope.guard
    return None if guard is None or guard.is_passed else guard


def pass_guard(*, is_repeat: bool) -> None:
    """Note that a call has charged, so that what follows in the request is paid for.

    Raises:
        HoldTaken: an earlier run of the request was charged by this very call.
    """
    guard = unpassed_guard()
    if guard is None:
        return
    if is_repeat:
        raise HoldTaken("captured", None)
    guard.is_passed = True


def refuse_in_workflow() -> None:
    """Refuse where workflow code runs.

    Raises:
        InWorkflow: nothing may reach the network here, because it would happen again with every replay.
    """
    workflow = sys.modules.get("temporalio.workflow")
    if workflow is not None and workflow.in_workflow():
        raise InWorkflow(
            "Workflow code must not call Bursar, because a replay would call it again. Call it in an activity: "
            "`await workflow.execute_activity(charge, …)`. Inside it, keys come from the activity."
        )
