"""Bursar's client: `AsyncBursar` for asyncio, `Bursar` for threads.

Amounts are `Decimal`, and a float is a `TypeError`. A call has one idempotency key over all its attempts: the given
one, one derived from the surrounding activity or request, or a fresh one. If the outcome stays unknown, it raises
`OutcomeUnknown`.
"""

from bursar._async._base import AsyncList, AsyncPage
from bursar._async.agent import AsyncAgent
from bursar._async.client import AsyncBursar
from bursar._async.holds import AsyncHold
from bursar._async.purchases import AsyncPurchase
from bursar._context import context
from bursar._errors import (
    AmbientKeyError,
    APIError,
    AuthenticationError,
    BursarError,
    ConfigurationError,
    Conflict,
    ConnectionFailed,
    HoldEnded,
    HoldExceeded,
    HoldTaken,
    IdempotencyConflict,
    IdempotencyMissing,
    InFlight,
    InsufficientFunds,
    InvalidRequest,
    InWorkflow,
    NotFound,
    OutcomeUnknown,
    PaymentRequired,
    PermissionDenied,
    PreconditionFailed,
    PurchaseNotApproved,
    RateLimited,
    ServerError,
    SignatureError,
    SpendLimitExceeded,
    Unavailable,
    UnexpectedAnswer,
    WrongState,
)
from bursar._keys import step
from bursar._metering import Metering
from bursar._sync._base import List, Page
from bursar._sync.agent import Agent
from bursar._sync.client import Bursar
from bursar._sync.holds import Hold
from bursar._sync.purchases import Purchase
from bursar._wallet import Wallet
from bursar._wire import OMITTED, AmountLike, ResponseInfo, response_info

__all__ = [
    "OMITTED",
    "APIError",
    "Agent",
    "AmbientKeyError",
    "AmountLike",
    "AsyncAgent",
    "AsyncBursar",
    "AsyncHold",
    "AsyncList",
    "AsyncPage",
    "AsyncPurchase",
    "AuthenticationError",
    "Bursar",
    "BursarError",
    "ConfigurationError",
    "Conflict",
    "ConnectionFailed",
    "Hold",
    "HoldEnded",
    "HoldExceeded",
    "HoldTaken",
    "IdempotencyConflict",
    "IdempotencyMissing",
    "InFlight",
    "InWorkflow",
    "InsufficientFunds",
    "InvalidRequest",
    "List",
    "Metering",
    "NotFound",
    "OutcomeUnknown",
    "Page",
    "PaymentRequired",
    "PermissionDenied",
    "PreconditionFailed",
    "Purchase",
    "PurchaseNotApproved",
    "RateLimited",
    "ResponseInfo",
    "ServerError",
    "SignatureError",
    "SpendLimitExceeded",
    "Unavailable",
    "UnexpectedAnswer",
    "Wallet",
    "WrongState",
    "context",
    "response_info",
    "step",
]
