"""The one way in which the sandbox refuses a request: Stripe's error envelope."""

from __future__ import annotations

from typing import Any

DOCS = "https://stripe.com/docs/error-codes/"


class Refusal(Exception):
    """An answer in Stripe's error envelope; the request's changes are rolled back unless `keep` is set.

    Args:
        status: HTTP status of the answer.
        type: Stripe's error type, such as `card_error` or `invalid_request_error`.
        message: What went wrong, for the developer.
        code: Stripe's error code.
        param: The parameter at fault, written as it is sent: `card[number]`.
        decline_code: Why the issuer declined.
        extra: Further members of the error object, such as the `payment_intent` that has failed.
        keep: Commit what the operation has stored, as for a declined charge, and then answer the error.
    """

    def __init__(
        self,
        status: int,
        type: str,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        decline_code: str | None = None,
        extra: dict[str, Any] | None = None,
        keep: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.type = type
        self.message = message
        self.code = code
        self.param = param
        self.decline_code = decline_code
        self.extra = extra or {}
        self.keep = keep

    def body(self) -> dict[str, Any]:
        """Returns the envelope; members without a value are left out, as Stripe does."""
        error: dict[str, Any] = {"type": self.type, "message": self.message}
        if self.code is not None:
            error |= {"code": self.code, "doc_url": DOCS + self.code.replace("_", "-")}
        if self.param is not None:
            error["param"] = self.param
        if self.decline_code is not None:
            error["decline_code"] = self.decline_code
        return {"error": error | self.extra}


def invalid(message: str, *, param: str | None = None, code: str | None = None, status: int = 400) -> Refusal:
    """Returns a refusal of the type that most bad requests have."""
    return Refusal(status, "invalid_request_error", message, param=param, code=code)


def missing(kind: str, id: str, *, param: str = "id", status: int = 404) -> Refusal:
    """Returns the refusal for an id that names nothing: 404 for the object asked for, 400 for one referred to."""
    noun = kind.replace(".", " ").replace("_", " ")
    return invalid(f"No such {noun}: '{id}'", param=param, code="resource_missing", status=status)
