"""What calls of models and runs with results add up to in a period. Reads the rows of the period and no others."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.returns.model_economics import SUMMED, CallSums, ModelSums, WeightedSums
from domain.usage.prices import BESIDE_NAME
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
_OUTCOME = "run, task_kind, recorded_at, score_e6, is_accepted, value_minor, value_currency"
_WITH_OUTPUT = "FILTER (WHERE output_tokens + reasoning_tokens > 0)"


def _plain(name: str) -> str:
    """Return what `domain.usage.prices.plain_name` does of a name."""
    return f"regexp_replace({name}, '{BESIDE_NAME}', '', 'g')"


# A run has one result: what a validator or a contract says before what anybody reports, and the latest of these.
# Its model is the one that routing drew for it, whatever else it called, where the decision was made before its first
# call and for its agent, and the model was called before the result. A run with several decisions has none. Its agent
# and beginning are those of the call that came in first: calls that are sent once the result is known change nothing.
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
        SELECT {_OUTCOME}, model, e.currency, occurred_at, received_at, agent_id, id, cost_pico,
            {_PROMPT} AS prompt_tokens, {COMPUTED}
        FROM outcomes LEFT JOIN usage_events e ON e.org_id = :org_id AND e.run_id = run
            AND e.occurred_at >= :earliest AND e.occurred_at < :until AND usage IS NOT NULL AND model IS NOT NULL
    ), runs AS (
        SELECT {_OUTCOME},
            CASE WHEN count(DISTINCT model) {_WITH_OUTPUT} = 1 THEN max(model) {_WITH_OUTPUT} END AS model,
            array_agg(DISTINCT model) FILTER (WHERE received_at <= recorded_at) AS called,
            (array_agg(agent_id ORDER BY received_at, id))[1] AS agent_id,
            (array_agg(least(occurred_at, received_at) ORDER BY received_at, id))[1] AS began_at,
            CASE bool_or(starts_with(model_mode, 'thinking:')) WHEN true THEN 'thinking' WHEN false THEN 'normal' END
                AS mode,
            CASE WHEN count(DISTINCT currency) = 1 THEN max(currency) END AS currency,
            count(id) AS calls, sum({_ALL_TOKENS}) AS tokens, sum(output_tokens + reasoning_tokens) AS output_tokens,
            sum(timed_tokens) AS timed_tokens, sum(duration_ms) AS duration_ms, sum(estimated_events) AS estimated,
            coalesce(sum(cost_pico), 0) AS cost_pico, (array_agg(prompt_tokens ORDER BY occurred_at, id))[1] AS prompt
        FROM calls GROUP BY {_OUTCOME}
    ), decided AS (
        SELECT r.*, d.ranking,
            (SELECT min(name) FROM unnest(called) AS name WHERE {_plain("name")} = {_plain("d.choice")}) AS drawn
        FROM runs r LEFT JOIN LATERAL (
            SELECT max(choice) AS choice, max(agent_id) AS agent_id, (array_agg(ranking))[1] AS ranking
            FROM routing_decisions
            WHERE org_id = :org_id AND run_id = r.run AND task_kind = r.task_kind AND choice IS NOT NULL
                AND decided_at <= least(r.began_at, r.recorded_at)
            HAVING count(*) = 1
        ) d ON d.agent_id IS NULL OR d.agent_id = r.agent_id
    ), weighed AS (
        SELECT r.*, CASE WHEN w.odds_e6 IS NULL THEN ARRAY[]::text[] ELSE w.drawn_from END AS drawn_from,
            div(1000000000000, w.odds_e6) AS w
        FROM decided r LEFT JOIN LATERAL (
            SELECT array_agg(DISTINCT {_plain("name")} ORDER BY {_plain("name")}) AS drawn_from,
                sum(odds_e6) FILTER (WHERE {_plain("name")} = {_plain("r.drawn")}) AS odds_e6
            FROM jsonb_to_recordset(r.ranking) AS each (name text, odds_e6 integer) WHERE odds_e6 > 0
        ) w ON r.drawn IS NOT NULL
    )
    SELECT coalesce(r.drawn, r.model) AS model, r.mode, r.task_kind, r.currency,
        width_bucket(r.prompt, ARRAY[1000, 4000, 16000, 64000]) AS size, r.drawn_from,
        sum(calls) AS calls, sum(tokens) AS tokens, sum(output_tokens) AS output_tokens,
        sum(timed_tokens) AS timed_tokens, sum(duration_ms) AS duration_ms, sum(estimated) AS estimated,
        sum(r.cost_pico) AS cost_pico, count(*) AS runs, count(*) FILTER (WHERE is_accepted) AS accepted,
        sum(r.score_e6) AS score_e6, sum(r.cost_pico) AS run_cost_pico,
        sum(r.cost_pico * r.cost_pico) AS square_pico,
        coalesce(sum(r.cost_pico) FILTER (WHERE is_accepted), 0) AS accepted_pico,
        sum(w) AS weight, sum(w) FILTER (WHERE is_accepted) AS accepted_weight, sum(w * r.cost_pico) AS cost_weight,
        sum(w * w) AS squared, sum(w * w) FILTER (WHERE is_accepted) AS squared_accepted,
        sum(w * w * r.cost_pico) AS squared_cost, sum(w * w * r.cost_pico * r.cost_pico) AS squared_cost2,
        sum(w * w * r.cost_pico) FILTER (WHERE is_accepted) AS squared_accepted_cost,
        count(*) FILTER (WHERE is_accepted AND value_currency = r.currency) AS valued,
        coalesce(sum(value_minor) FILTER (WHERE is_accepted AND value_currency = r.currency), 0) AS value_minor
    FROM weighed r GROUP BY 1, 2, 3, 4, 5, 6
    """
)
_WEIGHED = ("weight", "accepted_weight", "cost_weight", *WeightedSums._fields[3:])
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


async def calls(session: AsyncSession, org_id: str, since: datetime, until: datetime) -> list[ModelSums]:
    """Return all calls by model, mode and currency; `since` and `until` are midnights in UTC."""
    asked = {"org_id": org_id, "first": since.date(), "after": until.date()}
    return [_cell(row) for row in (await session.execute(_CALLS, asked)).mappings()]


async def runs(session: AsyncSession, org_id: str, since: datetime, until: datetime) -> list[ModelSums]:
    """Return the runs of the latest results by model, mode, kind of task, size of input and currency."""
    asked: dict[str, Any] = {"org_id": org_id, "since": since, "until": until, "most": MOST_RESULTS}
    asked["earliest"] = since - LONGEST_RUN
    return [_cell(row) for row in (await session.execute(_RUNS, asked)).mappings()]


async def counts(session: AsyncSession, org_id: str, since: datetime, until: datetime) -> tuple[bool, int]:
    """Return whether all results that count are read, and how many others agents reported on themselves."""
    asked = {"org_id": org_id, "since": since, "until": until, "most": MOST_RESULTS + 1}
    row = (await session.execute(_COUNTS, asked)).one()
    return row.found <= MOST_RESULTS, row.self_reported


def _cell(row: RowMapping) -> ModelSums:
    named = {name: row[name] for name in ("model", "mode", "currency", "task_kind", "size") if name in row}
    sums = CallSums(**{name: int(row[name]) for name in SUMMED if name in row})
    if not row.get("drawn_from"):
        return ModelSums(**named, sums=sums)
    drawn = WeightedSums(*(int(row[name] or 0) for name in _WEIGHED))
    return ModelSums(**named, sums=sums, drawn_from=tuple(row["drawn_from"]), drawn=drawn)
