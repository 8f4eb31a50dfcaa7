"""`manage import-model-prices`: reads a price list of LLM models into the database, with its version and date.

The list has the form of LiteLLM's `model_prices_and_context_window_backup.json`: a file, the one inside the `litellm`
package where that is installed, or the short one that ships with the product.
"""

import argparse
import asyncio
import hashlib
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from commands.base import asking_the_database
from commands.failure import CommandFailed
from domain.common.errors import Invalid
from domain.usage.price_map import PriceMap, read_price_map
from runtime.database import Database
from runtime.settings import read_settings
from services.usage.model_price import ImportResult, import_prices

#: The short list, and the day from which its prices hold.
SHIPPED = Path(__file__).with_name("model_prices.json")
SHIPPED_FROM = datetime(2026, 4, 1, tzinfo=UTC)
_IN_PACKAGE = "litellm/model_prices_and_context_window_backup.json"
_LONGEST_VERSION = 100


def run(given: argparse.Namespace) -> int:
    """Import, and print what was done; the status is 1 when prices stand that the list has otherwise."""
    path, version, valid_from = _source(given)
    try:
        raw = path.read_bytes()
        text = raw.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandFailed(f"The price list cannot be read: {error}") from error
    digest = hashlib.sha256(raw).hexdigest()
    try:
        found = read_price_map(text, version=version or f"sha256:{digest[:12]}", valid_from=valid_from)
    except Invalid as refusal:
        raise CommandFailed(f"{path}: {refusal.detail}") from refusal
    with asking_the_database():
        done = asyncio.run(_import(found, digest))
    sys.stdout.write("\n".join(_report(found, done)) + "\n")
    return 1 if done.conflicts else 0


def _source(given: argparse.Namespace) -> tuple[Path, str | None, datetime]:
    valid_from = _moment(given.valid_from) if given.valid_from else None
    if given.version is not None and not 0 < len(given.version) <= _LONGEST_VERSION:
        raise CommandFailed(f"A version has 1 to {_LONGEST_VERSION} characters.")
    if given.shipped:
        return SHIPPED, given.version or f"shipped-{SHIPPED_FROM:%Y-%m-%d}", valid_from or SHIPPED_FROM
    now = valid_from or datetime.now(UTC)
    if not given.installed:
        return given.file, given.version, now
    try:
        package = distribution("litellm")
    except PackageNotFoundError as error:
        raise CommandFailed("litellm is not installed here: `pip install litellm`, or name a file.") from error
    return Path(str(package.locate_file(_IN_PACKAGE))), given.version or f"litellm-{package.version}", now


async def _import(found: PriceMap, digest: str) -> ImportResult:
    settings = read_settings()
    database = Database(settings.database_url, settings.platform_database_url, pool_size=1)
    try:
        async with database.platform() as session:
            return await import_prices(session, found, sha256=digest)
    finally:
        await database.close()


def _report(found: PriceMap, done: ImportResult) -> Iterator[str]:
    yield (
        f"{found.version}, valid from {found.valid_from:%Y-%m-%d %H:%M} UTC: {found.entries} entries, "
        f"{len(found.prices)} prices: {done.added} new, {done.changed} changed, {done.unchanged} as before."
    )
    if not (done.added or done.changed or done.conflicts):
        yield "Nothing was imported: no price differs from those in force. The version is not recorded."
    if done.gone:
        yield f"{done.gone} models that have a price are not in this list; their prices stay."
    for refused in found.refused:
        yield f"not read: {refused.model}: {refused.why}"
    if found.unpriced:
        yield f"without a price ({len(found.unpriced)}): {', '.join(found.unpriced)}"
    if found.ignored:
        fields = ", ".join(f"{name} ({count})" for name, count in found.ignored.items())
        yield f"prices of what is not metered, by entries that have them: {fields}"
    if done.conflicts:
        yield (
            f"left as they are ({len(done.conflicts)}): {', '.join(done.conflicts)}. They have another price from this "
            "very moment on. Prices are not rewritten: choose another --valid-from."
        )


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandFailed(f"--valid-from must have the form 2026-01-31 or 2026-01-31T12:00:00Z: {error}") from error
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
