"""Settings, files, services and commands that the page on scaling names are there."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

from contracts.common.queues import TASK_QUEUE
from domain.common.accounts import HOT_STRIPES
from manage import make_parser
from runtime.jobs import SCHEDULES
from runtime.settings import Settings
from tests.docs.pages import ROOT
from tests.support.cases import for_each

PAGES = (ROOT / "docs/operate/scaling.md", ROOT / "docs/reference/decisions/books.md")
COMPOSE = (ROOT / "docker-compose.yml").read_text("utf-8")


def code() -> set[str]:
    """Return what both pages write as code."""
    return {text for page in PAGES for text in re.findall(r"`([^`\n]+)`", page.read_text("utf-8"))}


def named(pattern: str) -> list[str]:
    """Return what of it is wholly of that form, and insist that there is some."""
    found = sorted(text for text in code() if re.fullmatch(pattern, text))
    assert found
    return found


@for_each("name", named(r"BURSAR_[A-Z_]+"))
def test_setting_exists(name: str) -> None:
    fields = {f"BURSAR_{field.upper()}" for field in Settings.model_fields}
    assert name in fields or f"| `{name}` |" in (ROOT / "docs/reference/settings.md").read_text("utf-8")


@pytest.mark.parametrize("name", named(r"(?:COMPOSE|POSTGRES|TEMPORAL)_[A-Z_]+"))
def test_variable_of_compose_exists(name: str) -> None:
    assert f"${{{name}:" in COMPOSE or (name == "COMPOSE_PROFILES" and "profiles: [postgres]" in COMPOSE)


@for_each("name", named(r"[\w./-]+\.(?:py|sql|yaml|yml|sh|txt)|[\w-]+(?:/[\w-]+)+/Caddyfile"))
def test_file_exists(name: str) -> None:
    assert (ROOT / name).is_file()


@pytest.mark.parametrize("command", named(r"python -m manage .+"))
def test_command_is_read(command: str) -> None:
    make_parser().parse_args(shlex.split(command)[3:])


@pytest.mark.parametrize("name", named(r"ledger\.(?:post|post_batch|balance_as_of)"))
def test_function_of_the_books_exists(name: str) -> None:
    files = sorted(Path(ROOT / "ledger/sql").glob("*.sql"))
    assert any(f"FUNCTION {name}(" in file.read_text("utf-8") for file in files)


def test_api_and_worker_have_a_number_of_replicas_to_change() -> None:
    services = yaml.safe_load(COMPOSE)["services"]
    assert [services[name]["deploy"]["replicas"] for name in ("api", "worker")] == [1, 1]
    for path in ("deploy/kubernetes/api.yaml", "deploy/kubernetes/worker/worker.yaml"):
        documents = yaml.safe_load_all((ROOT / path).read_text("utf-8"))
        assert [each["spec"]["replicas"] for each in documents if each["kind"] == "Deployment"] == [2]


def test_there_is_one_queue_as_the_page_says() -> None:
    assert {job.task_queue for job in SCHEDULES} == {TASK_QUEUE}


def test_numbers_that_the_code_decides_are_those_of_the_page() -> None:
    page = PAGES[0].read_text("utf-8")
    assert f"up to {HOT_STRIPES} an account" in page
    assert f"`BURSAR_LIMIT_CONCURRENCY` ({Settings.model_fields['limit_concurrency'].default:,})" in page
