"""The cost of a page of each list is bounded by the page, for every caller and every size of the table.

Each list is measured before and after its table has grown tenfold. Nearly all rows are of one organization and in one
state, which is what misleads a plan that hopes to meet enough rows on its way.
"""

import functools
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from dev.stack.postgres import Postgres
from domain.escrow.contract import ContractStatus
from domain.messages.alert.life import AlertStatus
from repositories.billing import invoice, project
from repositories.books import discrepancy, reconciliation
from repositories.common.listing import SCAN_LIMITS, ListFilter
from repositories.credits import credit_lot
from repositories.escrow import contract, escrow
from repositories.marketplace import agent
from repositories.messages import alert
from repositories.payments import chargeback, payment, provider_event
from repositories.payouts import payout
from repositories.tenants import api_key, audit, organization
from runtime.database import Database
from tests.conftest import new_database
from tests.support.cases import for_each
from tests.support.plans import blocks_read

pytestmark = pytest.mark.db

SMALL, LARGE = 2_000, 20_000
LIMIT = 51
#: Allowed additional blocks: a deeper index of the larger table, one block for each row found, and the plan's choice.
SLACK = LIMIT + 9


def named(prefix: str, number: int) -> str:
    return f"{prefix}_{number:026}"


#: One that has nearly everything, one that was paid and signs once, first of all, one that has nothing.
BUSY, RARE, NOBODY = (named("org", number) for number in range(3))
AGENT, RARE_AGENT = named("agt", 1), named("agt", 2)
MIDDLE = SMALL // 2
T0, SECOND = datetime(2026, 1, 1, tzinfo=UTC), timedelta(seconds=1)

