"""`python -m dev.stack.dashboards`, which is `make dashboards`: Superset on the database of the stack that runs.

It reads the schema `reporting` by a login of its own, from `.venv-superset`, and listens on the loopback.
What it keeps itself lives in a folder that goes with it: each start has its own key and its own password.
"""

import argparse
import asyncio
import os
import re
import secrets
import signal
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Mapping
from pathlib import Path

import asyncpg

from dev.stack.__main__ import data_directory, say
from dev.stack.migrate import ROOT
from dev.stack.postgres import database_url, socket_directory
from dev.stack.process import START_SECONDS, Process, Program, StackError, log_tail
from dev.stack.running import Running
from dev.stack.supervisor import DATABASE
from dev.stack.temporal import free_port
from runtime.roles import make_reader

ASSETS = ROOT / "deploy" / "superset" / "assets"
PROGRAMS = ROOT / ".venv-superset" / "bin"
#: Superset's own usual port.
PORT = 8088
LOGIN = "bursar_reports"
USER = "admin"
_PASSED_ON = ("PATH", "LANG", "TZ")


def bundle(to: Path, uri: str) -> None:
    """Write the assets as `superset import-dashboards` reads them, with the address of the database."""
    with zipfile.ZipFile(to, "w") as written:
        for path in sorted(ASSETS.rglob("*.yaml")):
            text = path.read_text("utf-8")
            if path.parent.name == "databases":
                text = re.sub(r"(?m)^sqlalchemy_uri: .*$", lambda _: f"sqlalchemy_uri: {uri}", text)
            written.writestr(f"bursar/{path.relative_to(ASSETS)}", text)


def reader_uri(data_dir: Path) -> str:
    """Return the address of the stack's database for the reader, as Superset takes it."""
    url = database_url(socket_directory(data_dir / "postgres"), LOGIN, DATABASE)
    return url.replace("postgresql:", "postgresql+psycopg2:", 1)


async def make_login(data_dir: Path) -> None:
    """Make the reader's login in the stack's database."""
    connection = await asyncpg.connect(database_url(socket_directory(data_dir / "postgres"), "postgres", DATABASE))
    try:
        await make_reader(connection, LOGIN)
    finally:
        await connection.close()


class Superset:
    """A Superset with its home in a folder; `log_file` has what its programs print."""

    def __init__(self, home: Path, log_file: Path, password: str) -> None:
        """Name its places; nothing is started yet."""
        self._log_file = log_file
        self._env: Mapping[str, str] = {
            **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
            "HOME": str(home),
            "SUPERSET_HOME": str(home),
            "SUPERSET_CONFIG_PATH": str(ASSETS.with_name("superset_config.py")),
            "SUPERSET_SECRET_KEY": secrets.token_urlsafe(42),
            # Not an argument, which every account of the machine could read.
            "FLASK_FAB_CREATE_ADMIN_PASSWORD": password,
        }
        self._home = home

    def set_up(self, assets: Path) -> None:
        """Make its tables, its administrator and the dashboards; raises StackError with the log's end."""
        who = ("--username", USER, "--firstname", "Bursar", "--lastname", "Dashboards", "--email", "admin@localhost")
        for arguments in (
            ("db", "upgrade"),
            ("fab", "create-admin", *who),
            ("init",),
            ("import-dashboards", "--path", str(assets), "--username", USER),
        ):
            process = self.start("superset", *arguments)
            try:
                code = process.wait()
            finally:
                process.stop(grace_seconds=5)
            if code:
                raise StackError(f"superset {arguments[0]} failed. {self._last_output()}")

    def serve(self, port: int) -> Process:
        """Start the server and wait until it answers; raises StackError when it ends instead."""
        process = self.start(
            "gunicorn",
            *("--bind", f"127.0.0.1:{port}", "--worker-class", "gthread", "--threads", "8"),
            *("--timeout", "120", "--graceful-timeout", "5", "superset.app:create_app()"),
        )
        give_up_at = time.monotonic() + START_SECONDS
        try:
            while not _answers(port):
                if process.exit_code() is not None or time.monotonic() > give_up_at:
                    raise StackError(f"Superset did not start. {self._last_output()}")
                time.sleep(0.2)
        except BaseException:
            process.stop(grace_seconds=10)
            raise
        return process

    def start(self, name: str, *arguments: str) -> Process:
        """Start one of its programs."""
        argv = (str(PROGRAMS / name), *arguments)
        return Process(Program(name=name, argv=argv, log_file=self._log_file, env=self._env, cwd=self._home))

    def _last_output(self) -> str:
        return f"The end of {self._log_file}:\n{log_tail(self._log_file)}"


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:  # our own server
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def run(data_dir: Path, port: int) -> int:
    """Run Superset on the stack of a data directory until Ctrl-C, or until it ends by itself."""
    try:
        Running.read(data_dir / "dev.json")
    except (OSError, ValueError, KeyError) as error:
        raise StackError(f"No stack runs on {data_dir}: start one with `make run`.") from error
    if _answers(port):
        raise StackError(f'Port {port} is taken: stop what uses it, or take another one (ARGS="--port 0").')
    began, password = time.monotonic(), secrets.token_urlsafe(12)
    asyncio.run(make_login(data_dir))
    log_file = data_dir / "logs" / "superset.log"
    say(f"Starting Superset (log in {log_file}); this takes a minute")
    with tempfile.TemporaryDirectory(prefix="bursar-superset-") as folder:
        superset = Superset(Path(folder), log_file, password)
        bundle(Path(folder) / "assets.zip", reader_uri(data_dir))
        superset.set_up(Path(folder) / "assets.zip")
        process = superset.serve(port)
        try:
            pages = f"http://127.0.0.1:{port}/superset/dashboard"
            say(
                f"\nSuperset is ready after {time.monotonic() - began:.0f} s\n"
                f"  Spending     {pages}/bursar-spending/\n"
                f"  Revenue      {pages}/bursar-revenue/\n"
                f"  Login        {USER}, password {password}\n"
                "Ctrl-C stops Superset and deletes what was changed in it; the stack goes on."
            )
            raise StackError(f"Superset ended with exit code {process.wait()}. Its log is {log_file}.")
        finally:
            say("Stopping")
            process.stop(grace_seconds=10)


def main() -> int:
    """Run it and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m dev.stack.dashboards", description=__doc__)
    parser.add_argument("--port", type=int, default=PORT, help=f"to listen on; 0 takes any free one ({PORT})")
    port = parser.parse_args().port or free_port()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        return run(data_directory(), port)
    except KeyboardInterrupt:
        return 0
    except StackError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
