"""`python -m dev.metrics` writes the table of `docs/reference/metrics.md` from the registry; a test compares them."""

from pathlib import Path

from domain.insight.metrics import METRICS, Metric

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "metrics.md"
BEGINS, ENDS = "<!-- metrics -->\n", "<!-- end of metrics -->\n"


def table() -> str:
    """Return the table."""
    rows = [
        "| metric | unit | definition | by | visible to | days |",
        "|---|---|---|---|---|---|",
        *map(_row, METRICS.values()),
    ]
    return "\n".join(rows) + "\n"


def page(now: str) -> str:
    """Return the page with its table anew."""
    head, _, rest = now.partition(BEGINS)
    return f"{head}{BEGINS}\n{table()}\n{ENDS}{rest.partition(ENDS)[2]}"


def _row(metric: Metric) -> str:
    visible_to = {(True, True): "both", (True, False): "organizations", (False, True): "operators"}
    by = ", ".join(metric.dimensions) + (" (one)" if metric.one_dimension else "")
    cells = (
        f"`{metric.name}`",
        metric.unit.value + (f" ({metric.asset})" if metric.asset else ""),
        metric.sentence.replace("](", "](../guides/"),
        by,
        visible_to[metric.for_organizations, metric.for_platform],
        "UTC" if metric.is_by_utc_day else "any",
    )
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
