"""Commands of the page on backups parse."""

import re
import shlex
from pathlib import Path

from commands.backup_folder import archive_command
from manage import make_parser
from tests.docs.pages import ROOT, bash_blocks
from tests.support.cases import for_each

PAGE = ROOT / "docs" / "operate" / "runbooks" / "restoring-a-backup.md"
#: Verbs of make that are commands of `manage`.
VERBS = ("backup", "restore", "resume", "verify", "reconcile")


def typed() -> list[str]:
    """Return every command of `manage` on the page, by whichever name."""
    lines = "\n".join(bash_blocks(PAGE)).splitlines()
    made = [match for line in lines if (match := re.match(rf'make ({"|".join(VERBS)})(?: ARGS="(.*)")?$', line))]
    plain = re.findall(r"`python -m manage ([^`]+)`", PAGE.read_text("utf-8"))
    return [f"{verb} {arguments or ''}" for verb, arguments in (match.groups() for match in made)] + plain


def test_page_has_the_commands_of_a_drill_and_of_a_restore() -> None:
    assert {line.split()[0] for line in typed()} == {*VERBS, "roles", "rollout", "secrets", "skip-numbers"}


@for_each("line", [line for line in typed() if line != "backup"])
def test_commands_of_the_page_are_read(line: str) -> None:
    make_parser().parse_args(shlex.split(line))


def test_setting_of_the_page_is_the_one_that_is_tested() -> None:
    told = re.search(r"^archive_command = '(.*)'$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert told is not None
    assert told.group(1) == archive_command(Path("/backups/wal"))
