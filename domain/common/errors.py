"""The one error tree. Callers distinguish refusals by their `code`.

DomainError
├── Invalid              request.invalid             422
│   └── CardNumber       privacy.card_number         422
├── Unauthenticated      auth.missing | auth.invalid 401
├── Forbidden            auth.forbidden              403
├── NotFound             not_found                   404
├── Conflict             (its own code)              409
│   ├── WrongState       escrow.wrong_state
│   └── InFlight         idempotency.in_flight       retryable
├── BadSignature         webhook.bad_signature       400
├── IdempotencyMissing   idempotency.missing         400
├── IdempotencyConflict  idempotency.conflict        422
├── InsufficientFunds    ledger.insufficient_funds   402
├── SpendLimitExceeded   spend.limit_exceeded        402
├── RateLimited          rate_limited                429, retryable
└── Unavailable          service.unavailable         503, retryable

The tree is translated twice: to a problem document in `api/errors.py`, and to an `ApplicationError` whose type is the
code by the interceptor in `runtime/interceptors.py`. `docs/errors.md` explains every code.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import ClassVar


class DomainError(Exception):
    """A refusal that the caller can understand and act on.

    Attributes:
        code: stable, dotted, documented in `docs/errors.md`.
        status: the HTTP status that carries it.
        retryable: whether the same request may succeed later without being changed.
        frees_key: whether the idempotency key may carry the request again with what was missing, as nothing was done.
        detail: one sentence that says what is wrong and what to do.
        extra: further members of the problem document (for example `{"state": "released"}`), JSON values only.
    """

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False
    frees_key: ClassVar[bool] = False

    def __init__(self, detail: str, *, code: str | None = None, extra: Mapping[str, object] | None = None) -> None:
        """Keep the sentence and what goes beside it; `code` narrows the class's own code."""
        super().__init__(detail)
        self.detail = detail
        self.error_code = code or self.code
        self.extra: dict[str, object] = dict(extra or {})


class Invalid(DomainError):
    """The request cannot be understood or breaks a rule that needs no state to be checked."""

    code = "request.invalid"
    status = 422


class CardNumber(Invalid):
    """The request contains a payment card's number, which is never accepted, stored or repeated."""

    code = "privacy.card_number"


class Unauthenticated(DomainError):
    """No key was sent, or one that is unknown, revoked or expired."""

    code = "auth.invalid"
    status = 401


class Forbidden(DomainError):
    """The key is good, the object is visible to it, and its role may not do this."""

    code = "auth.forbidden"
    status = 403


class NotFound(DomainError):
    """There is no such object, or it belongs to another organization; the answer is the same."""

    code = "not_found"
    status = 404


class Conflict(DomainError):
    """The object is not in a state that allows this."""

    code = "conflict"
    status = 409


class WrongState(Conflict):
    """The escrow's state does not allow the command; the field `state` names it."""

    code = "escrow.wrong_state"


class InFlight(Conflict):
    """A request with this idempotency key is still running."""

    code = "idempotency.in_flight"
    retryable = True


class BadSignature(DomainError):
    """A webhook is unsigned, has a wrong signature, is too old, or is not an event."""

    code = "webhook.bad_signature"
    status = 400


class IdempotencyMissing(DomainError):
    """A POST that moves money came without an Idempotency-Key."""

    code = "idempotency.missing"
    status = 400


class IdempotencyConflict(DomainError):
    """The key was used before, with other content."""

    code = "idempotency.conflict"
    status = 422


def other_request(object_id: str | None = None) -> IdempotencyConflict:
    """Return the refusal of a key that was used for another request.

    `object_id` is what that request made or changed, if known; reading it is subject to the usual permissions.
    """
    extra = {} if object_id is None else {"object_id": object_id}
    return IdempotencyConflict("This Idempotency-Key was used for another request. Choose a new one.", extra=extra)


class InsufficientFunds(DomainError):
    """The transfer would take the account below its minimum balance."""

    code = "ledger.insufficient_funds"
    status = 402


class SpendLimitExceeded(DomainError):
    """A spend control refuses the spend; the problem document names the control, the window and what is left of it."""

    code = "spend.limit_exceeded"
    status = 402


class RateLimited(DomainError):
    """The rate limit of the key or its organization is used up; `retry_after` is the number of seconds to wait."""

    code = "rate_limited"
    status = 429
    retryable = True


class Unavailable(DomainError):
    """A part that the request needs did not answer in time. Repeating the same key is safe."""

    code = "service.unavailable"
    status = 503
    retryable = True


@lru_cache(maxsize=512)
def class_of(code: str, status: int, *, retryable: bool = False) -> type[DomainError]:
    """Return the class with the code, or else with the status, or else a new class."""
    classes = list(_tree(DomainError))
    for candidate in classes:
        if candidate.code == code and candidate.status == status and candidate.retryable == retryable:
            return candidate
    for candidate in classes:
        if candidate.status == status and candidate.retryable == retryable and candidate is not DomainError:
            return candidate
    return type("RemoteDomainError", (DomainError,), {"code": code, "status": status, "retryable": retryable})


def _tree(root: type[DomainError]) -> Iterator[type[DomainError]]:
    """Walk the classes breadth first, so a general class is met before its special cases."""
    level = [root]
    while level:
        yield from level
        level = [
            child for parent in level for child in parent.__subclasses__() if child.__name__ != "RemoteDomainError"
        ]
