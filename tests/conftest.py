"""Fixtures of all tests: one PostgreSQL and one Temporal per run, a database of its own for each worker process."""

import gc
import itertools
import os
import resource
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog
from xdist.scheduler import LoadScopeScheduling

from dev.browser import NO_CHROMIUM
from dev.stack.postgres import Postgres
from runtime.database import Database
from tests.support import looking
from tests.support.bonus import NO_BONUS
from tests.support.seeds import seeds_told
from tests.support.servers import TEMPLATE_DATABASE, TestServers, ask

pytest_plugins = ["tests.lanes", "tests.support.sync_half"]
SERVERS = pytest.StashKey[TestServers]()


@dataclass(frozen=True)
class DatabaseUrls:
    """One migrated database, as its owner (a superuser), as a tenant and as the platform."""

    owner: str
    tenant: str
    platform: str


NUMBERS = itertools.count(1)

#: Tests of these folders stay on one worker: they share a running stack and its balances, or start and kill so many
#: processes that one lot at a time is enough. Every other file is a group of its own; those in a browser share a stack
#: that nobody kills, and each has organizations of its own.
TOGETHER = {
    "tests/e2e/": "stack",
    "tests/faults/": "launchers",
    "tests/stack/": "launchers",
    "tests/docs/test_readme_tour.py": "launchers",
}


#: Its tests share a stack, on as many workers as there are.
BROWSER = "tests/console/browser/"
E2E = "tests/e2e/"
#: Its stack is its own: what it reads of accounts and statements is of everybody who uses the stack.
DEMO = "tests/e2e/test_demo.py"
#: Folders whose tests take longest. They begin first, so that no worker waits for another one's at the end.
LONGEST = ("tests/faults/", "tests/stack/", E2E, BROWSER, "tests/workflows/")
#: Kills the stack that the tests of its folder share, and comes last of them.
LAST_OF_THE_STACK = "tests/e2e/test_restart.py"


class Grouping(LoadScopeScheduling):  # type: ignore[misc]
    """Hands tests to the workers by file or by the groups above."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return next((group for start, group in TOGETHER.items() if file.startswith(start)), file)

    def remove_node(self, node: Any) -> str | None:
        """Remove a worker that has ended, and return the test it crashed in, if it did.

        By default that test is scheduled again, and would crash one worker after the other.
        """
        units = self.assigned_work[node].values()
        crashed = next(((unit, test) for unit in units for test, is_done in unit.items() if not is_done), None)
        if crashed:
            unit, test = crashed
            unit[test] = True
        super().remove_node(node)
        return test if crashed else None


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Grouping:
    return Grouping(config, log)


def browser_stack(config: pytest.Config) -> str:
    """Return the stack of the tests in a browser: that of `tests/e2e`, unless others there kill it or ask at random."""
    return "stack" if config.getoption("lane") == "fast" else "console"


class Ending:
    """Ends a stack with the last test that uses it: it takes 8 % of a core, and its schedules go on."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.users = {"stack": [E2E], "demo": [DEMO]}
        self.users.setdefault(browser_stack(config), []).append(BROWSER)
        self.left: dict[str, set[str]] = {}

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._expect(item.nodeid for item in session.items)

    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        self._expect(ids)

    def _expect(self, ids: Iterable[str]) -> None:
        tests = list(ids)
        for server, users in self.users.items():
            self.left[server] = {each for each in tests if each.startswith(tuple(users))}

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        for server, left in self.left.items():
            if nodeid in left:
                left.remove(nodeid)
                if not left:
                    self.config.stash[SERVERS].end(server)


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> tuple[int, bool]:
        folder = next((at for at, folder in enumerate(LONGEST) if item.nodeid.startswith(folder)), len(LONGEST))
        return folder, item.nodeid.startswith(LAST_OF_THE_STACK)

    items.sort(key=place)


def next_name() -> str:
    """Return the name of a database that no other test of the run has."""
    return f"bursar_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}_{next(NUMBERS)}"


def urls_of(cluster: Postgres, name: str) -> DatabaseUrls:
    return DatabaseUrls(*(cluster.url(role, name) for role in ("postgres", "bursar_api", "bursar_platform")))


@contextmanager
def new_database(cluster: Postgres, name: str, template: str = TEMPLATE_DATABASE) -> Iterator[DatabaseUrls]:
    # Files are copied: by default each block goes through the log, which takes more than twice the CPU.
    cluster.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy')
    cluster.execute(f'REVOKE TEMPORARY ON DATABASE "{name}" FROM PUBLIC')  # no template has its own
    yield urls_of(cluster, name)
    cluster.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def bytecode_folder(config: pytest.Config) -> Path:
    """Return a folder that pytest keeps, or one for this run with `-p no:cacheprovider`."""
    if config.pluginmanager.has_plugin("cacheprovider"):
        return config.cache.mkdir("bytecode")
    folder = tempfile.TemporaryDirectory(prefix="bytecode-")
    config.add_cleanup(folder.cleanup)
    return Path(folder.name)


