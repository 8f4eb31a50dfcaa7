"""API keys: the sandbox accepts every secret and restricted test key, and no live key."""

from __future__ import annotations

import base64
import re

from starlette.requests import Request

from dev.sandbox.stripe.errors import Refusal

TEST_KEY = re.compile(r"(sk|rk|pk)_test_\w{3,}")
# What a page in a customer's browser may do; it must name the object's client secret as well.
PUBLISHABLE = re.compile(r"(get|post) /v1/(payment_intents|setup_intents)/[^/]+(/confirm)?|post /v1/payment_methods")


def publishable(request: Request) -> bool:
    """Returns whether the key is a publishable one, after refusing what is no test key.

    Raises:
        Refusal: 401 without a key, with a live key or with none of Stripe's; 403 when a publishable key does not do.
    """
    key = sent_key(request)
    if not key:
        raise unauthorized("You did not provide an API key. Send it as `Authorization: Bearer YOUR_SECRET_KEY`.")
    if re.match(r"(sk|rk|pk)_live_", key):
        raise unauthorized(
            "This sandbox moves no money and refuses live keys. Remove the live key from this configuration."
        )
    if not TEST_KEY.fullmatch(key):
        raise unauthorized(f"Invalid API Key provided: {'*' * (len(key) - 4)}{key[4:][-4:]}")
    if not key.startswith("pk_"):
        return False
    if not PUBLISHABLE.fullmatch(f"{request.method.lower()} {request.url.path}"):
        raise Refusal(
            403,
            "invalid_request_error",
            "This API call cannot be made with a publishable API key. Please use a secret API key.",
            code="secret_key_required",
        )
    return True


def sent_key(request: Request) -> str:
    """Returns the key from the `Authorization` header, whether bearer or basic, or nothing."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[0]
        except ValueError:
            return ""
    return ""


def unauthorized(message: str) -> Refusal:
    """Returns a 401."""
    return Refusal(401, "invalid_request_error", message)