FIRING = {"open_only": False, "statuses": (AlertStatus.FIRING,)}
ID = "lpad(i::text, 26, '0')"
FILL = {
    "organizations": f"""
        INSERT INTO organizations (id, name, created_by, command_id)
        SELECT 'org_' || {ID}, 'x', 'x', 'org' || i FROM generate_series($1::int, $2::int) i""",
    "agents": f"""
        INSERT INTO agents (id, org_id, name, visibility, pricing_model, created_by, command_id)
        SELECT 'agt_' || {ID}, '{BUSY}', 'a', CASE WHEN i = 1 THEN 'public' ELSE 'private' END, 'free', 'x', 'agt' || i
        FROM generate_series($1::int, $2::int) i""",
    "contracts": f"""
        INSERT INTO contracts (id, org_id, payee_org_id, agent_id, title, price_minor, currency, signatories,
            signatory_org_ids, required_signatures, fund_seconds, deliver_seconds, review_seconds, evidence_seconds,
            decision_seconds, grace_seconds, dispute_default_share_e4, commission_bps, commission_from, milestones,
            created_by, command_id)
        SELECT 'ctr_' || {ID}, '{BUSY}', CASE WHEN i = 1 THEN '{RARE}' ELSE '{BUSY}' END,
            CASE WHEN i = 1 THEN '{RARE_AGENT}' ELSE '{AGENT}' END, 'x', 1, 'CREDIT', '{{a}}',
            CASE WHEN i = 2 THEN ARRAY['{RARE}'] ELSE '{{}}' END, 1, 1, 1, 1, 1, 1, 1, 1, 1, 'usual', '[]',
            'x', 'ctr' || i
        FROM generate_series($1::int, $2::int) i""",
    # As many newer ones that were not accepted in time; only the first of them can still be accepted.
    "proposals": f"""
        INSERT INTO contracts (id, org_id, payee_org_id, agent_id, title, price_minor, currency, signatories,
            signatory_org_ids, required_signatures, fund_seconds, deliver_seconds, review_seconds, evidence_seconds,
            decision_seconds, grace_seconds, dispute_default_share_e4, commission_bps, commission_from, milestones,
            created_by, command_id, outside_listing, accept_by)
        SELECT 'ctr_' || lpad((i + 1000000)::text, 26, '0'), '{BUSY}', CASE WHEN i = 1 THEN '{RARE}' ELSE '{BUSY}' END,
            CASE WHEN i = 1 THEN '{RARE_AGENT}' ELSE '{AGENT}' END, 'x', 1, 'CREDIT', '{{a}}', '{{}}', 1, 1, 1, 1,
            1, 1, 1, 1, 1, 'usual', '[]', 'x', 'pro' || i, '{{price}}',
            now() + CASE WHEN i = 1 THEN 1 ELSE -1 END * interval '1 day'
        FROM generate_series($1::int, $2::int) i""",
    "escrows": f"""
        INSERT INTO escrows (id, contract_id, org_id, payee_org_id, signatory_org_ids, agent_id, workflow_id, status,
            version, currency, amount_minor, funded_minor, released_minor, refunded_minor, commission_minor, state,
            created_at, updated_at, next_deadline_at)
        SELECT 'esc_' || {ID}, 'ctr_' || {ID}, '{BUSY}', CASE WHEN i = 1 THEN '{RARE}' ELSE '{BUSY}' END,
            CASE WHEN i = 2 THEN ARRAY['{RARE}'] ELSE '{{}}' END, '{AGENT}', 'w', CASE WHEN i < 3 THEN 'open' ELSE
            'released' END, 1, 'CREDIT', 1, 0, 0, 0, 0, '{{}}', now(), now(),
            CASE WHEN i < 3 THEN timestamptz '{T0}' END
        FROM generate_series($1::int, $2::int) i""",
    "payments": f"""
        INSERT INTO payments (id, org_id, provider, provider_ref, workflow_id, status, version, purpose, currency,
            amount_minor, received_minor, refunded_minor, fee_minor, state, created_at, updated_at)
        SELECT 'pay_' || {ID}, CASE WHEN i = 1 THEN '{RARE}' ELSE '{BUSY}' END, 'stripe', 'p' || i, 'w',
            CASE WHEN i = 1 THEN 'processing' ELSE 'succeeded' END, 1, CASE WHEN i = 1 THEN 'slot' ELSE 'credits' END,
            'USD', 1, 0, 0, 0, '{{}}', now(), now()
        FROM generate_series($1::int, $2::int) i""",
    "provider_events": """
        INSERT INTO provider_events (provider, event_id, type, status, refs, livemode, payload, occurred_at)
        SELECT 'stripe', 'evt' || i, 'x', CASE WHEN i = 1 THEN 'unmatched' ELSE 'handled' END, '{}', false, '{}', now()
        FROM generate_series($1::int, $2::int) i""",
    "payment_disputes": f"""
        INSERT INTO payment_disputes (id, provider, ref, payment_id, org_id, status, reason, currency, amount_minor,
            opened_at, updated_at)
        SELECT 'dsp_' || {ID}, 'stripe', 'd' || i, 'pay_' || {ID}, CASE WHEN i = 1 THEN '{RARE}' ELSE '{BUSY}' END,
            CASE WHEN i = 1 THEN 'needs_response' ELSE 'lost' END, 'x', 'USD', 1,
            timestamptz '{T0}' + i * interval '1s', now()
        FROM generate_series($1::int, $2::int) i""",
    "payouts": f"""
        INSERT INTO payouts (id, org_id, provider, status, version, currency, amount_minor, state, created_at,
            updated_at)
        SELECT 'po_' || {ID}, CASE WHEN i = 1 THEN '{RARE}' ELSE '{BUSY}' END, 'stripe',
            CASE WHEN i = 1 THEN 'failed' ELSE 'requested' END, 1, 'USD', 1, '{{}}',
            timestamptz '{T0}' + i * interval '1s', now()
        FROM generate_series($1::int, $2::int) i""",
    "invoices": f"""
        INSERT INTO invoices (id, org_id, number, status, currency, total_minor, subtotal_minor, paid_minor, lines,
            issued_at, due_at, updated_at, transfer_id, created_by, command_id, finalise_command_id)
        SELECT 'inv_' || {ID}, CASE WHEN i = 1 THEN '{RARE}' ELSE '{BUSY}' END, 'n' || i,
            CASE WHEN i = 1 THEN 'open' ELSE 'paid' END, 'USD', 1, 1, CASE WHEN i = 1 THEN 0 ELSE 1 END, '[]', now(),
            now(), now(), gen_random_uuid(), 'x', 'inv' || i, 'inv' || i
        FROM generate_series($1::int, $2::int) i""",
    "audit_log": f"""
        INSERT INTO audit_log (at, org_id, principal, role, actor_org_id, action, target, details)
        SELECT timestamptz '{T0}' + i * interval '1 minute',
            CASE WHEN i = 1 THEN '{RARE}' ELSE '{BUSY}' END, 'x', 'owner', CASE WHEN i < 3 THEN '{RARE}' ELSE
            '{BUSY}' END, CASE WHEN i < 3 THEN 'rare.act' ELSE 'common.act' END, 'target' || i, '{{}}'
        FROM generate_series($1::int, $2::int) i""",
    "alerts": f"""
        INSERT INTO alerts (id, key, org_id, kind, subject, detail, acknowledged_at, shared, org_acknowledged_at)
        SELECT 'alr_' || {ID}, 'k' || i, CASE WHEN i < 3 THEN '{RARE}' ELSE '{BUSY}' END, 'k', 's', 'd',
            CASE WHEN i = 1 OR i % 2 = 0 THEN NULL ELSE now() END, true, CASE WHEN i = 1 THEN NULL ELSE now() END
        FROM generate_series($1::int, $2::int) i""",
    "api_keys": f"""
        INSERT INTO api_keys (id, org_id, principal, role, secret_hash, created_by, command_id, revoked_at)
        SELECT 'key_' || {ID}, CASE WHEN i = 1 THEN '{RARE}' ELSE '{BUSY}' END, 'p' || i, 'owner', '', 'x', 'key' || i,
            CASE WHEN i < 3 THEN NULL ELSE now() END
        FROM generate_series($1::int, $2::int) i""",
    "credit_lots": f"""
        INSERT INTO credit_lots (id, org_id, source, amount_minor, transfer_id, created_by, command_id)
        SELECT 'lot_' || {ID}, CASE WHEN i = 1 THEN '{RARE}' ELSE '{BUSY}' END, 'reward', 1, gen_random_uuid(), 'x',
            'lot' || i
        FROM generate_series($1::int, $2::int) i""",
    "projects": f"""
        INSERT INTO projects (id, org_id, slug, name, occupies_slot, created_by, command_id)
        SELECT 'prj_' || {ID}, CASE WHEN i = 1 THEN '{RARE}' ELSE '{BUSY}' END, 's' || i, 'n', false, 'x', 'prj' || i
        FROM generate_series($1::int, $2::int) i""",
    "reconciliation_runs": f"""
        INSERT INTO reconciliation_runs (id, provider, since, until, status, requested_by, command_id, started_at,
            compared, differences)
        SELECT 'rcn_' || {ID}, CASE WHEN i = 1 THEN 'paypal' ELSE 'stripe' END, now(), now(), 'done', 'x', 'rcn' || i,
            now() + i * interval '1s', 0, 0
        FROM generate_series($1::int, $2::int) i""",
    "reconciliation_differences": f"""
        INSERT INTO reconciliation_differences (id, provider, key, kind, status, movement, booked, run_id, times_opened,
            first_seen_at, last_seen_at, resolution)
        SELECT 'dif_' || {ID}, CASE WHEN i = 1 THEN 'paypal' ELSE 'stripe' END, 'k' || i, 'missing_here',
            CASE WHEN i = 1 THEN 'open' ELSE 'resolved' END, '{{}}', '[]', 'rcn_' || {ID}, 1, now(), now(),
            CASE WHEN i = 1 THEN NULL ELSE 'matched' END
        FROM generate_series($1::int, $2::int) i""",
}


