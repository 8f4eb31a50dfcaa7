"""What calls of models and runs with results add up to in a period. Reads the rows of the period and no others."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.returns.model_economics import SUMMED, Cell, Sums
from domain.usage.token_usage import PROMPT_UNITS
from repositories.usage.usage import COMPUTED, TOKENS

#: The latest results of a period that are read.
MOST_RESULTS = 20_000
#: Calls of a run are looked for up to so long before the period.
LONGEST_RUN = timedelta(days=92)

_ALL_TOKENS = " + ".join((*TOKENS, "other_tokens"))
_CALLS = text(
    f"""
    SELECT split_part(value, ':', 1) AS mode, substr(value, strpos(value, ':') + 1) AS model,
        nullif(currency, '') AS currency, sum(events) AS calls, sum({_ALL_TOKENS}) AS tokens,
        sum(output_tokens + reasoning_tokens) AS output_tokens, sum(timed_tokens) AS timed_tokens,
        sum(duration_ms) AS duration_ms, sum(estimated_events) AS estimated, sum(cost_pico) AS cost_pico
    FROM usage_days
    WHERE org_id = :org_id AND dimension = 'model_mode' AND value <> '' AND day >= :first AND day < :after
    GROUP BY value, currency
    """
)
_PROMPT = " + ".join(f"coalesce((usage->>'{name}')::bigint, 0)" for name in PROMPT_UNITS)
_OUTCOME = "run, task_kind, score_e6, is_accepted, value_minor, value_currency"
# A run has one result: what a validator or a contract says before what anybody reports, and the latest of these.
_RUNS = text(
    f"""
    WITH latest AS MATERIALIZED (
        SELECT coalesce(run_id, task_id) AS run, task_kind, score_e6, is_accepted, source AS said_by, recorded_at,
            id AS result_id, value_minor, currency AS value_currency
        FROM results
        WHERE org_id = :org_id AND recorded_at >= :since AND recorded_at < :until AND NOT is_self_reported
        ORDER BY recorded_at DESC LIMIT :most
    ), outcomes AS MATERIALIZED (
        SELECT DISTINCT ON (run) * FROM latest ORDER BY run, (said_by = 'api'), recorded_at DESC, result_id DESC
    ), calls AS (
        SELECT {_OUTCOME}, model, e.currency, occurred_at, id, cost_pico, {_PROMPT} AS prompt_tokens, {COMPUTED}
        FROM outcomes LEFT JOIN usage_events e ON e.org_id = :org_id AND e.run_id = run
            AND e.occurred_at >= :earliest AND e.occurred_at < :until AND usage IS NOT NULL AND model IS NOT NULL
    ), runs AS (
        SELECT {_OUTCOME},
            CASE WHEN count(DISTINCT model) FILTER (WHERE output_tokens + reasoning_tokens > 0) = 1
                THEN max(model) FILTER (WHERE output_tokens + reasoning_tokens > 0) END AS model,
            CASE bool_or(starts_with(model_mode, 'thinking:')) WHEN true THEN 'thinking' WHEN false THEN 'normal' END
                AS mode,
            CASE WHEN count(DISTINCT currency) = 1 THEN max(currency) END AS currency,
            count(id) AS calls, sum({_ALL_TOKENS}) AS tokens, sum(output_tokens + reasoning_tokens) AS output_tokens,
            sum(timed_tokens) AS timed_tokens, sum(duration_ms) AS duration_ms, sum(estimated_events) AS estimated,
            coalesce(sum(cost_pico), 0) AS cost_pico, (array_agg(prompt_tokens ORDER BY occurred_at, id))[1] AS prompt
        FROM calls GROUP BY {_OUTCOME}
    )
    SELECT r.model, r.mode, r.task_kind, r.currency, width_bucket(r.prompt, ARRAY[1000, 4000, 16000, 64000]) AS size,
        sum(calls) AS calls, sum(tokens) AS tokens, sum(output_tokens) AS output_tokens,
        sum(timed_tokens) AS timed_tokens, sum(duration_ms) AS duration_ms, sum(estimated) AS estimated,
        sum(r.cost_pico) AS cost_pico, count(*) AS runs, count(*) FILTER (WHERE is_accepted) AS accepted,
        sum(r.score_e6) AS score_e6, sum(r.cost_pico) AS run_cost_pico,
        sum(r.cost_pico * r.cost_pico) AS square_pico,
        coalesce(sum(r.cost_pico) FILTER (WHERE is_accepted), 0) AS accepted_pico,
        count(*) FILTER (WHERE d.choice = r.model AND d.odds_e6 < 1000000) AS randomised,
        count(*) FILTER (WHERE is_accepted AND value_currency = r.currency) AS valued,
        coalesce(sum(value_minor) FILTER (WHERE is_accepted AND value_currency = r.currency), 0) AS value_minor
    FROM runs r LEFT JOIN routing_decisions d ON d.org_id = :org_id AND d.run_id = run AND d.task_kind = r.task_kind
    GROUP BY 1, 2, 3, 4, 5
    """
)
_COUNTS = text(
    """
    SELECT count(*) FILTER (WHERE NOT is_self_reported) AS found,
        count(*) FILTER (WHERE is_self_reported) AS self_reported
    FROM (VALUES (false), (true)) AS each (is_own), LATERAL (
        SELECT is_self_reported FROM results
        WHERE org_id = :org_id AND recorded_at >= :since AND recorded_at < :until AND is_self_reported = is_own
        ORDER BY recorded_at DESC LIMIT :most
    ) found
    """
)


async def calls(session: AsyncSession, org_id: str, since: datetime, until: datetime) -> list[Cell]:
    """Return all calls by model, mode and currency; `since` and `until` are midnights in UTC."""
    asked = {"org_id": org_id, "first": since.date(), "after": until.date()}
    return [_cell(row) for row in (await session.execute(_CALLS, asked)).mappings()]


async def runs(session: AsyncSession, org_id: str, since: datetime, until: datetime) -> list[Cell]:
    """Return the runs of the latest results by model, mode, kind of task, size of input and currency."""
    asked: dict[str, Any] = {"org_id": org_id, "since": since, "until": until, "most": MOST_RESULTS}
    asked["earliest"] = since - LONGEST_RUN
    return [_cell(row) for row in (await session.execute(_RUNS, asked)).mappings()]


async def counts(session: AsyncSession, org_id: str, since: datetime, until: datetime) -> tuple[bool, int]:
    """Return whether all results that count are read, and how many others agents reported on themselves."""
    asked = {"org_id": org_id, "since": since, "until": until, "most": MOST_RESULTS + 1}
    row = (await session.execute(_COUNTS, asked)).one()
    return row.found <= MOST_RESULTS, row.self_reported


def _cell(row: RowMapping) -> Cell:
    named = {name: row[name] for name in ("model", "mode", "currency", "task_kind", "size") if name in row}
    return Cell(**named, sums=Sums(**{name: int(row[name]) for name in SUMMED if name in row}))
