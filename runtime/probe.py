"""The health check of a container: `python -m runtime.probe URL` exits with 0 when the URL answers 200."""

import sys
import urllib.error
import urllib.request


def main(arguments: list[str]) -> int:
    """Ask once; the exit code is 1 for any other answer or none within five seconds, 2 for a wrong command."""
    if len(arguments) != 1 or not arguments[0].startswith("http://"):
        sys.stderr.write("usage: python -m runtime.probe http://HOST:PORT/PATH\n")
        return 2
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(arguments[0], timeout=5) as answer:
            return 0 if answer.status == 200 else 1
    except (urllib.error.URLError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