Page = Callable[..., Awaitable[object]]

OF_AGENTS = [{}, *({"agent_id": one} for one in (AGENT, RARE_AGENT, named("agt", 0)))]
#: Lists of which an organization reads its own rows and the platform all, with each filter.
NARROWED: dict[Page, list[dict[str, Any]]] = {
    escrow.page: [
        *({}, {"statuses": ("open",)}, {"statuses": ("split", "open")}),
        *({"search": text} for text in ("x", "nothing-like-it")),
        {"search": "nothing-like-it", "statuses": ("released",)},
        *({"overdue_at": at} for at in (T0, T0 + SECOND)),
        {"overdue_at": T0 + SECOND, "statuses": ("open",)},
        {"overdue_at": T0 + SECOND, "statuses": ("released",)},
    ],
    contract.page: [
        *({"equal": one} for one in OF_AGENTS),
        *({"equal": one, "statuses": (status,)} for one in OF_AGENTS[:3] for status in ContractStatus),
    ],
    payment.page: [
        {},
        {"statuses": ("processing",)},
        {"statuses": ("succeeded", "disputed")},
        {"equal": {"purpose": "slot"}},
        {"equal": {"purpose": "credits"}, "statuses": ("succeeded", "processing")},
        {"equal": {"purpose": "credits"}, "statuses": ("disputed",)},
    ],
    invoice.page: [{}, {"statuses": ("open",)}, {"statuses": ("void", "paid")}],
    chargeback.page: [
        {},
        {"statuses": ("needs_response",)},
        {"statuses": ("won",)},
        {"since": T0 + MIDDLE * SECOND, "until": T0 + (MIDDLE + 9) * SECOND},
    ],
    payout.page: [{}, {"statuses": ("paid", "failed")}, {"since": T0 + MIDDLE * SECOND}],
    audit.page: [
        {},
        *({"equal": {"action": action}} for action in ("rare.act", "no.act")),
        *({"equal": {"target": target}} for target in ("target2", "nothing")),
        {"since": T0 + timedelta(days=1), "until": T0 + timedelta(days=1, seconds=9)},
    ],
    credit_lot.page: [{}],
    project.page: [{}, {"since": T0, "until": datetime.now(UTC) + timedelta(days=1)}],
    api_key.page: [{"active_only": active, "principal": None} for active in (False, True)],
}
#: Lists that only the platform reads, of all organizations or of one.
OF_PLATFORM: list[tuple[Page, dict[str, Any]]] = [
    (escrow.page, {"org_id": RARE}),
    (contract.page, {"org_id": RARE}),
    (agent.page, {"viewer": None}),
    *(
        (provider_event.page, {"unhandled": False, "statuses": statuses})
        for statuses in ((), ("unmatched",), ("received", "handled"))
    ),
    (organization.page, {}),
    *(
        (alert.page, {"open_only": open_only, "org_id": org})
        for open_only in (True, False)
        for org in (None, RARE, BUSY)
    ),
    (alert.page, FIRING),
    *((reconciliation.runs, {"equal": {"provider": one} if one else {}}) for one in (None, "paypal")),
    *(
        (discrepancy.page, {"equal": {"provider": one} if one else {}, "statuses": statuses})
        for one in (None, "paypal", "stripe")
        for statuses in ((), ("open",))
    ),
]
OF_TENANTS: list[tuple[str, Page, dict[str, Any]]] = [
    (BUSY, agent.page, {"viewer": BUSY}),
    (NOBODY, agent.page, {"viewer": NOBODY}),
    (NOBODY, agent.page, {"viewer": NOBODY, "org_id": BUSY}),
    (BUSY, organization.page, {}),
    *((BUSY, api_key.page, {"org_id": BUSY, "active_only": False, "principal": who}) for who in ("x", "nobody")),
    *((who, alert.page, {"open_only": True, "by_organization": True, "org_id": who}) for who in (BUSY, RARE)),
    (BUSY, alert.page, {**FIRING, "by_organization": True, "org_id": BUSY}),
    # From the middle of the list on.
    (BUSY, escrow.page, {"org_id": BUSY, "after": (named("esc", MIDDLE),)}),
    (BUSY, contract.page, {"org_id": BUSY, "after": (named("ctr", MIDDLE),)}),
    (BUSY, payment.page, {"org_id": BUSY, "after": (named("pay", MIDDLE),)}),
    (BUSY, audit.page, {"org_id": BUSY, "after": (MIDDLE,)}),
    (BUSY, chargeback.page, {"org_id": BUSY, "after": (T0 + MIDDLE * SECOND, named("dsp", MIDDLE))}),
]
#: The caller, the list, and its filters.
CASES: list[tuple[str | None, Page, dict[str, Any]]] = [
    *(
        (who, page, {"org_id": who, **asked})
        for page, ways in NARROWED.items()
        for who in (BUSY, RARE, NOBODY, None)
        for asked in ways
    ),
    *((None, page, asked) for page, asked in OF_PLATFORM),
    *OF_TENANTS,
]


