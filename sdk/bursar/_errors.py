"""Errors of the client. Match on the class, or on `code`, which the API's docs/reference/errors.md explains.

BursarError
├── ConfigurationError        no key, an address that is none, a transport of the wrong kind
├── InWorkflow                a method was called in workflow code
├── AmbientKeyError           a key cannot be made of where the call stands
├── ConnectionFailed          no answer came, and nothing took effect
├── UnexpectedAnswer          the response is not one of this API
├── OutcomeUnknown            it may have taken effect or not
├── HoldExceeded              more was used than is held
├── HoldTaken                 another run of the same code has the hold, or captured it
├── PurchaseNotApproved       a purchase may not be made, or not yet
├── SignatureError            a webhook that is not from the API
└── APIError                  the API refused; by its code, else by its status
    ├── InvalidRequest        400, 405, 413, 415, 422
    │   ├── IdempotencyConflict
    │   └── IdempotencyMissing
    ├── AuthenticationError   401
    ├── PaymentRequired       402
    │   ├── InsufficientFunds
    │   └── SpendLimitExceeded
    ├── PermissionDenied      403
    ├── NotFound              404
    ├── Conflict              409
    │   ├── InFlight
    │   ├── HoldEnded
    │   └── WrongState
    ├── PreconditionFailed    412, 428
    ├── RateLimited           429
    └── ServerError           5xx
        └── Unavailable
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any


class BursarError(Exception):
    """The base of all that this package raises, but `TypeError` and `ValueError` for arguments."""


class ConfigurationError(BursarError):
    """The client cannot be made of what it was given."""


class InWorkflow(BursarError):
    """A method was called in workflow code, where nothing may reach the network."""


class AmbientKeyError(BursarError):
    """A key cannot be made of where the call stands; the message says what to do instead."""


class ConnectionFailed(BursarError):
    """No answer came, and the request had no effect: it never reached the API, or only reads."""


class UnexpectedAnswer(BursarError):
    """The response is not one of this API. The request may have taken effect.

    Repeat the same call with `idempotency_key=error.key`: it takes effect once.

    Attributes:
        status: the HTTP status.
        body: the answer as it came.
        key: the key of the request; None if it has none.
    """

    def __init__(self, message: str, *, status: int, body: bytes, key: str | None = None) -> None:
        """Keep the response."""
        way = f" It may have taken effect: repeat it with idempotency_key={key!r}." if key else ""
        super().__init__(f"{message}{way}")
        self.status = status
        self.body = body
        self.key = key


class OutcomeUnknown(BursarError):
    """The request may or may not have taken effect: its outcome was not known in time. It is not a failure.

    Repeat the same call with `idempotency_key=error.key`: it takes effect exactly once in either case.

    Attributes:
        key: the key of the request; None if the operation takes none.
        operation: the operation, such as `credits.use`.
    """

    def __init__(self, key: str | None, operation: str) -> None:
        """Say what to repeat."""
        way = f"repeat it with idempotency_key={key!r}" if key else "read its outcome before you repeat it"
        super().__init__(f"The outcome of {operation} is unknown: {way}.")
        self.key = key
        self.operation = operation


class HoldExceeded(BursarError):
    """More was used than is held. What is held was noted, and the rest of this use was not.

    Attributes:
        excess: how much was not noted.
    """

    def __init__(self, excess: Decimal) -> None:
        """Keep how much is too much."""
        super().__init__(f"More was used than is held, by {excess}.")
        self.excess = excess


class HoldTaken(BursarError):
    """Another run of the same code has the hold, or was charged.

    Attributes:
        status: `reserved` or `captured`.
        expires_at: when it ends if that run died.
    """

    def __init__(self, status: str, expires_at: datetime | None) -> None:
        """Keep where the hold stands."""
        running, charged = "Another run of the same code has this hold.", "An earlier run of the same code was charged."
        super().__init__(running if status == "reserved" else charged)
        self.status = status
        self.expires_at = expires_at


class PurchaseNotApproved(BursarError):
    """A purchase may not be made, or not yet. Nothing is held, unless it waits for a person.

    Attributes:
        order_id: of the purchase order, to abandon it, or to read whether a person has approved it.
        status: `needs_approval`, `needs_alternatives`, `declined_over_budget`, `declined_policy`, or how it ended.
        sentence: why, for people and agents.
        remaining: what is left in the window that decided, in `currency`; None if no budget did.
        resets_at: when there is more; None if that is not known.
    """

    def __init__(
        self,
        order_id: str,
        status: str,
        sentence: str,
        *,
        remaining: Decimal | None,
        currency: str | None,
        resets_at: datetime | None,
    ) -> None:
        """Keep the decision."""
        super().__init__(f"Purchase order {order_id} is {status}: {sentence}")
        self.order_id = order_id
        self.status = status
        self.sentence = sentence
        self.remaining = remaining
        self.currency = currency
        self.resets_at = resets_at


class SignatureError(BursarError):
    """A webhook is not signed by one of the secrets, or not of these minutes."""


class APIError(BursarError):
    """The API refused.

    Attributes:
        status: the HTTP status.
        code: stable and dotted; empty where something in front of the API answered.
        detail: one sentence for people.
        request_id: finds the request in the logs.
        problem: all members of the problem document.
        retry_after: seconds to wait before the request may succeed; None if the answer does not say.
    """

    def __init__(
        self, status: int, problem: Mapping[str, Any], *, request_id: str | None, retry_after: float | None = None
    ) -> None:
        """Read a problem document."""
        self.status = status
        #: The same, by the name that proxies and routers look for in what they pass on.
        self.status_code = status
        self.problem = dict(problem)
        self.code = str(problem.get("code") or "")
        self.detail = str(problem.get("detail") or problem.get("title") or f"The API answered {status}.")
        named = problem.get("request_id") or request_id
        self.request_id = None if named is None else str(named)
        self.retry_after = retry_after
        super().__init__(f"{self.code or status}: {self.detail} (request {self.request_id})")


class InvalidRequest(APIError):
    """The request breaks a rule; `problem["errors"]` lists the fields."""


class IdempotencyConflict(InvalidRequest):
    """The key was used for another request."""


class IdempotencyMissing(InvalidRequest):
    """The operation needs a key."""


class AuthenticationError(APIError):
    """The key is missing, unknown, revoked or expired."""


class PaymentRequired(APIError):
    """There is not enough, or no more may be spent."""


class InsufficientFunds(PaymentRequired):
    """The account does not have the amount."""


class SpendLimitExceeded(PaymentRequired):
    """A spend control refuses."""


class PermissionDenied(APIError):
    """The key's role may not do this."""


