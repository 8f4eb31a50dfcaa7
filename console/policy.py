"""Content Security Policy of pages, and the one page that also loads Stripe's script."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from runtime.settings.payments import STRIPE_JS

#: Load only our own files, send forms only to us, never be framed, and never turn text into HTML.
_OURS: Final[Mapping[str, str]] = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
    "require-trusted-types-for": "'script'",
    "trusted-types": "bursar",
}
#: What Stripe says that its script needs (docs.stripe.com/security/guide#content-security-policy).
_STRIPE: Final[Mapping[str, str]] = {
    "script-src": f"{STRIPE_JS} https://*.js.stripe.com",
    "frame-src": f"{STRIPE_JS} https://*.js.stripe.com https://hooks.stripe.com",
    "connect-src": "https://api.stripe.com",
}


def _written(directives: Mapping[str, str]) -> str:
    return "; ".join(f"{name} {sources}" for name, sources in directives.items())


POLICY: Final = _written(_OURS)


def with_stripe(script: str) -> str:
    """Return the policy of the page that shows Stripe's form.

    Stripe's script loads more of itself by address. The policy named `default`, which `elements.js` makes, lets pass
    addresses of the script's origin and nothing else: still no text becomes HTML.
    """
    parts = urlsplit(script)
    origin = f"{parts.scheme}://{parts.netloc}"
    theirs = _STRIPE if origin == STRIPE_JS else dict.fromkeys(_STRIPE, origin)
    added = {name: f"{_OURS.get(name, '')} {sources}".strip() for name, sources in theirs.items()}
    return _written({**_OURS, **added, "trusted-types": f"{_OURS['trusted-types']} default"})
