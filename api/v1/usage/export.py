"""Usage as cells of CSV."""

from collections.abc import Sequence

from api.v1.usage.schemas import UsageEventView, split_money
from repositories.usage.usage_report import UsageTotal

_TOKENS = ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens")
SUMMARY_COLUMNS = ("group", "events", *_TOKENS, "currency", "cost", "creator_share", "platform_share")
_EVENT_TEXTS = (
    *("id", "occurred_at", "type", "action", "source", "event_id", "subject", "agent_id", "department_id"),
    *("project_id", "run_id", "step_id", "parent_id", "provider", "model"),
)
_EVENT_MONEY = (
    "currency",
    "cost",
    "creator_share",
    "platform_share",
    "rated_by",
    "billed_status",
    "invoice_id",
    "billed_at",
)
EVENT_COLUMNS = (*_EVENT_TEXTS, *_TOKENS, *_EVENT_MONEY)


def summary_lines(found: Sequence[UsageTotal]) -> list[Sequence[str]]:
    lines: list[Sequence[str]] = [SUMMARY_COLUMNS]
    for total in found:
        counts = [str(total.counted[name]) for name in ("events", *_TOKENS)]
        lines.append([total.group, *counts, total.currency, *split_money(total.counted)])
    return lines


def event_cells(view: UsageEventView) -> list[str]:
    shown = view.model_dump(mode="json")
    tokens = shown["usage"] or {}
    return [
        *(str(shown[name] or "") for name in _EVENT_TEXTS),
        *(str(tokens.get(name, "")) for name in _TOKENS),
        *(str(shown[name] or "") for name in _EVENT_MONEY),
    ]
