"""The checklist of a deployment names a command in each line, and commands and services that there are."""

import re
import shlex
from pathlib import Path

import yaml

from manage import make_parser
from tests.support.cases import for_each

ROOT = Path(__file__).resolve().parents[2]
SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
PAGE = (ROOT / "docs/operate/deployment.md").read_text("utf-8").partition("\n## Checklist\n")[2]
LINES = re.findall(r"^\| ([A-Z][^|]+?) \| `([^`]+)` \| (.+) \|$", PAGE, re.MULTILINE)


def test_every_line_has_a_command() -> None:
    rows = [row for row in PAGE.splitlines() if row.startswith("| ")][1:]
    assert len(LINES) == len(rows)


@for_each(
    "wanted",
    [
        *("Live keys", "Webhooks", "TLS", "Backups", "Restore drill", "Alerts", "Load", "Compliance review"),
        *("Prices", "Connect", "Billing mail", "A real card"),
    ],
)
def test_checklist_has(wanted: str) -> None:
    assert wanted in [what for what, _, _ in LINES]


@for_each("what, command", [line[:2] for line in LINES])
def test_command_can_be_read_and_names_what_there_is(what: str, command: str) -> None:
    words = shlex.split(command)
    if words[:2] == ["docker", "compose"]:
        service = next(word for word in words[3:] if not word.startswith("--"))
        assert service in SERVICES
        given = words[words.index(service) + 1 :]
        if given[:3] == ["python", "-m", "manage"]:
            make_parser().parse_args(given[3:])
        if service == "backup":
            make_parser().parse_args(given or SERVICES["backup"]["command"])
    elif words[0] == "make":
        assert f"\n{words[1]}: " in (ROOT / "Makefile").read_text("utf-8")
    elif "/" in words[0]:
        assert (ROOT / words[0]).is_file()