def pytest_configure(config: pytest.Config) -> None:
    os.environ |= NO_BONUS  # in this process and in those of a stack
    # Acts of tests come from one address within seconds; tests of decisions against fraud enforce them.
    os.environ["BURSAR_RISK_ENFORCED"] = "false"
    # A workflow that takes two seconds on a busy machine would be interrupted, here and in the stacks that tests start.
    os.environ["TEMPORAL_DEBUG"] = "1"
    os.environ.setdefault("GOGC", "400")  # Temporal's servers collect less often; none of them has or keeps much
    # Compiling what a run imports takes each worker process five seconds, and each stack that it starts ten.
    sys.dont_write_bytecode = False
    bytecode = bytecode_folder(config)
    if not hasattr(config, "workerinput"):
        config.stash[SERVERS] = TestServers(bytecode)
        config.pluginmanager.register(Ending(config))
        # Groups begin in the order below; by default, those of many tests begin first, however short these are.
        config.option.loadscopereorder = False
    if hasattr(config, "workerinput") or not config.getoption("numprocesses", None):
        # By default an exception is drawn in a frame, with the source and all that it had: half a second each.
        drawn = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
        structlog.configure([*structlog.get_config()["processors"][:-1], drawn])
        # What is imported and collected stays until the end: the garbage collector would look through it in vain.
        gc.disable()
        # Only for the processes that tests start: the workers themselves read what was installed.
        os.environ |= {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(bytecode)}


def pytest_timeout_set_timer(settings: Any) -> None:
    looking.give_up_within(settings.timeout)


def pytest_report_header() -> str:
    return f"seeds: {seeds_told()}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    left_out = [report for report in terminalreporter.stats.get("skipped", ()) if NO_CHROMIUM in str(report.longrepr)]
    if left_out:
        terminalreporter.write_line(f"{len(left_out)} tests of the console in a browser did not run. {NO_CHROMIUM}")


def pytest_unconfigure(config: pytest.Config) -> None:
    servers = config.stash.get(SERVERS, None)
    if servers:
        servers.stop()
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        seconds = sum(each.ru_utime + each.ru_stime for each in used) + servers.cpu_seconds
        config.get_terminal_writer().line(f"CPU: {seconds:.0f} seconds of all processes that this run started")


@pytest.fixture(scope="session")
def cluster() -> Postgres:
    """The run's PostgreSQL, already started."""
    data_dir = Path(ask("postgres")["data_dir"])
    return Postgres(data_dir, data_dir.parent / "postgres.log")


@pytest.fixture(scope="session")
def database_urls(cluster: Postgres) -> Iterator[DatabaseUrls]:
    """A migrated database that the tests of one worker process share."""
    with new_database(cluster, f"bursar_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}") as urls:
        yield urls


@pytest.fixture
def fresh_database_urls(cluster: Postgres) -> Iterator[DatabaseUrls]:
    """A migrated database for one test alone."""
    with new_database(cluster, next_name()) as urls:
        yield urls


@pytest.fixture(scope="module")
def module_database_urls(cluster: Postgres) -> Iterator[DatabaseUrls]:
    """A migrated database for the tests of one module."""
    with new_database(cluster, next_name()) as urls:
        yield urls


@pytest.fixture(scope="session")
def price_database(cluster: Postgres) -> Iterator[str]:
    name = next_name()
    with new_database(cluster, name):
        yield name


@pytest.fixture
def unpriced_database_urls(cluster: Postgres, price_database: str) -> DatabaseUrls:
    """A migrated database in which only prices of models are kept, and no price is yet."""
    emptied = "TRUNCATE model_prices, model_price_imports RESTART IDENTITY"
    cluster.execute(f"SET session_replication_role = replica; {emptied}", price_database)
    return urls_of(cluster, price_database)


@pytest.fixture
def empty_database_url(cluster: Postgres) -> Iterator[str]:
    """A database without tables for one test alone, as its owner."""
    with new_database(cluster, next_name(), template="template1") as urls:
        yield urls.owner


@pytest.fixture(scope="module")
async def db(database_urls: DatabaseUrls) -> AsyncIterator[Database]:
    """Sessions on the worker's shared database; their connections stay, because each takes 20 ms to make."""
    database = Database(database_urls.tenant, database_urls.platform)
    yield database
    await database.close()


@pytest.fixture
async def fresh_database(fresh_database_urls: DatabaseUrls) -> AsyncIterator[Database]:
    """Sessions on a database for one test alone, in which nobody else has rows or locks."""
    database = Database(fresh_database_urls.tenant, fresh_database_urls.platform)
    yield database
    await database.close()


@pytest.fixture(scope="session")
def temporal_address() -> str:
    """The run's Temporal server, in real time, with the search attributes registered."""
    return str(ask("temporal")["address"])
