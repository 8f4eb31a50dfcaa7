"""Which cookie holds a session, and which requests a page of ours can have sent."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from runtime.settings import Settings

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Site:
    """Where the console is reached, and so how its cookies are kept.

    Attributes:
        origin: of `BURSAR_PUBLIC_URL`; None if it is not set.
        secure: whether cookies are bound to https. Plain HTTP is for loopback alone.
    """

    origin: str | None
    secure: bool

    @classmethod
    def of(cls, settings: Settings) -> "Site":
        if settings.public_url is not None:
            parts = urlsplit(settings.public_url)
            return cls(f"{parts.scheme}://{parts.netloc}".lower(), parts.scheme == "https")
        return cls(None, settings.host not in LOOPBACK)

    def cookie_name(self, noun: str) -> str:
        """Name a cookie; with the prefix, browsers accept it from this host over https only."""
        return f"__Host-bursar_{noun}" if self.secure else f"bursar_{noun}"

    def keep(self, response: Response, noun: str, value: str, *, seconds: int | None = None) -> None:
        """Set a cookie that scripts cannot read; it lasts until the browser closes unless `seconds` is given.

        `Lax`, because `Strict` would sign a payer out on the way back from the provider's page.
        """
        response.set_cookie(
            self.cookie_name(noun), value, max_age=seconds, path="/", secure=self.secure, httponly=True, samesite="lax"
        )

    def read(self, request: Request, noun: str) -> str | None:
        return request.cookies.get(self.cookie_name(noun)) or None

    def drop(self, response: Response, noun: str) -> None:
        response.delete_cookie(self.cookie_name(noun), path="/", secure=self.secure, httponly=True, samesite="lax")

    def sent_by_us(self, request: Request) -> bool:
        """Return whether a page of this console sent the request.

        A browser says so itself (`Sec-Fetch-Site`), out of reach of scripts; one that does not is judged by `Origin`,
        which it sends with every form.
        """
        fetched_from = request.headers.get("sec-fetch-site")
        if fetched_from is not None:
            return fetched_from == "same-origin"
        origin = request.headers.get("origin", "").lower()
        if self.origin is not None and origin == self.origin:
            return True
        return is_loopback(request) and origin == f"{request.url.scheme}://{request.headers.get('host', '').lower()}"


def is_loopback(request: Request) -> bool:
    """Return whether the browser has reached this machine by a name that only this machine has.

    The name counts, not only the address: a page of another host whose name was bound to 127.0.0.1 is of that host.
    """
    named = urlsplit(f"//{request.headers.get('host', '')}").hostname
    return named in LOOPBACK and (request.client is None or request.client.host in LOOPBACK)


def own_path(text: str | None) -> str | None:
    """Return a path of the console as it is, None for anything else that a `next` may hold."""
    if text is None or len(text) > 2000 or not text.isascii() or not text.isprintable() or "\\" in text:
        return None
    parts = urlsplit(text)
    inside = parts.path == "/console" or parts.path.startswith("/console/")
    if parts.scheme or parts.netloc or not inside or "//" in parts.path or "/." in parts.path:
        return None
    return text