class NotFound(APIError):
    """There is no such object, or it belongs to another organization."""


class Conflict(APIError):
    """The object's state does not allow it."""


class InFlight(Conflict):
    """The first request with this key is still running."""


class HoldEnded(Conflict):
    """The reservation was captured, released or expired."""


class WrongState(Conflict):
    """The escrow's state does not allow it."""


class PreconditionFailed(APIError):
    """The object changed since it was read, or `if_match` is missing."""


class RateLimited(APIError):
    """Too many requests for this window."""


class ServerError(APIError):
    """The API failed."""


class Unavailable(ServerError):
    """The API cannot do it now."""


BY_CODE: dict[str, type[APIError]] = {
    "idempotency.conflict": IdempotencyConflict,
    "idempotency.missing": IdempotencyMissing,
    "idempotency.in_flight": InFlight,
    "ledger.insufficient_funds": InsufficientFunds,
    "ledger.hold_ended": HoldEnded,
    "ledger.hold_expired": HoldEnded,
    "spend.limit_exceeded": SpendLimitExceeded,
    "escrow.wrong_state": WrongState,
    "service.unavailable": Unavailable,
}
BY_STATUS: dict[int, type[APIError]] = {
    **dict.fromkeys((400, 405, 413, 415, 422), InvalidRequest),
    401: AuthenticationError,
    402: PaymentRequired,
    403: PermissionDenied,
    404: NotFound,
    409: Conflict,
    412: PreconditionFailed,
    428: PreconditionFailed,
    429: RateLimited,
}


def error_class(status: int, code: str) -> type[APIError]:
    """Return what an answer is raised as: by its code, else by its status, else the base class."""
    known = BY_CODE.get(code)
    if known is not None:
        return known
    return BY_STATUS.get(status, ServerError if status >= 500 else APIError)
