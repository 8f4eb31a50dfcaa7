"""The rows of exports: for each dataset one statement, which PostgreSQL writes out itself with `COPY`.

Columns have the names that they have in the API's lists, and the same content: ids with their prefix, amounts as
decimals, times in UTC. CSV is as `domain/common/cells.py` writes it. A file holds the rows behind a key
in the order of the key, so a file that is begun again holds the same rows.
"""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from domain.common.cells import FORMULA, LEADING
from domain.common.ids import uuid_of
from domain.common.money import SCALES
from domain.insight.export import Dataset, ExportFormat
from repositories.common.listing import ID_TIME_MARGIN, first_id

#: How long the statement of one file may take.
COPY_TIMEOUT = timedelta(hours=1)
_TIME, _TEXT, _PLAIN, _NUMBER = "time", "text", "plain", "number"


def _amount(of: str, asset: str) -> str:
    """Return an amount as `format_amount` writes it: without further zeros, with two decimals at least."""
    by_scale: dict[int, list[str]] = {}
    for code, scale in SCALES.items():
        by_scale.setdefault(scale, []).append(code)
    cases = "".join(
        f" WHEN {asset} IN ({', '.join(f'{code!r}' for code in codes)}) THEN "
        + (f"{of}::numeric" if scale == 0 else f"round({of} * 1e-{scale}, greatest(2, min_scale({of} * 1e-{scale})))")
        for scale, codes in sorted(by_scale.items(), key=lambda each: len(each[1]))
        if scale != 2
    )
    return f"(CASE{cases} ELSE {of} * 0.01 END)::text"


def _id(prefix: str, of: str) -> str:
    return f"type_id('{prefix}', {of})"


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    sql: str
    kind: str = _PLAIN

    def written(self, form: ExportFormat) -> str:
        sql = self.sql
        if self.kind == _TIME:
            sql = f"replace(({sql} AT TIME ZONE 'UTC')::text, ' ', 'T') || 'Z'"
        if self.kind == _TEXT and form is ExportFormat.CSV:
            sql = f"regexp_replace(({sql})::text, '{FORMULA}', '\\1\\2''\\3', 'g')"
            sql = f"regexp_replace({sql}, '{LEADING}', '''\\&')"
        return f'{sql} AS "{self.name}"'


def _columns(*named: str, **sql: str) -> list[Column]:
    """Return columns: plain ones by their names, and `name="SQL"`."""
    return [*(Column(name, name) for name in named), *(Column(name, each) for name, each in sql.items())]


def _times(*named: str, **sql: str) -> list[Column]:
    return [Column(each.name, each.sql, _TIME) for each in _columns(*named, **sql)]


def _texts(*named: str, **sql: str) -> list[Column]:
    return [Column(each.name, each.sql, _TEXT) for each in _columns(*named, **sql)]


def _numbers(*named: str, **sql: str) -> list[Column]:
    return [Column(each.name, each.sql, _NUMBER) for each in _columns(*named, **sql)]


