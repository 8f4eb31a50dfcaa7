"""Each alert rule asks for metrics that the product exports, and leads to a page that says what to do."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import temporalio.bridge
import yaml

from runtime.metrics import ApiMetrics, PaymentFailures
from tests.support.cases import for_each

ROOT = Path(__file__).resolve().parents[2]
GROUPS: list[dict[str, Any]] = yaml.safe_load((ROOT / "deploy/prometheus/rules.yaml").read_text("utf-8"))["groups"]
RULES: list[dict[str, Any]] = [rule for group in GROUPS for rule in group["rules"]]
METRIC = re.compile(r"\b(?:bursar|temporal|process|python)_\w+")
#: What `runtime.metrics.worker_runtime` has the SDK append.
SUFFIXES = ("_total", "_seconds_bucket", "_seconds_sum", "_seconds_count", "_seconds")

each = for_each("rule", RULES)


def of_the_api() -> set[str]:
    """Return the names of the samples that the API can serve, whatever was counted so far."""
    endings = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}
    return {
        family.name + ending for family in ApiMetrics().registry.collect() for ending in endings.get(family.type, ("",))
    }


def of_the_worker(name: str) -> bool:
    """Tell whether the SDK's core knows a metric; most of its names appear only once there is something to tell."""
    if name == f"{PaymentFailures.NAME}_total":
        return True
    bare = next((name.removesuffix(suffix) for suffix in SUFFIXES if name.endswith(suffix)), name)
    (core,) = Path(temporalio.bridge.__file__).parent.glob("temporal_sdk_bridge*")
    return bare.startswith("temporal_") and bare.removeprefix("temporal_").encode() in core.read_bytes()


def named() -> Iterator[str]:
    for rule in RULES:
        yield from METRIC.findall(rule["expr"])


@for_each("name", sorted(set(named())))
def test_metric_of_a_rule_is_exported(name: str) -> None:
    assert name in of_the_api() or of_the_worker(name)


def test_metric_that_is_not_exported_is_noticed() -> None:
    assert "bursar_wishes_total" not in of_the_api()
    assert not of_the_worker("bursar_wishes_total")
    assert not of_the_worker("temporal_wishes_total")


@each
def test_rule_leads_to_a_runbook_and_says_how_urgent_it_is(rule: dict[str, Any]) -> None:
    runbook = ROOT / rule["annotations"]["runbook"]
    assert runbook.is_relative_to(ROOT / "docs/operate/runbooks")
    assert runbook.is_file()
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"]["summary"]


@each
def test_labels_that_a_rule_keeps_are_those_that_its_summary_shows(rule: dict[str, Any]) -> None:
    shown = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
    kept = {label.strip() for group in re.findall(r"by \(([^)]*)\)", rule["expr"]) for label in group.split(",")}
    assert shown <= kept


def test_payment_failures_are_watched_by_provider_and_decline_code() -> None:
    (rule,) = [rule for rule in RULES if PaymentFailures.NAME in rule["expr"]]
    assert set(re.findall(r"by \(([^)]*)\)", rule["expr"])) == {"provider, code"}


def test_jobs_are_those_of_the_scrape_configuration() -> None:
    jobs = set(re.findall(r'job="([^"]+)"', " ".join(rule["expr"] for rule in RULES)))
    page = (ROOT / "docs/operate/observability.md").read_text("utf-8")
    of_compose, of_kubernetes = (
        yaml.safe_load(block)["scrape_configs"]
        for block in re.findall(r"```yaml\n(scrape_configs:.+?)```", page, re.DOTALL)
    )
    assert {job["job_name"] for job in of_compose} == jobs
    manifests = (ROOT / "deploy/kubernetes").rglob("*.yaml")
    components = set(re.findall(r"component: (api|worker)\b", "".join(path.read_text("utf-8") for path in manifests)))
    pattern = of_kubernetes[0]["relabel_configs"][1]["replacement"]
    assert {pattern.replace("$1", component) for component in components} == jobs
