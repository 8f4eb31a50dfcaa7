"""The trusted root certificates of servers and of providers' signatures: the same set on every machine."""

import functools
import ssl

import certifi


@functools.cache
def trusted() -> ssl.SSLContext:
    """Return the process's one context that trusts the roots of certifi and can list them.

    Reading the roots takes 20 ms, and every client of every provider needs them.
    The store of the machine may be empty, and one that is a folder or the system's own service cannot be listed.
    """
    return ssl.create_default_context(cafile=certifi.where())
