"""Cost of a page of movements, of activity, of the economics log and of refusals.

It ends with its page, or where it has looked at as much as it may.
"""

import functools
from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import UUID

import asyncpg
import pytest

from dev.stack.postgres import Postgres
from domain.credits.spend.scope import SpendingKey
from repositories.books import movement
from repositories.books.movement import Position
from repositories.budgets import economics
from repositories.common.listing import ListFilter
from repositories.credits import spend_control
from repositories.credits.spend import KeyHolder
from repositories.payouts import activity
from runtime.database import Database
from tests.conftest import new_database
from tests.support.books import NOW
from tests.support.cases import for_each
from tests.support.plans import blocks_read

pytestmark = pytest.mark.db

SMALL, LARGE, LIMIT = 7_000, 28_000, 50
SLACK = 40
BUSY, RARE, NOBODY = "org_busy", "org_rare", "org_nobody"
#: Each organization's account; the last is the platform's other side of everything.
ACCOUNTS = {BUSY: 256, RARE: 512, "platform": 768}
#: One transfer to the busy organization each, and the first one to the other.
FILL = """
WITH made AS (
    SELECT i, ('00000000-0000-7000-8000-' || lpad(i::text, 12, '0'))::uuid AS id, i = 1 AS rare
    FROM generate_series({first}, {last}) i
), moved AS (
    INSERT INTO ledger.transfers (id, effective_at, idempotency_key, request_hash, kind, reference)
    SELECT id, now(), 'k' || i, '', CASE WHEN rare THEN 'rare' ELSE 'common' END, 'ref' || i FROM made
)
INSERT INTO ledger.entries
    (account_id, version, amount, balance_after, effective_at, transfer_id, stripe, asset, org_id)
SELECT CASE WHEN rare THEN 512 ELSE 256 END, i, 1, i, now(), id, 0, 'CREDIT', CASE WHEN rare THEN 'org_rare' ELSE
    'org_busy' END FROM made
UNION ALL SELECT 768, i, -1, -i, now(), id, 0, 'CREDIT', NULL FROM made
"""
#: Beside each transfer, two of three without an agent: a refused use and an entry of a purchase order.
FILL_LOG = """
WITH made AS (
    SELECT i, ('00000000-0000-7000-8000-' || lpad(i::text, 12, '0'))::uuid AS id FROM generate_series({first}, {last}) i
), refused AS (
    INSERT INTO ledger.refusals (id, org_id, idempotency_key, request_hash, reason, amount, available, action, at,
        agent_id)
    SELECT id, CASE WHEN i = 1 THEN 'org_rare' ELSE 'org_busy' END, 'k' || i, '', 'limit', 1, 0, 'call', now(),
        CASE WHEN i % 3 = 0 THEN 'agt_busy' END FROM made
)
INSERT INTO purchase_entries (id, org_id, order_id, agent_id, transaction_type, item, amount_minor, currency, status,
    budget_remaining, at)
SELECT id, 'org_busy', 'order', CASE WHEN i = 1 THEN 'agt_rare' ELSE 'agt_busy' END, 'purchase_attempt', 'tool', 1,
    'USD', CASE WHEN i = 1 THEN 'unknown' ELSE 'succeeded' END, '{{}}', now() FROM made
"""
ORGANIZATION = """
WITH made AS (
    INSERT INTO organizations (id, name, created_by, command_id) VALUES ('org_busy', 'B', 'x', 'b') RETURNING id
)
INSERT INTO agents (id, org_id, name, visibility, pricing_model, created_by, command_id)
SELECT 'agt_' || n, id, n, 'private', 'free', 'x', n FROM made, unnest(ARRAY['busy', 'rare']) n
"""
MIDDLE: Position = (UUID("00000000-0000-7000-8000-000000006500"), ACCOUNTS[BUSY], 6500)

#: Who asks, what for, and from where on.
CASES: list[tuple[str | None, ListFilter, Position | None]] = [
    *((who, ListFilter(org_id=who), None) for who in (BUSY, RARE, NOBODY)),
    (BUSY, ListFilter(org_id=BUSY), MIDDLE),
    (BUSY, ListFilter(org_id=BUSY, equal={"kind": "nothing"}), None),
    (BUSY, ListFilter(org_id=BUSY, equal={"kind": "nothing"}), MIDDLE),
    (BUSY, ListFilter(org_id=BUSY, search="nothing"), None),
    (BUSY, ListFilter(org_id=BUSY, until=NOW), None),
    (BUSY, ListFilter(org_id=BUSY, equal={"reference": "nothing"}), None),
    (BUSY, ListFilter(org_id=BUSY, equal={"reference": "ref3"}), None),
    (RARE, ListFilter(org_id=RARE, equal={"reference": "ref3"}), None),
    (BUSY, ListFilter(org_id=BUSY, equal={"account": "org/busy/credits"}), None),
    (BUSY, ListFilter(org_id=BUSY, equal={"account": "org/busy/credits"}), MIDDLE),
    (BUSY, ListFilter(org_id=BUSY, equal={"account": "org/busy/credits", "kind": "nothing"}), None),
    (BUSY, ListFilter(org_id=BUSY, equal={"account": "org/rare/credits"}), None),
    (None, ListFilter(), None),
    (None, ListFilter(), MIDDLE),
    (None, ListFilter(org_id=RARE), None),
    (None, ListFilter(equal={"kind": "nothing"}), None),
    (None, ListFilter(equal={"account": "org/platform/credits"}), None),
]
#: The same for pages of activity, which are of one organization each.
FACTS = [
    *((ListFilter(org_id=who), after) for who in (BUSY, RARE, NOBODY) for after in (None, MIDDLE)),
    (ListFilter(org_id=BUSY, equal={"category": "escrow"}), None),
    (ListFilter(org_id=BUSY, equal={"currency": "USD"}), MIDDLE),
    (ListFilter(org_id=BUSY, until=NOW), None),
]
#: The same for pages of the log: what is wanted, of which types.
LOGS: list[tuple[ListFilter, tuple[str, ...]]] = [
    (ListFilter(org_id=BUSY), ()),
    (ListFilter(org_id=BUSY, equal={"agent_id": "agt_rare"}), ()),
    (ListFilter(org_id=BUSY, equal={"agent_id": "agt_rare"}), ("purchase_attempt",)),
    (ListFilter(org_id=BUSY, equal={"agent_id": "agt_none"}), ()),
    (ListFilter(org_id=BUSY, statuses=("unknown",)), ()),
    (ListFilter(org_id=BUSY, statuses=("declined_credits",)), ()),
    (ListFilter(org_id=BUSY), ("payout",)),
    (ListFilter(org_id=BUSY, until=NOW), ()),
    (ListFilter(org_id=NOBODY), ()),
]
#: The same for pages of refusals: what is wanted, and of whose own.
AGENT = KeyHolder(SpendingKey(key_id="key_rare", agent_id="agt_rare"), "rare")
REFUSALS: list[tuple[ListFilter, KeyHolder | None]] = [
    (ListFilter(org_id=BUSY), None),
    (ListFilter(org_id=BUSY), AGENT),
    (ListFilter(org_id=BUSY, equal={"key_id": "key_none"}), None),
    (ListFilter(org_id=BUSY, until=NOW), None),
    (ListFilter(org_id=NOBODY), None),
]


