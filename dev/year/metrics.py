"""Metrics of a month against sums that are reckoned here from single rows, for each organization and for all."""

from collections.abc import Mapping
from datetime import datetime
from fractions import Fraction

import asyncpg

from domain.common.money import CREDIT
from domain.insight.query import Query
from runtime.database import Database
from services.insight.metrics import ask

_OWN = "(CAST($1 AS text) IS NULL OR {org} = $1)"
_AT = "{at} >= $2 AND {at} < $3"


def _of(org: str, at: str) -> str:
    return f"{_OWN.format(org=org)} AND {_AT.format(at=at)}"


_PAYMENT = """
    SELECT {value} FROM (
        SELECT p.org_id, p.currency, p.amount_minor, v.status, min(v.at) AS at
        FROM payments p JOIN payment_events v ON v.payment_id = p.id GROUP BY 1, 2, 3, 4, p.id
    ) p WHERE p.status = '{status}' AND {of}
"""
_ESCROW = """
    SELECT count(*) FROM (
        SELECT s.org_id, s.payee_org_id, min(v.at) AS at FROM escrows s JOIN escrow_events v ON v.escrow_id = s.id
        WHERE v.status = '{status}' GROUP BY s.id
    ) e WHERE (CAST($1 AS text) IS NULL OR $1 IN (e.org_id, e.payee_org_id)) AND e.at >= $2 AND e.at < $3
"""
_ENTRIES = """
    SELECT coalesce(sum({sign}e.amount), 0) FROM ledger.entries e
    JOIN ledger.accounts a ON a.id = e.account_id JOIN ledger.transfers t ON t.id = e.transfer_id
    WHERE {accounts} AND a.asset = '{asset}' AND {of}
"""
_SPENT = f"""
    SELECT {{value}} FROM ledger.spends s WHERE s.asset = '{CREDIT}' AND {_of("s.org_id", "s.at")}
"""
#: What each metric comes to: a query of one value, by the asset, empty for what is no amount.
OF_ONE: Mapping[tuple[str, str], str] = {
    ("spending", CREDIT): _SPENT.format(value="coalesce(sum(captured - refunded), 0)"),
    ("spends", ""): _SPENT.format(value="count(*)"),
    ("usage.events", ""): f"SELECT count(*) FROM usage_events u WHERE {_of('u.org_id', 'u.occurred_at')}",
}
OF_BOTH: Mapping[tuple[str, str], str] = {
    ("payments.started", ""): f"""
        SELECT count(*) FROM (
            SELECT p.org_id, min(v.at) AS at FROM payments p JOIN payment_events v ON v.payment_id = p.id GROUP BY p.id
        ) p WHERE {_of("p.org_id", "p.at")}
    """,
    ("payments.succeeded", ""): _PAYMENT.format(value="count(*)", status="succeeded", of=_of("p.org_id", "p.at")),
    ("payments.failed", ""): _PAYMENT.format(value="count(*)", status="failed", of=_of("p.org_id", "p.at")),
    ("escrows.opened", ""): _ESCROW.format(status="open"),
    ("escrows.released", ""): _ESCROW.format(status="released"),
    ("earnings", CREDIT): _ENTRIES.format(
        sign="",
        asset=CREDIT,
        accounts="a.path ~ '^agent/.*/(earnings|granted_earnings)/' AND e.amount > 0 AND t.kind <> 'payout.returned'",
        of=_of("a.org_id", "e.effective_at"),
    ),
    ("mrr", "USD"): """
        SELECT coalesce(sum(CASE WHEN s.data ->> 'status' IN ('active', 'past_due') THEN
            round((s.data ->> 'recurring_price')::numeric * 100
                / CASE s.data ->> 'interval' WHEN 'year' THEN 12 ELSE 1 END)
        ELSE 0 END), 0) FROM (
            SELECT DISTINCT ON (subject) data FROM events
            WHERE type LIKE 'subscription.%' AND (CAST($1 AS text) IS NULL OR org_id = $1)
                AND CAST($2 AS timestamptz) < $3 AND at < $3
            ORDER BY subject, subject_seq DESC
        ) s
    """,
}
OF_ALL: Mapping[tuple[str, str], str] = {
    ("commission", CREDIT): _ENTRIES.format(
        sign="", asset=CREDIT, accounts="a.path = 'platform/commission'", of=_of("''", "e.effective_at")
    ),
    ("revenue", "USD"): _ENTRIES.format(
        sign="",
        asset="USD",
        accounts="a.path ~ '^platform/(commission|revenue/|breakage)'",
        of=_of("''", "e.effective_at"),
    ),
    ("money.held", CREDIT): f"""
        SELECT coalesce(sum(e.amount), 0) FROM ledger.entries e JOIN ledger.accounts a ON a.id = e.account_id
        WHERE a.org_id IS NOT NULL AND a.kind = 'liability' AND a.asset = '{CREDIT}' AND e.effective_at < $3
            AND CAST($2 AS timestamptz) < $3 AND CAST($1 AS text) IS NULL
    """,
}


async def compare(
    database: Database, books: asyncpg.Connection, org_ids: list[str], since: datetime, until: datetime, now: datetime
) -> tuple[int, list[str]]:
    """Return how many values were compared, and a sentence for each that differs."""
    count, wrong = 0, list[str]()
    for org_id in (None, *org_ids):
        expected = {**(OF_ALL if org_id is None else OF_ONE), **OF_BOTH}
        names = tuple(dict.fromkeys(name for name, _ in expected))
        async with database.at_one_moment(org_id) as session:
            answer = await ask(session, Query(metrics=names, since=since, until=until), org_id=org_id, now=now)
        found = {(figure.metric, figure.asset or ""): figure.value for figure in answer.totals}
        for (name, asset), sql in expected.items():
            theirs = Fraction(await books.fetchval(sql, org_id, since, until) or 0)
            ours = Fraction(found.get((name, asset)) or 0)
            count += 1
            if ours != theirs:
                wrong.append(f"{name} {asset} of {org_id or 'all'}: {ours} is not {theirs}")
    return count, wrong
