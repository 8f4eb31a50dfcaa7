"""Tokens of API keys, sessions and links: `bsk_<26 characters of the id>_<64 hex digits>`, `bss_…`, `bsl_…`. Pure."""

import hashlib
import re

from domain.common.ids import SUFFIX

_TOKEN = re.compile(rf"(bsk|bss|bsl)_({SUFFIX})_([0-9a-f]{{64}})")
#: Id prefixes of the objects of tokens.
_KINDS = {"bsk": "key", "bss": "ses", "bsl": "lnk"}


def token_of(of: str, secret: str) -> str:
    """Return the token of the key, session or link with an id."""
    kind, _, suffix = of.partition("_")
    return f"{next(mark for mark, prefix in _KINDS.items() if prefix == kind)}_{suffix}_{secret}"


def hash_of(secret: str) -> bytes:
    """Return the stored hash of a secret. With 256 random bits it needs no slow hash."""
    return hashlib.sha256(secret.encode()).digest()


def split_token(token: str, kind: str = "key") -> tuple[str, str] | None:
    """Return the id and the secret of a token; None if malformed."""
    match = _TOKEN.fullmatch(token)
    return (f"{kind}_{match[2]}", match[3]) if match and _KINDS[match[1]] == kind else None
