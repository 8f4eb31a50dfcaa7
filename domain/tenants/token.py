"""The text of API keys, sessions and links: `bsk_<26 characters of the id>_<64 hex digits>`, `bss_…`, `bsl_…`. Pure."""

import hashlib
import re

from domain.common.ids import SUFFIX

_TOKEN = re.compile(rf"(bsk|bss|bsl)_({SUFFIX})_([0-9a-f]{{64}})")
#: What the id begins with of what a token belongs to.
_KINDS = {"bsk": "key", "bss": "ses", "bsl": "lnk"}


def token_of(of: str, secret: str) -> str:
    """Write the text that a client sends, of the key, the session or the link of that id."""
    kind, _, suffix = of.partition("_")
    return f"{next(mark for mark, prefix in _KINDS.items() if prefix == kind)}_{suffix}_{secret}"


def hash_of(secret: str) -> bytes:
    """Return what is stored of a secret. It has 256 random bits, so a slow hash would protect nothing more."""
    return hashlib.sha256(secret.encode()).digest()


def split_token(token: str, kind: str = "key") -> tuple[str, str] | None:
    """Return the id and the secret of a key, or of another kind; None when the text is none of ours."""
    match = _TOKEN.fullmatch(token)
    return (f"{kind}_{match[2]}", match[3]) if match and _KINDS[match[1]] == kind else None
