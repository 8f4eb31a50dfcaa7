"""The command line: `python -m dev.stack run`, `demo`, `check`, and commands of `python -m manage` on what runs."""

import gc

if __name__ == "__main__":
    gc.disable()  # until all is imported, as in `server.py`

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from composition import make_providers
from dev.stack import demo, leash
from dev.stack.claim import Ports
from dev.stack.migrate import ROOT, alembic, migrate
from dev.stack.postgres import running_postgres
from dev.stack.process import StackError
from dev.stack.running import Running
from dev.stack.supervisor import Stack, delete_data
from runtime import collector
from runtime.database import Database
from runtime.environment import remove_external
from runtime.settings import ended_by_wrong_settings, read_settings

#: Commands of `manage` that ask the books or the runs of the stack that runs.
ON_THE_BOOKS = ("verify", "reconcile", "backup", "resume")


def data_directory() -> Path:
    """Return where the stack keeps its state: BURSAR_DATA_DIR, or `.bursar` in the current directory."""
    return Path(os.environ.get("BURSAR_DATA_DIR") or ".bursar").absolute()


def say(line: str) -> None:
    """Print a line at once, also into a pipe; a reader that is gone does not stop the stack from stopping well."""
    try:
        print(line, flush=True)
    except OSError:
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - kept open until the process ends


async def run(data_dir: Path) -> int:
    """Run the stack until it is stopped; the exit code is 1 if it cannot start or a process failed for good."""
    stack = Stack(data_dir, Ports.from_environment(), say=say)
    told_to_stop = asyncio.Event()

    def on_signal() -> None:
        if told_to_stop.is_set():
            say("Killing what still runs")
            stack.kill_all()
        told_to_stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, on_signal)

    began = time.monotonic()
    say(f"Starting Bursar on {data_dir} (logs in {data_dir / 'logs'})")
    starting = asyncio.create_task(stack.start())
    stopping = asyncio.create_task(told_to_stop.wait())
    failing = asyncio.create_task(stack.wait_failed())
    try:
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            await starting
            say(f"\nBursar is ready after {time.monotonic() - began:.1f} s\n{summary(stack)}")
            await asyncio.wait({stopping, failing}, return_when=asyncio.FIRST_COMPLETED)
        if failing.done():
            raise failing.result()
        return 0
    finally:
        starting.cancel()
        stopping.cancel()
        failing.cancel()
        with contextlib.suppress(asyncio.CancelledError, StackError):
            await starting
        say("Stopping")
        await stack.stop()


def summary(stack: Stack) -> str:
    """Return what the user needs to go on."""
    sandboxes = " · ".join(f"{part.name} {part.url}" for part in stack.sandboxes.parts.values())
    stand_ins = f"  Sandboxes    {sandboxes}\n" if sandboxes else ""
    return (
        f"  Console      {stack.console_url}\n"
        f"  API          {stack.api_url}/api/v1  (docs: {stack.api_url}/docs)\n"
        f"  Temporal UI  {stack.temporal_ui_url}\n"
        f"{stand_ins}"
        f"  Keys, URLs   {stack.dev_file}\n"
        "Ctrl-C stops everything; the data stays."
    )


def check() -> int:
    """Make the schema in an empty database and have alembic compare it with the models."""
    with tempfile.TemporaryDirectory(prefix="bursar-check-") as directory:
        Path(directory).chmod(0o711)
        with running_postgres(Path(directory) / "postgres", {"fsync": "off"}) as postgres:
            postgres.ensure_database("bursar")
            migrate(postgres.url())
            say(alembic(postgres.url(), "check"))
    return 0


async def check_settings() -> None:
    """Raise WrongSettings before anything is started with settings that no part would start with."""
    settings = read_settings()
    database = Database(settings.database_url, settings.platform_database_url)
    await make_providers(settings, database).aclose()
    await database.close()


def on_the_books(data_dir: Path, command: str, arguments: list[str]) -> int:
    """Run `python -m manage` with the settings of the stack that runs on the data directory; return its exit code.

    The commands are the owner's as well; the stack's own processes do not get the owner's address.
    """
    try:
        running = Running.read(data_dir / "dev.json")
    except (OSError, ValueError, KeyError) as error:
        raise StackError(
            f"No stack runs on {data_dir}: start one with `make run`. For another database set the URLs that "
            f"docs/reference/settings.md names, and run `python -m manage {command}`."
        ) from error
    return subprocess.run(
        [sys.executable, "-m", "manage", command, *arguments],
        cwd=ROOT,
        env={**os.environ, **running.settings, "BURSAR_MIGRATION_DATABASE_URL": running.database_url},
        check=False,
    ).returncode


def main() -> int:
    """Run one command and return its exit code."""
    remove_external(os.environ)
    parser = argparse.ArgumentParser(prog="python -m dev.stack", description="The embedded stack of Bursar.")
    commands = parser.add_subparsers(dest="command", required=True)
    runs = commands.add_parser("run", help="start everything and stay until Ctrl-C")
    runs.add_argument("--end-with-parent", action="store_true", help="stop when the process that started this one dies")
    runs.add_argument("--new", action="store_true", help="delete the data that is there, and begin without any")
    commands.add_parser("demo", help="drive a running or fresh stack through the main story")
    for command in ON_THE_BOOKS:
        commands.add_parser(command, help="as `python -m manage`, on the stack that runs", add_help=False)
    commands.add_parser("check", help="compare the migrations with the models on an embedded database")
    arguments, further = parser.parse_known_args()
    if further and arguments.command not in ON_THE_BOOKS:
        parser.error(f"unrecognized arguments: {' '.join(further)}")
    logging.basicConfig(format="%(message)s", level=logging.WARNING, stream=sys.stderr)
    try:
        if arguments.command == "check":
            return check()
        if arguments.command in ON_THE_BOOKS:
            return on_the_books(data_directory(), arguments.command, further)
        asyncio.run(check_settings())
        if arguments.command == "demo":
            return demo.main(data_directory())
        if arguments.end_with_parent:
            leash.put_on(os.getppid(), signal.SIGTERM)
        if arguments.new:
            delete_data(data_directory())
        return asyncio.run(run(data_directory()))
    except StackError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    collector.freeze_startup_objects()
    with ended_by_wrong_settings():
        sys.exit(main())