def name_of(who: str | None, page: Page, asked: dict[str, Any]) -> str:
    return f"{page.__module__.removeprefix('repositories.')} {who or 'platform'} {asked}"


async def fill(owner: asyncpg.Connection, first: int, last: int) -> None:
    for statement in FILL.values():
        await owner.execute(statement.replace("$1::int", str(first)).replace("$2::int", str(last)))
    # Statistics of every row: a sample may miss rare rows, and then differs from run to run.
    await owner.execute("SET default_statistics_target = 1000")
    await owner.execute("ANALYZE")


@pytest.fixture(scope="module")
async def costs(cluster: Postgres) -> AsyncIterator[dict[str, tuple[int, int]]]:
    """The blocks that each case reads, before and after the growth."""
    with new_database(cluster, "bursar_lists") as urls:
        owner = await asyncpg.connect(urls.owner)
        database = Database(urls.tenant, urls.platform)
        try:
            await owner.execute(FILL["organizations"].replace("$1::int", "0").replace("$2::int", "0"))
            await fill(owner, 1, SMALL)
            small = await measured(database)
            await fill(owner, SMALL + 1, LARGE)
            large = await measured(database)
        finally:
            await database.close()
            await owner.close()
        yield {name: (small[name], large[name]) for name in small}


async def measured(database: Database) -> dict[str, int]:
    found = {}
    for who, page, asked in CASES:
        taken = set(inspect.signature(page).parameters)
        given = {name: value for name, value in asked.items() if name in taken}
        if "wanted" in taken:
            given["wanted"] = ListFilter(
                **{name: value for name, value in asked.items() if name not in taken}, limit=LIMIT
            )
        start = {"before", "after"} & taken - set(given)
        limit = {"limit": LIMIT} if "limit" in taken else {}
        reading = functools.partial(page, **given, **dict.fromkeys(start), **limit)
        found[name_of(who, page, asked)] = await blocks_read(database, who, reading)
    return found


@for_each("name", [name_of(*case) for case in CASES])
def test_list_ends_with_its_page(name: str, costs: dict[str, tuple[int, int]]) -> None:
    small, large = costs[name]
    # A search by text scans a number of rows, each with one more block of the deeper index, and the blocks of their
    # texts.
    slack = SLACK + (sum(SCAN_LIMITS) + SLACK if "'search'" in name else 0)
    assert large <= small + slack, f"{small} blocks of {SMALL} rows, {large} of {LARGE}"
