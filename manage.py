"""Composition root of the commands that people and deployments run: `python -m manage --help` lists them."""

import argparse
import contextlib
import importlib
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from commands.failure import CommandFailed
from runtime import collector

Parser = argparse.ArgumentParser


@dataclass(frozen=True, slots=True)
class Command:
    """A command: its one line of help, and what it takes; the module of its name in `commands/` does it."""

    name: str
    help: str
    arguments: Callable[[Parser], object]


def _database_url(parser: Parser, whose: str) -> None:
    parser.add_argument("--database-url", metavar="URL", help=f"default: {whose}")


def _verify(parser: Parser) -> None:
    _database_url(parser, "BURSAR_PLATFORM_DATABASE_URL")


def _recognise_revenue(parser: Parser) -> None:
    _database_url(parser, "BURSAR_PLATFORM_DATABASE_URL")


def _reconcile(parser: Parser) -> None:
    parser.add_argument("--provider", metavar="NAME", help="one provider only; default: all that are set up")
    parser.add_argument("--from", dest="since", metavar="TIME", help="default: the day before yesterday, 00:00 UTC")
    parser.add_argument("--to", dest="until", metavar="TIME", help="default: now")


def _books(parser: Parser) -> None:
    parser.add_argument("report", choices=("trial-balance", "profit-and-loss", "balance-sheet", "journal"))
    parser.add_argument("--from", dest="first", metavar="DAY", help="the first day, UTC; default: of the month of --to")
    parser.add_argument("--to", dest="last", metavar="DAY", help="the last day, UTC; default: today")
    parser.add_argument("--currency", metavar="CODE", help="only this one, such as USD")
    parser.add_argument(
        "--format",
        choices=("csv", "beancount", "quickbooks", "xero"),
        default="csv",
        help="of the journal: every entry, or sums by day for import into QuickBooks Online or Xero; default: csv",
    )
    _database_url(parser, "BURSAR_PLATFORM_DATABASE_URL")


def _stripes(parser: Parser) -> None:
    parser.add_argument("number", type=int, help="16 in a new database")
    _database_url(parser, "BURSAR_MIGRATION_DATABASE_URL, the owner's")


def _operator_key(parser: Parser) -> None:
    parser.add_argument("--principal", default="root", metavar="NAME", help="the operator's name; default: root")
    parser.add_argument(
        "--secret-file",
        type=Path,
        metavar="FILE",
        help="file that contains the key, or receives the new one (mode 600); without it the key is printed once",
    )


def _temporal(parser: Parser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("ensure", help="register the missing search attributes of the namespace")


def _seconds(text: str) -> float:
    """Read a number of seconds. `nan` and `inf` are refused: no clock ever passes them."""
    with contextlib.suppress(ValueError):
        if 0 <= (seconds := float(text)) < math.inf:
            return seconds
    raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")


def _rollout(parser: Parser) -> None:
    parser.add_argument("build_id", nargs="?", metavar="BUILD_ID", help="default: BURSAR_BUILD_ID")
    parser.add_argument(
        "--wait", type=_seconds, default=60.0, metavar="SECONDS", help="how long its workers may take; default: 60"
    )


def _probe(parser: Parser) -> None:
    parser.add_argument("url", metavar="URL", help="http://HOST:PORT/PATH")


def _backup(parser: Parser) -> None:
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="the folder of backups")
    parser.add_argument("--keep", type=int, metavar="N", help="remove all but the newest N, and their WAL")
    _database_url(parser, "BURSAR_MIGRATION_DATABASE_URL, the owner's")


def _restore(parser: Parser) -> None:
    parser.add_argument("--from", type=Path, required=True, metavar="DIR", help="the folder of backups; only read")
    parser.add_argument("--to", type=Path, required=True, metavar="DATA_DIR", help="an empty folder for the cluster")
    parser.add_argument("--at", metavar="TIME", help="such as 2026-01-31T12:00:00Z; default: the latest")
    parser.add_argument(
        "--skip-numbers",
        type=int,
        metavar="N",
        help="document numbers of each series to pass over, more than were given since; default: 1000",
    )


def _skip_numbers(parser: Parser) -> None:
    parser.add_argument("--by", type=int, required=True, metavar="N", help="more than were given since that moment")
    _database_url(parser, "BURSAR_MIGRATION_DATABASE_URL, the owner's")


