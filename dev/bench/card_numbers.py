"""`python -m dev.bench.card_numbers [--seed N] [--count N]`: how often the rule for card numbers errs, its cost.

It needs no running stack. The figures are in docs/operate/privacy.md.
"""

import argparse
import base64
import hashlib
import json
import random
import string
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial

from api.body import parse
from domain.common.ids import make_id
from domain.privacy.card_numbers import contains_card_number, may_contain_card_number

START = datetime(2024, 1, 1, tzinfo=UTC)
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
#: Country code, and how many digits follow it.
_PHONES = (("1", 10), ("44", 10), ("49", 10), ("49", 11), ("62", 11), ("86", 11), ("91", 10), ("55", 11), ("380", 9))


def samples(chance: random.Random) -> Mapping[str, Callable[[], str]]:
    """Return what is made of each kind."""

    def moment() -> datetime:
        return START + timedelta(microseconds=chance.randrange(6 * 365 * 86_400_000_000))

    def digits(count: int) -> str:
        return str(chance.randrange(10 ** (count - 1), 10**count))

    def phone() -> tuple[str, str]:
        country, length = chance.choice(_PHONES)
        return country, digits(length)

    def since_1970(unit: int) -> Callable[[], str]:
        return lambda: str(
            int((moment() - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1)) * unit // 1000
        )

    def spaced_phone() -> str:
        country, rest = phone()
        return f"+{country} {rest[:3]} {rest[3:6]} {rest[6:]}"

    def iban() -> str:
        account = digits(18)
        return f"DE{98 - int(account + '131400') % 97:02}{account}"

    return {
        "our ids (TypeIDs)": lambda: make_id(
            "pay", unix_ms=int(moment().timestamp() * 1000), entropy=chance.randbytes(10)
        ),
        "UUIDs": lambda: str(uuid.UUID(bytes=chance.randbytes(16), version=4)),
        "SHA-256 in hexadecimal": lambda: hashlib.sha256(chance.randbytes(8)).hexdigest(),
        "addresses of Ethereum": lambda: "0x" + chance.randbytes(20).hex(),
        "addresses of Bitcoin": lambda: "1" + "".join(chance.choices(_BASE58, k=33)),
        "addresses of TON": lambda: base64.urlsafe_b64encode(chance.randbytes(36)).decode(),
        "times, ISO 8601": lambda: moment().isoformat(),
        "times with a space": lambda: str(moment()),
        "milliseconds since 1970": since_1970(1),
        "microseconds since 1970": since_1970(1000),
        "nanoseconds since 1970": since_1970(1_000_000),
        "fractions (0.1234567890123456)": lambda: repr(chance.random()),
        "phones, E.164 (+49…)": lambda: "+" + "".join(phone()),
        "phones, in groups": spaced_phone,
        "phones without the plus": lambda: "".join(phone()),
        "16 random digits": lambda: digits(16),
        "19 random digits": lambda: digits(19),
        "four numbers of four digits": lambda: " ".join(digits(4) for _ in range(4)),
        "ids of Stripe": lambda: "pi_" + "".join(chance.choices(string.ascii_letters + string.digits, k=24)),
        "IBANs in one piece": iban,
        "milliseconds with a unit": lambda: f"{since_1970(1)()}ms",
        "nanoseconds with a unit": lambda: f"{since_1970(1_000_000)()}ns",
        "19 random digits with a unit": lambda: f"{digits(19)}wei",
        "16 random digits before a word": lambda: f"{digits(16)}USD",
    }


def body(size: int) -> bytes:
    """Return a request of about a size, of what requests are made of."""
    delivery = {
        "milestone": "ms_01k9q2v8r7exgt3m1w0a5s6d7f",
        "note": "Delivered on 2026-11-20, 12 pages, 3 of them new; the rest follows by the 27th.",
        "artifacts": [{"uri": "https://files.example/reports/2026/11/final-v3.pdf", "sha256": "0f" * 32}],
        "amount": "50.00",
        "at": "2026-11-20T21:43:13.123Z",
    }
    return json.dumps([delivery] * max(1, round(size / len(json.dumps(delivery))))).encode()


def cheapest(act: Callable[[], object]) -> float:
    """Return the shortest of many runs in microseconds: what else the machine does only adds."""
    best = float("inf")
    for _ in range(50):
        started = time.perf_counter()
        act()
        best = min(best, time.perf_counter() - started)
    return best * 1_000_000


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=200_000)
    options = parser.parse_args()
    print(f"seed {options.seed}, {options.count:,} of each kind\n\n| kind | taken for card numbers |\n|---|---|")
    for kind, make in samples(random.Random(options.seed)).items():
        wrong = sum(contains_card_number(make()) for _ in range(options.count))
        print(f"| {kind} | {wrong:,} of {options.count:,} ({wrong / options.count:.3%}) |")
    print("\n| body | read, all told | of that the scan |\n|---|---|---|")
    for size in (1_000, 100_000):
        content = body(size)
        reading, scan = cheapest(partial(parse, content)), cheapest(partial(may_contain_card_number, content.decode()))
        print(f"| {len(content):,} bytes | {reading:,.0f} µs | {scan:,.0f} µs |")


if __name__ == "__main__":
    main()
