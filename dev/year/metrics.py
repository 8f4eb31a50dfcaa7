"""Metrics of a month against sums that are reckoned here from single rows, for each organization and for all.

Figures in money are compared with the entries of profit and loss and of the balance sheet, and with the lots.
"""

from collections.abc import Mapping
from datetime import datetime
from fractions import Fraction

import asyncpg

from domain.common.money import CREDIT
from domain.insight.query import Query
from runtime.database import Database
from services.insight.metrics import run_query

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
_EARNED = _ENTRIES.format(
    sign="",
    asset="USD",
    accounts="a.path ~ '^agent/.*/earnings/' AND e.amount > 0 AND t.kind <> 'payout.returned'",
    of=_of("a.org_id", "e.effective_at"),
)
#: What stands on accounts when the time is over.
_STANDING = """
    SELECT coalesce(sum(e.amount), 0) FROM ledger.entries e JOIN ledger.accounts a ON a.id = e.account_id
    WHERE {accounts} AND a.asset = '{asset}' AND e.effective_at < $3
        AND CAST($2 AS timestamptz) < $3 AND CAST($1 AS text) IS NULL
"""
_SPENT = f"""
    SELECT {{value}} FROM ledger.spends s WHERE s.asset = '{CREDIT}' AND {_of("s.org_id", "s.at")}
"""
#: What each metric comes to: a query of one value, by the asset, empty for what is no amount.
OF_ONE: Mapping[tuple[str, str], str] = {
    ("spending", CREDIT): f"""
        SELECT ({_SPENT.format(value="coalesce(sum(captured - refunded), 0)")}) + (
            SELECT coalesce(-sum(e.amount), 0)
            FROM ledger.entries e JOIN ledger.transfers t ON t.id = e.transfer_id
            JOIN escrows x ON x.id = t.reference AND x.org_id = e.org_id
            WHERE e.asset = '{CREDIT}' AND t.kind IN ('escrow.released', 'escrow.split')
                AND {_of("e.org_id", "e.effective_at")}
        )
    """,
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
    ("earnings", "USD"): f"""
        SELECT ({_EARNED}) + coalesce(sum(l.paid), 0)
        FROM ledger.lots l JOIN ledger.accounts a ON a.id = l.account_id JOIN ledger.transfers t ON t.id = l.transfer_id
        WHERE a.path ~ '^agent/.*/earnings/CREDIT' AND l.paid_asset = 'USD' AND t.kind <> 'payout.returned'
            AND {_of("a.org_id", "t.effective_at")}
    """,
    # What is billed without tax by the newest bill.
    ("mrr", "USD"): """
        SELECT coalesce(sum(CASE WHEN s.data ->> 'status' IN ('active', 'past_due') THEN
            round(round((s.data ->> 'recurring_price')::numeric * 100 * coalesce(b.share, 1))
                / CASE s.data ->> 'interval' WHEN 'year' THEN 12 ELSE 1 END)
        ELSE 0 END), 0) FROM (
            SELECT DISTINCT ON (subject) subject, at, data FROM events
            WHERE type LIKE 'subscription.%' AND (CAST($1 AS text) IS NULL OR org_id = $1)
                AND CAST($2 AS timestamptz) < $3 AND at < $3
            ORDER BY subject, subject_seq DESC
        ) s LEFT JOIN LATERAL (
            SELECT 1 - i.tax_minor::numeric / i.total_minor AS share
            FROM subscription_bills b JOIN invoices i ON i.id = b.invoice_id
            WHERE b.subscription_id = s.subject AND i.issued_at <= s.at
            ORDER BY b.period_end DESC, b.gross_minor DESC LIMIT 1
        ) b ON true
    """,
}


def _on_line(accounts: str, asset: str = "USD") -> str:
    return _ENTRIES.format(sign="", asset=asset, accounts=accounts, of=_of("''", "e.effective_at"))


OF_ALL: Mapping[tuple[str, str], str] = {
    ("commission", CREDIT): _on_line("a.path = 'platform/commission'", CREDIT),
    ("commission", "USD"): _on_line("a.path = 'platform/commission'"),
    ("revenue", "USD"): _on_line("a.kind = 'revenue'"),
    ("revenue.net", "USD"): _on_line("a.kind IN ('revenue', 'expense')"),
    ("money.held", CREDIT): _STANDING.format(accounts="a.org_id IS NOT NULL AND a.kind = 'liability'", asset=CREDIT),
    ("money.held", "USD"): _STANDING.format(
        accounts="a.kind = 'liability' AND (a.org_id IS NOT NULL OR a.path ~ '^platform/(deferred_revenue|payable)$')",
        asset="USD",
    ),
    ("escrows.held", CREDIT): _STANDING.format(accounts="a.path LIKE 'escrow/%'", asset=CREDIT),
    ("escrows.held", "USD"): f"""
        SELECT ({_STANDING.format(accounts="a.path LIKE 'escrow/%'", asset="USD")}) + coalesce(sum(c.cost), 0) FROM (
            SELECT u.transfer_id, l.account_id, -u.cost AS cost, l.paid_asset
            FROM ledger.lot_uses u JOIN ledger.lots l ON l.id = u.lot_id
            UNION ALL
            SELECT u.transfer_id, l.account_id, u.cost, l.paid_asset
            FROM ledger.lot_uses u JOIN ledger.lots l ON l.id = u.to_lot
            UNION ALL
            SELECT r.transfer_id, r.account_id, r.cost, l.paid_asset
            FROM ledger.lot_returns r JOIN ledger.lots l ON l.id = r.lot_id
        ) c JOIN ledger.accounts a ON a.id = c.account_id JOIN ledger.transfers t ON t.id = c.transfer_id
        WHERE a.path LIKE 'escrow/%' AND c.paid_asset = 'USD' AND t.effective_at < $3
    """,
}


async def compare(
    database: Database, books: asyncpg.Connection, org_ids: list[str], since: datetime, until: datetime, now: datetime
) -> tuple[int, list[str]]:
    """Return how many values were compared, and a sentence for each that differs."""
    count, wrong = 0, list[str]()
    for org_id in (None, *org_ids):
        expected = {**(OF_ALL if org_id is None else OF_ONE), **OF_BOTH}
        shares = ("volume", "take_rate") if org_id is None else ()
        names = tuple(dict.fromkeys((*(name for name, _ in expected), *shares)))
        async with database.repeatable_read(org_id) as session:
            answer = await run_query(session, Query(metrics=names, since=since, until=until), org_id=org_id, now=now)
        found = {(figure.metric, figure.asset or ""): figure.value for figure in answer.totals}
        wanted = {key: Fraction(await books.fetchval(sql, org_id, since, until) or 0) for key, sql in expected.items()}
        if shares:
            commission = wanted["commission", "USD"]
            wanted["volume", "USD"] = volume = commission + wanted["earnings", "USD"]
            wanted["take_rate", "USD"] = commission / volume if volume else Fraction(0)
        for (name, asset), theirs in wanted.items():
            ours = Fraction(found.get((name, asset)) or 0)
            count += 1
            if ours != theirs:
                wrong.append(f"{name} {asset} of {org_id or 'all'}: {ours} is not {theirs}")
    return count, wrong