def _resume(parser: Parser) -> None:
    parser.add_argument("--apply", action="store_true", help="do it; without, what would be done is printed")
    parser.add_argument("--look", action="store_true", help="with --apply: have what awaits a provider look there too")


def _secrets(parser: Parser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("rewrap", help="wrap the keys of versions anew that are not under the present key")
    actions.add_parser("verify", help="prove that no entry of the access log was changed, removed or inserted")


def _search_index(parser: Parser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("rebuild", help="delete its indices, and have the worker send all events again")
    actions.add_parser("refused", help="print the events that it refused, with the reasons")


def _import_model_prices(parser: Parser) -> None:
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("file", type=Path, nargs="?", metavar="FILE", help="in the form of LiteLLM's map of prices")
    source.add_argument("--installed", action="store_true", help="the map inside the litellm package installed here")
    source.add_argument("--shipped", action="store_true", help="the short list that ships with the product")
    parser.add_argument("--version", metavar="NAME", help="default: the package's, or the file's hash")
    parser.add_argument("--valid-from", metavar="TIME", help="from when its prices hold; default: now")


def _nothing(parser: Parser) -> None:
    """Take no arguments."""


GROUPS: dict[str, tuple[Command, ...]] = {
    "the books": (
        Command("verify", "prove that the books balance", _verify),
        Command("reconcile", "compare the books with the providers' statements", _reconcile),
        Command("recognise-revenue", "book revenue from the credits that were used", _recognise_revenue),
        Command("books", "print a trial balance, profit and loss, balance sheet or journal", _books),
        Command("economics", "print what is left of each package and plan that is sold", _nothing),
        Command("stripes", "change how many stripes of each hot account are in use", _stripes),
    ),
    "a deployment": (
        Command("operator-key", "create a key for an operator", _operator_key),
        Command("roles", "set the passwords of the database's login roles", _nothing),
        Command("temporal", "prepare Temporal's namespace", _temporal),
        Command("rollout", "give the work to a build of the worker", _rollout),
        Command("secrets", "rewrap the keys of secrets, or prove their access log", _secrets),
        Command("search-index", "build the search index anew, or print what it refused", _search_index),
        Command("probe", "succeed when an address responds with 200", _probe),
    ),
    "metering": (Command("import-model-prices", "import what LLM models cost", _import_model_prices),),
    "backups": (
        Command("backup", "take a base backup of the database's cluster", _backup),
        Command("restore", "restore a cluster as of a moment, and prove its books", _restore),
        Command("skip-numbers", "pass over document numbers that may have been given before a restore", _skip_numbers),
        Command("resume", "have runs go on from restored books", _resume),
    ),
}


def make_parser() -> Parser:
    """Return the parser of all commands; the help shows them by group."""
    width = max(len(command.name) for commands in GROUPS.values() for command in commands)
    lines = [
        line
        for group, commands in GROUPS.items()
        for line in ("", f"{group}:", *(f"  {command.name:{width}}  {command.help}" for command in commands))
    ]
    parser = Parser(
        prog="python -m manage",
        usage="python -m manage COMMAND …",
        description="Commands for operators. Settings are read from the environment (docs/reference/settings.md).",
        epilog="\n".join([*lines[1:], "", "`python -m manage COMMAND --help` shows the arguments of a command."]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    found = parser.add_subparsers(dest="command", required=True, help=argparse.SUPPRESS, metavar="COMMAND")
    for command in (command for commands in GROUPS.values() for command in commands):
        command.arguments(found.add_parser(command.name, description=f"{command.help[0].upper()}{command.help[1:]}."))
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0 done, 1 something is wrong, 2 it could not be done."""
    given = make_parser().parse_args(arguments)
    # Imported where it is used: the health check of a container does without providers, PostgreSQL and Temporal.
    with collector.collection_paused():
        command = importlib.import_module(f"commands.{given.command.replace('-', '_')}")
    try:
        status: int = command.run(given)
    except Exception as error:
        failure = _failure(error)
        if failure is None:
            raise
        sys.stderr.write("".join(f"error: {line}\n" for line in failure.lines))
        return failure.status
    return status


def _failure(error: Exception) -> CommandFailed | None:
    """Return the failure to print for an error that the user can correct; None for a bug, which is raised."""
    if isinstance(error, CommandFailed):
        return error
    from runtime.settings import WrongSettings

    return CommandFailed(*error.lines) if isinstance(error, WrongSettings) else None


if __name__ == "__main__":
    sys.exit(main())
