"""Which roots are trusted of servers, and of what providers sign: one set, the same on every machine."""

import ssl

import certifi


def trusted() -> ssl.SSLContext:
    """Return a context that trusts the roots of certifi and can list them.

    The store of the machine may be empty, and one that is a folder or the system's own service cannot be listed.
    """
    return ssl.create_default_context(cafile=certifi.where())
