"""`manage probe URL`: the health check of a container."""

import argparse
import http.client
import sys
import urllib.request

from commands.failure import CommandFailed


def run(given: argparse.Namespace) -> int:
    """Send one request; the status is 1 unless the response is 200 within five seconds."""
    wrong = CommandFailed("The address must have the form http://HOST:PORT/PATH.")
    if not given.url.startswith("http://"):
        raise wrong
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(given.url, timeout=5) as answer:
            return 0 if answer.status == 200 else 1
    except (ValueError, http.client.InvalidURL):
        raise wrong from None
    except (OSError, http.client.HTTPException) as error:
        sys.stderr.write(f"{error}\n")
        return 1