def name_of(who: str | None, wanted: ListFilter, after: Position | None) -> str:
    asked = {name: getattr(wanted, name) for name in ListFilter.__slots__ if getattr(wanted, name)}
    return f"{who or 'platform'} {asked}{' on' if after else ''}"


def fact_of(wanted: ListFilter, after: Position | None) -> str:
    return f"facts of {name_of(wanted.org_id, wanted, after)}"


def log_of(wanted: ListFilter, types: tuple[str, ...], after: Position | None) -> str:
    return f"log {types} of {name_of(wanted.org_id, wanted, after)}"


def refusals_of(wanted: ListFilter, holder: KeyHolder | None, after: Position | None) -> str:
    return f"refusals{' of an agent' if holder else ''} of {name_of(wanted.org_id, wanted, after)}"


async def fill(owner: asyncpg.Connection, first: int, last: int) -> None:
    await owner.execute(FILL.format(first=first, last=last))
    await owner.execute(FILL_LOG.format(first=first, last=last))
    await owner.execute("ANALYZE")


async def measured(database: Database) -> dict[str, int]:
    return (
        {
            name_of(who, wanted, after): await blocks_read(
                database, who, functools.partial(movement.page, wanted=replace(wanted, after=after, limit=LIMIT))
            )
            for who, wanted, after in CASES
        }
        | {
            fact_of(wanted, after): await blocks_read(
                database,
                wanted.org_id,
                functools.partial(activity.page, wanted=replace(wanted, after=after and after[:1], limit=LIMIT)),
            )
            for wanted, after in FACTS
        }
        | {
            log_of(wanted, types, after): await blocks_read(
                database,
                wanted.org_id,
                functools.partial(
                    economics.page, wanted=replace(wanted, after=after and after[:1], limit=LIMIT), types=types
                ),
            )
            for wanted, types in LOGS
            for after in (None, MIDDLE)
        }
        | {
            refusals_of(wanted, holder, after): await blocks_read(
                database,
                wanted.org_id,
                functools.partial(
                    spend_control.refusals,
                    wanted=replace(wanted, after=after and after[:1], limit=LIMIT),
                    holder=holder,
                ),
            )
            for wanted, holder in REFUSALS
            for after in (None, MIDDLE)
        }
    )


@pytest.fixture(scope="module")
async def costs(cluster: Postgres) -> AsyncIterator[dict[str, tuple[int, int]]]:
    with new_database(cluster, "bursar_movements") as urls:
        owner = await asyncpg.connect(urls.owner)
        database = Database(urls.tenant, urls.platform)
        try:
            for name, number in ACCOUNTS.items():
                path, org_id = f"org/{name.removeprefix('org_')}/credits", None if name == "platform" else name
                await owner.execute(
                    "INSERT INTO ledger.accounts (id, path, asset, org_id, kind)"
                    " VALUES ($1, $2, 'CREDIT', $3, 'asset')",
                    number,
                    path,
                    org_id,
                )
            await owner.execute(ORGANIZATION)
            await fill(owner, 1, SMALL)
            small = await measured(database)
            await fill(owner, SMALL + 1, LARGE)
            large = await measured(database)
        finally:
            await database.close()
            await owner.close()
        yield {name: (small[name], large[name]) for name in small}


@for_each(
    "name",
    [
        *(name_of(*case) for case in CASES),
        *(fact_of(*case) for case in FACTS),
        *(log_of(*case, after) for case in LOGS for after in (None, MIDDLE)),
        *(refusals_of(*case, after) for case in REFUSALS for after in (None, MIDDLE)),
    ],
)
def test_page_of_movements_ends(name: str, costs: dict[str, tuple[int, int]]) -> None:
    small, large = costs[name]
    # Look-ups of each row go one block deeper.
    assert large <= small * 1.3 + SLACK, f"{small} blocks of {SMALL} movements, {large} of {LARGE}"
