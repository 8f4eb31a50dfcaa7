"""What `python -m manage verify` says of the database of some tests.

Tests that share a database put rows in by hand, so each proves the rules of its own nouns.
"""

from collections.abc import Callable, Iterable

from commands.verify import verify
from ledger.invariants import Invariant
from ledger.verify import CheckResult, VerificationReport
from tests.conftest import DatabaseUrls
from tests.support.connections import connected


async def report(urls: DatabaseUrls) -> VerificationReport:
    """Check everything."""
    async with connected(urls.platform.replace("+asyncpg", "")) as connection:
        return await verify(connection)


async def prove_all(urls: DatabaseUrls) -> None:
    """Fail where any rule is broken."""
    found = await report(urls)
    assert found.ok, "\n".join(found.lines())


async def prove(urls: DatabaseUrls, *rules: Iterable[Invariant]) -> None:
    """Fail where one of these rules is broken, or was not checked."""
    names = {rule.name for each in rules for rule in each}
    assert len(await _clean(urls, names.__contains__)) == len(names)


async def prove_about(urls: DatabaseUrls, *words: str) -> None:
    """Fail where a rule is broken whose name has one of the words, or there is none for one of them."""
    checks = await _clean(urls, lambda name: any(word in name for word in words))
    assert [word for word in words if not any(word in check.name for check in checks)] == []


async def _clean(urls: DatabaseUrls, wanted: Callable[[str], bool]) -> list[CheckResult]:
    checks = [check for check in (await report(urls)).checks if wanted(check.name)]
    bad = [line for check in checks if check.violation_count for line in check.lines()]
    assert not bad, "\n".join(bad)
    return checks


async def broken(urls: DatabaseUrls, rules: Iterable[Invariant]) -> set[str]:
    """Return the names of these rules that are broken."""
    names = {rule.name for rule in rules}
    return {check.name for check in (await report(urls)).checks if check.violation_count and check.name in names}