def _amounts(asset: str, **sql: str) -> list[Column]:
    return [Column(name, _amount(each, asset), _NUMBER) for name, each in sql.items()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What a dataset is read from.

    Attributes:
        of: the tables.
        key: the columns of its unique order, each with its type.
        at: the time by which a row belongs to a period.
        columns: of its files, in their order.
        own: the condition by which the index of a tenant's rows is used, `{org}` is the tenant; row security decides.
        besides: what else holds of each row; `{horizon}` is the transaction below which everything is committed.
        sum: the amount in minor units that the manifest adds up, and its asset.
        prefix: of ids that begin the key and hold the time of their rows, empty for UUIDs; None for other keys.
    """

    of: str
    key: Sequence[tuple[str, str]]
    at: str
    columns: Sequence[Column]
    own: str = ""
    besides: str = "true"
    sum: tuple[str, str] | None = None
    prefix: str | None = None


_ORG = _columns(organization_id="org_id")
_RECORDED = "uuid_extract_timestamp({})"
SOURCES: Mapping[Dataset, Source] = {
    Dataset.TRANSFERS: Source(
        of="ledger.transfers",
        key=[("id", "uuid")],
        at=_RECORDED.format("id"),
        columns=[
            *_columns(id=_id("tr", "id")),
            *_columns("kind"),
            # As `shown_reference`: the ids of uses and reservations stand in the books without their prefix.
            *_texts(
                reference="CASE WHEN reference ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN "
                "type_id(CASE kind WHEN 'use' THEN 'hold' ELSE 'spd' END, reference::uuid) ELSE reference END"
            ),
            *_ORG,
            *_times("effective_at", "recorded_at"),
        ],
        own="id IN (SELECT e.transfer_id FROM ledger.entries e WHERE e.org_id = {org})",
        prefix="",
    ),
    Dataset.ENTRIES: Source(
        of="ledger.entries e JOIN ledger.accounts a ON a.id = e.account_id",
        key=[("e.transfer_id", "uuid"), ("e.account_id", "bigint"), ("e.version", "bigint"), ("e.stripe", "smallint")],
        at=_RECORDED.format("e.transfer_id"),
        columns=[
            *_columns(transfer_id=_id("tr", "e.transfer_id"), account="a.path", organization_id="e.org_id"),
            *_amounts("e.asset", amount="e.amount"),
            *_columns(currency="e.asset"),
            *_amounts("e.asset", balance_after="e.balance_after"),
            *_times(effective_at="e.effective_at"),
        ],
        own="e.org_id = {org}",
        sum=("e.amount", "e.asset"),
        prefix="",
    ),
    Dataset.USAGE: Source(
        of="ledger.spends",
        key=[("org_id", "text"), ("id", "uuid")],
        at="recorded_at",
        columns=[
            *_columns(id="CASE WHEN hold_id IS NULL THEN type_id('spd', id) ELSE type_id('hold', id) END"),
            *_ORG,
            *_columns("status"),
            *_texts("action"),
            *_numbers("quantity"),
            *_amounts("asset", amount="amount"),
            *_columns(currency="asset"),
            *_columns("agent_id", "department_id", "project_id"),
            *_texts("run_id"),
            *_times(created_at="at"),
            *_amounts("asset", captured="captured", released="released", refunded="refunded"),
            *_amounts("asset", held="(amount - captured - released)"),
            *_columns("key_id"),
            *_texts("principal"),
            *_times(expires_at="held_until"),
            *_texts("metadata"),
        ],
        own="org_id = {org}",
        sum=("amount", "asset"),
    ),
    Dataset.PAYMENTS: Source(
        of="payments",
        key=[("id", "text")],
        at="created_at",
        columns=[
            *_columns("id", organization_id="org_id"),
            *_columns("provider", "status", "purpose"),
            *_amounts("currency", amount="amount_minor"),
            *_columns("currency"),
            *_amounts("currency", received_amount="received_minor", refunded_amount="refunded_minor"),
            *_columns("escrow_id"),
            *_columns(
                invoice_id="state #>> '{terms,purpose,invoice_id}'", agent_id="state #>> '{terms,purpose,agent_id}'"
            ),
            *_texts(description="state #>> '{terms,description}'"),
            *_columns("workflow_id"),
            *_numbers("version"),
            *_times("created_at", "updated_at"),
        ],
        own="org_id = {org}",
        sum=("amount_minor", "currency"),
        prefix="pay",
    ),
    Dataset.ESCROWS: Source(
        of="escrows",
        key=[("id", "text")],
        at="created_at",
        columns=[
            *_columns("id", "contract_id", "status", "currency"),
            *_amounts(
                "currency", amount="amount_minor", funded_amount="funded_minor", released_amount="released_minor"
            ),
            *_amounts("currency", refunded_amount="refunded_minor", commission_amount="commission_minor"),
            *_columns(payer_org_id="org_id"),
            *_columns("payee_org_id", payee_agent_id="agent_id"),
            *_columns("workflow_id"),
            *_numbers("version"),
            *_times("created_at", "updated_at"),
        ],
        sum=("amount_minor", "currency"),
    ),
    Dataset.INVOICES: Source(
        of="invoices",
        key=[("id", "text")],
        at="issued_at",
        columns=[
            *_columns("id", "number", organization_id="org_id"),
            *_columns("status", "currency"),
            *_amounts("currency", subtotal="subtotal_minor", tax="tax_minor", total="total_minor"),
            *_amounts("currency", granted_credits="granted_minor", taxed_credits="taxed_minor"),
            *_amounts("currency", applied_credits="prepaid_minor", rounding="rounded_minor", credited="credited_minor"),
            *_amounts("currency", written_off="written_off_minor", paid="paid_minor"),
            *_amounts(
                "currency",
                due="(CASE status WHEN 'open' THEN total_minor - paid_minor - prepaid_minor - rounded_minor"
                " - credited_minor - written_off_minor ELSE 0 END)",
            ),
            *_texts("note"),
            *_times("issued_at", "due_at", "updated_at"),
            *_columns(transfer_id=_id("tr", "transfer_id")),
        ],
        own="org_id = {org}",
        besides="status <> 'draft'",
        sum=("total_minor", "currency"),
    ),
    Dataset.REPUTATION: Source(
        of="reputation_history h JOIN agents a ON a.id = h.agent_id",
        key=[("h.day", "date"), ("h.agent_id", "text")],
        at="h.day::timestamp AT TIME ZONE 'UTC'",
        columns=[
            *_columns(agent_id="h.agent_id", day="h.day"),
            *_numbers(
                **{
                    name: f"((h.{column} / 1000) * 0.01)::text"
                    for name, column in {"score": "stars_e6", "low": "low_e6", "high": "high_e6"}.items()
                },
                rank_score="((h.rank_e6 / 1000) * 0.01)::text",
                evidence_count="h.evidence_count",
            ),
            *_columns(is_sudden="h.is_sudden"),
        ],
        own="a.org_id = {org}",
    ),
    Dataset.AUDIT: Source(
        of="audit_log",
        key=[("id", "bigint")],
        at="at",
        columns=[
            *_numbers("id"),
            *_times("at"),
            *_columns(organization_id="org_id"),
            *_texts("principal"),
            *_columns("role", actor_organization_id="actor_org_id"),
            # As `AuditView`: a tenant does not see key and address of another organization's action.
            *_columns(
                **{
                    name: f"CASE WHEN bursar_org() IS NULL OR actor_org_id = bursar_org() THEN {name} END"
                    for name in ("key_id", "session_id")
                }
            ),
            *_texts("made_by", "action", "target"),
            *_texts(
                **{
                    name: f"CASE WHEN bursar_org() IS NULL OR actor_org_id = bursar_org() THEN {name} END"
                    for name in ("request_id", "address")
                }
            ),
            *_texts("details"),
        ],
    ),
    Dataset.EVENTS: Source(
        of="events",
        key=[("written_in", "bigint"), ("id", "text")],
        at="at",
        columns=[
            *_columns("id", "type", organization_id="org_id"),
            *_texts("subject"),
            *_numbers("subject_seq"),
            *_times("at"),
            *_texts("data"),
        ],
        own="org_id = {org}",
        besides="written_in < {horizon}",
    ),
    Dataset.PURCHASES: Source(
        of="purchase_entries",
        key=[("org_id", "text"), ("id", "uuid")],
        at="uuid_extract_timestamp(id)",
        columns=[
            *_columns(id=_id("ent", "id")),
            *_ORG,
            *_times(timestamp="at"),
            *_columns("agent_id", "project_id", "transaction_type", object_id="order_id"),
            *_texts("item"),
            *_amounts("currency", amount="amount_minor"),
            *_columns("currency"),
            *_texts("payment_method"),
            *_columns("status"),
            *_texts("alternative_action"),
            *_numbers(
                budget_remaining_daily="budget_remaining ->> 'daily'",
                budget_remaining_project="budget_remaining ->> 'project'",
            ),
        ],
        own="org_id = {org}",
        sum=("amount_minor", "currency"),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Extract:
    """The rows of one file: of a dataset, a period, and behind a key.

    Attributes:
        org_id: whose; None for all organizations.
        horizon: as in `ExportRow`.
        after: the key of the last row of the file before; None for the first file.
        last: the key of the file's own last row; None where no file follows.
    """

    dataset: Dataset
    org_id: str | None
    since: datetime
    until: datetime
    horizon: int
    after: Sequence[Any] | None
    last: Sequence[Any] | None = None

    def statement(self, columns: str, rest: str = "") -> tuple[str, list[Any]]:
        source, values = SOURCES[self.dataset], list[Any]()

        def value(given: Any, type: str) -> str:
            values.append(str(given))
            return f"${len(values)}::text::{type}"

        since, until = (value(each.isoformat(), "timestamptz") for each in (self.since, self.until))
        where = [f"{source.at} >= {since}", f"{source.at} < {until}"]
        where.append(
            source.besides.replace("{horizon}", value(self.horizon, "bigint"))
            if "{" in source.besides
            else source.besides
        )
        if self.org_id is not None and source.own:
            where.append(source.own.replace("{org}", value(self.org_id, "text")))
        key = ", ".join(name for name, _ in source.key)
        if source.prefix is not None:
            name, type = source.key[0]
            where.append(f"{name} >= {value(self._first(source.prefix, self.since - ID_TIME_MARGIN), type)}")
            where.append(f"{name} < {value(self._first(source.prefix, self.until + ID_TIME_MARGIN), type)}")
        for end, than in ((self.after, ">"), (self.last, "<=")):
            if end is not None:
                values_of_end = ", ".join(value(each, type) for each, (_, type) in zip(end, source.key, strict=True))
                where.append(f"({key}) {than} ({values_of_end})")
        return f"SELECT {columns} FROM {source.of} WHERE {' AND '.join(where)} {rest}", values

    @staticmethod
    def _first(prefix: str, moment: datetime) -> str | UUID:
        return first_id(prefix, moment) if prefix else uuid_of(first_id("x", moment))


async def write(
    connection: asyncpg.Connection,
    extract: Extract,
    form: ExportFormat,
    output: Callable[[bytes], Coroutine[Any, Any, None]],
) -> int:
    """Write a file, and return how many rows it has; memory does not grow with it.

    Args:
        connection: in a transaction that reads as of one moment; its role decides which rows there are.
        extract: the rows.
        form: how they are written.
        output: takes the bytes as they come.
    """
    columns = ", ".join(column.written(form) for column in SOURCES[extract.dataset].columns)
    query, values = extract.statement(columns, _ordered(extract))
    texts = [column.name for column in SOURCES[extract.dataset].columns if column.kind != _NUMBER]
    options: dict[str, Any] = {"format": "csv", "header": True, "force_quote": texts}
    if form is ExportFormat.JSONL:
        # JSON has no control characters, so with these nothing is ever quoted, and a line is a document.
        query, options = (
            f"SELECT row_to_json(t) FROM ({query}) t",
            {"format": "csv", "quote": "\x01", "delimiter": "\x02"},
        )
    done = await connection.copy_from_query(
        query, *values, output=output, timeout=COPY_TIMEOUT.total_seconds(), **options
    )
    return int(done.split()[-1])


async def totals(connection: asyncpg.Connection, extract: Extract) -> tuple[int, dict[str, int]]:
    """Count the rows of a file, and add up its amounts by asset, without reading the file."""
    source = SOURCES[extract.dataset]
    amount, asset = source.sum or ("0", "''")
    query, values = extract.statement(f"{asset} AS asset, count(*) AS count, sum({amount})::text AS sum", "GROUP BY 1")
    rows = await connection.fetch(query, *values, timeout=COPY_TIMEOUT.total_seconds())
    sums = {row["asset"]: int(row["sum"]) for row in rows} if source.sum else {}
    return sum(row["count"] for row in rows), sums


async def last_key(connection: asyncpg.Connection, extract: Extract, rows: int) -> list[Any] | None:
    """Return the key of the last of so many rows; None if there are not as many."""
    key = ", ".join(f"({name})::text" for name, _ in SOURCES[extract.dataset].key)
    query, values = extract.statement(key, f"{_ordered(extract)} OFFSET {rows - 1} LIMIT 1")
    found = await connection.fetch(query, *values, timeout=COPY_TIMEOUT.total_seconds())
    return list(found[0].values()) if found else None


def _ordered(extract: Extract) -> str:
    # By columns of the table: a bare name is that of an output column, which is text, where 10 comes before 9.
    source = SOURCES[extract.dataset]
    return f"ORDER BY {', '.join(name if '.' in name else f'{source.of}.{name}' for name, _ in source.key)}"
