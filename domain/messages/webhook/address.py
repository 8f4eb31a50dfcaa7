"""The check of webhook URLs: hosts on the public internet only, never inside the platform's network. Pure.

`providers/judged.py` resolves names to addresses; this module decides which addresses are allowed.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from urllib.parse import SplitResult, urlsplit

from domain.common.errors import Invalid

IPAddress = IPv4Address | IPv6Address

MAX_URL = 2_000
HTTPS_PORT = 443
FIRST_USER_PORT = 1024

#: Addresses that count as global and are not hosts of the internet: a cloud's own services, and relays.
_INSIDE_V4 = (IPv4Network("168.63.129.16/32"), IPv4Network("192.88.99.0/24"), IPv4Network("192.0.0.0/24"))
#: The addresses assigned to hosts; the others embed another address, or are unassigned.
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_DOCUMENTATION = IPv6Network("3fff::/20")
_NAT64 = IPv6Network("64:ff9b::/96")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")


class UrlRefused(Invalid):
    """Webhooks cannot be sent to this address; `field` is `url`."""

    code = "webhook.url_refused"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, extra={"field": "url"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The parts of a webhook URL.

    Attributes:
        is_local: whether it is plain HTTP, which is only allowed to this machine.
        host: the name to resolve and to check the certificate for; an IPv6 address has no brackets.
        path: the path with the query, as in the request line.
    """

    is_local: bool
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """Host and port, without the path, which may hold a secret of the receiver."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def target_of(url: str, *, local: bool) -> Target:
    """Parse a webhook URL.

    Args:
        url: the URL from the tenant.
        local: whether plain HTTP to this machine is allowed, as in development.

    Raises:
        UrlRefused: the URL is malformed, or not of an allowed kind.
    """
    if len(url) > MAX_URL or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise UrlRefused(f"The URL must be at most {MAX_URL} printable ASCII characters, without spaces.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise UrlRefused("The URL cannot be read. Give one such as https://example.com/webhooks.") from None
    is_local = local and parts.scheme == "http"
    if parts.scheme != "https" and not is_local:
        raise UrlRefused("The URL must begin with https://.")
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise UrlRefused("The URL must not contain a user or a password. Verify the signature instead.")
    if "#" in url:
        raise UrlRefused("The URL must not have a fragment.")
    if port is None:
        port = 80 if is_local else HTTPS_PORT
    if port != HTTPS_PORT and port < FIRST_USER_PORT:
        raise UrlRefused(f"The port must be {HTTPS_PORT}, or {FIRST_USER_PORT} or higher.")
    return Target(is_local=is_local, host=_host(parts), port=port, path=_path(parts))


def _host(parts: SplitResult) -> str:
    host = parts.hostname or ""
    if parts.netloc.startswith("["):
        try:
            address = IPv6Address(host)
        except ValueError:
            raise UrlRefused("The host is not an IPv6 address.") from None
        if address.scope_id is not None:
            raise UrlRefused("The host must not name a network interface.")
        return str(address)
    if len(host) > 253 or _HOST.fullmatch(host) is None:
        raise UrlRefused("The URL must name a host, in ASCII.")
    return host


def _path(parts: SplitResult) -> str:
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def check_addresses(target: Target, addresses: tuple[IPAddress, ...]) -> None:
    """Refuse a host unless all of its addresses are allowed.

    Raises:
        UrlRefused: it has no address, or one that is not public; for plain HTTP, one that is not this machine's.
    """
    if not addresses:
        raise UrlRefused("The host has no address.")
    allowed = is_loopback if target.is_local else is_public
    if not all(allowed(address) for address in addresses):
        where = "this machine, because it begins with http://" if target.is_local else "the public internet"
        raise UrlRefused(f"The URL must lead to {where}.")


def is_loopback(address: IPAddress) -> bool:
    """Return whether it is 127.0.0.0/8 or ::1, in no other form."""
    return address.is_loopback and getattr(address, "ipv4_mapped", None) is None


def is_public(address: IPAddress) -> bool:
    """Return whether the address is public; an embedded address decides."""
    if isinstance(address, IPv4Address):
        return address.is_global and not address.is_multicast and not any(address in each for each in _INSIDE_V4)
    embedded = _embedded(address)
    if embedded is not None:
        return is_public(embedded)
    if address.teredo is not None or address in _DOCUMENTATION:
        return False
    return address in _GLOBAL_UNICAST and address.is_global and not address.is_multicast


def _embedded(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address embedded in an IPv6 address: IPv4-mapped, 6to4 or NAT64."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour
