"""Rules that no linter knows, as tests: what may not stand near money, and what may not stand in a workflow."""

import ast
import functools
import gc
import importlib
import pkgutil
import re
from collections import deque
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import JsonValue

from dev.data_map import PRODUCT, ROOTS, Kept, columns, fields, log_keys
from domain.privacy.data_map import ENDINGS, LOG_KEYS, LOGS, MESSAGES, NAMES, NUMBERS, Category, category
from domain.privacy.tables import TABLES
from tests.lanes import SLOW
from tests.support.cases import for_each

ROOT = Path(__file__).resolve().parents[1]
NEAR_MONEY = ["activities", "contracts", "domain", "ledger", "models", "providers", "repositories", "services"]
NEAR_MONEY += ["workflows"]
#: What estimates figures that nobody is charged; whole units come out.
ESTIMATES = {
    "domain/insight/forecast.py",
    "domain/insight/runway.py",
    "domain/messages/alert/unusual.py",
    "domain/returns/route.py",
    "domain/risk/score.py",
}
WITHOUT_A_CLOCK = ["contracts", "domain", "models", "repositories", "services", "workflows"]
#: Calls that read a clock or chance; each folder that may not have them gets its time from its caller.
CLOCKS = {"datetime.now", "datetime.utcnow", "date.today", "time.time", "time.time_ns", "time.monotonic"}
#: Calls that make a workflow's replay take another path.
NOT_DETERMINISTIC = CLOCKS | {
    "asyncio.as_completed",
    "asyncio.wait",
    "os.getenv",
    "os.urandom",
    "random.random",
    "secrets.token_hex",
    "uuid.uuid4",
}


@pytest.fixture(autouse=True, scope="module")
def no_search_for_cycles() -> Iterator[None]:
    """Syntax trees have no cycles, and so many nodes that a collection costs much and frees nothing."""
    gc.disable()
    yield
    gc.enable()


@functools.cache
def read(path: Path) -> tuple[list[tuple[str, str]], set[str]]:
    """Return each call of a file, as where it is and the dotted name that is called, and the modules it imports."""
    called, imported = [], set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            called.append((f"{path.relative_to(ROOT)}:{node.lineno}", ast.unparse(node.func)))
        elif isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module or "")
    return called, imported


def files(part: str) -> list[Path]:
    """Return the files of a folder in their order, or the one that is named."""
    root = ROOT / part
    return [root] if root.is_file() else sorted(root.rglob("*.py"))


def calls(part: str) -> Iterator[tuple[str, str]]:
    """List every call in a folder or file."""
    for path in files(part):
        yield from read(path)[0]


def named(folders: list[str], forbidden: set[str]) -> list[str]:
    return [f"{at} {name}" for folder in folders for at, name in calls(folder) if name in forbidden]


def test_no_float_is_made_near_money():
    assert named(NEAR_MONEY, {"float"}) == []


def test_no_field_near_money_is_a_float():
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for folder in NEAR_MONEY
        for path in sorted((ROOT / folder).rglob("*.py"))
        if str(path.relative_to(ROOT)) not in ESTIMATES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.AnnAssign | ast.arg)
        and node.annotation is not None
        and any(isinstance(part, ast.Name) and part.id == "float" for part in ast.walk(node.annotation))
    ]
    assert found == []


def test_time_comes_from_the_caller():
    assert named(WITHOUT_A_CLOCK, CLOCKS) == []


def test_workflows_are_deterministic():
    assert named(["workflows"], NOT_DETERMINISTIC) == []


#: What one run could change and another would see.
MUTABLE = (list, dict, set, bytearray, deque, functools._lru_cache_wrapper)


def test_workflows_keep_nothing_between_runs():
    """The worker runs them without the sandbox, which would load their modules anew for each run."""
    kept = []
    for module in pkgutil.walk_packages([str(ROOT / "workflows")], "workflows."):
        loaded = importlib.import_module(module.name)
        source = ast.parse(Path(str(loaded.__file__)).read_text())
        kept += [f"{module.name}:{node.lineno} global" for node in ast.walk(source) if isinstance(node, ast.Global)]
        classes = [each for each in vars(loaded).values() if isinstance(each, type)]
        for holder in (loaded, *(each for each in classes if each.__module__ == loaded.__name__)):
            named = [(name, value) for name, value in vars(holder).items() if not name.startswith("__")]
            kept += [f"{module.name} {name}" for name, value in named if isinstance(value, MUTABLE)]
    assert kept == []


def test_domain_imports_only_itself_and_the_standard_library():
    import sys

    imported = {name.partition(".")[0] for path in files("domain") for name in read(path)[1]}
    assert imported <= set(sys.stdlib_module_names) | {"domain"}


#: The layers that are sorted by area, and folders that stand at the root of one.
SORTED = ["activities", "contracts", "domain", "models", "repositories", "services", "workflows"]
AT_THE_ROOT = {"domain/privacy", "repositories/sql"}
#: Packages of the domain that are an area themselves: their modules are no nouns.
WHOLE_AREAS = {"escrow", "marketplace", "reputation", "usage"}
#: Nouns of the domain that more areas need than their own; `access` is to secrets, beside that of roles.
SHARED = {"access", "mail"}


def areas(*layers: str) -> list[Path]:
    """Return the folders of the areas, in each of the layers."""
    found = [path.parent for layer in layers for path in sorted((ROOT / layer).glob("*/__init__.py"))]
    return [path for path in found if str(path.relative_to(ROOT)) not in AT_THE_ROOT]


def test_the_areas_of_every_layer_are_those_of_the_map():
    _, _, page = (ROOT / "AGENTS.md").read_text("utf-8").partition("## Areas")
    mapped = set(re.findall(r"^\| `(\w+)` \|", page.partition("## ")[0], re.MULTILINE))
    assert {path.name for path in areas(*SORTED)} == mapped
    assert {path.name for path in (ROOT / "repositories/sql").iterdir()} <= mapped


def test_a_noun_has_the_same_area_in_every_layer():
    places: dict[str, set[str]] = {}
    for area in areas(*SORTED):
        if area.parent.name == "domain" and area.name in {"common", *WHOLE_AREAS}:
            continue
        for path in area.iterdir():
            if not path.name.startswith("__"):
                places.setdefault(path.stem, set()).add(area.name)
    assert {noun: found for noun, found in places.items() if len(found) > 1} == {}
    shared = {path.stem for path in (ROOT / "domain/common").iterdir()}
    assert {noun for noun in shared if places.get(noun, {"common"}) != {"common"}} == SHARED


@for_each("part", [*PRODUCT, *ROOTS])
def test_the_product_imports_no_development_tools_and_no_tests(part):
    for path in files(part):
        assert not {module.partition(".")[0] for module in read(path)[1]} & {"dev", "tests"}, path


def test_every_invariant_of_a_noun_is_proven():
    import importlib

    from commands.verify import INVARIANTS

    found = pkgutil.walk_packages([str(ROOT / "repositories")], "repositories.")
    modules = [importlib.import_module(module.name) for module in found]
    stated = [rule for module in modules for rule in getattr(module, "INVARIANTS", ())]
    assert len(stated) == len(INVARIANTS) > 30
    assert set(stated) == set(INVARIANTS)


#: Calls of Temporal's client that start a run, find one, or give it a message.
REACHING = {
    *("execute_update", "execute_update_with_start_workflow", "execute_workflow", "get_external_workflow_handle"),
    *("get_external_workflow_handle_for", "get_workflow_handle", "get_workflow_handle_for", "signal"),
    *("start_update", "start_update_with_start_workflow", "start_workflow"),
    *("execute_child_workflow", "start_child_workflow"),
}
#: The declarations of handlers, and the door's own name where others call it.
NOT_REACHING = {"reach.signal", "workflow.signal"}
#: What the client calls on its way out: the chain that it goes through whoever called.
INTERCEPTORS = "runtime/interceptors.py"
#: Children: of the nightly reconciliation, which is a batch.
CHILDREN = {"workflows/books/reconciliation.py": "execute_child_workflow"}


def test_nobody_but_the_door_reaches_the_runs_of_entities():
    reaching = [
        (at, name.rpartition(".")[2])
        for part in (*PRODUCT, *ROOTS)
        for at, name in calls(part)
        if name.rpartition(".")[2] in REACHING and name not in NOT_REACHING and not at.startswith(INTERCEPTORS)
    ]
    others = {(at.partition(":")[0], called) for at, called in reaching if not at.startswith("runtime/reach.py:")}
    assert others == set(CHILDREN.items())


#: Activities that wait for another entity. A run calls them without its lock, or the two could wait for each other: a
#: payment in a separate task, an invoice between its turns; the others are called by runs without a lock.
WAITING = {
    "activities/payments/auto_topup.py",
    "activities/billing/invoice.py",
    "activities/escrow/payment_escrows.py",
    "activities/operations/probe.py",
}


def test_few_activities_wait_for_another_entity():
    found = {
        at.partition(":")[0]
        for part in ("activities", "services", "repositories")
        for at, name in calls(part)
        if name in {"reach.update", "EntityClient"}
    }
    assert found == WAITING


#: Calls that run a statement. Those of nouns are in `repositories`, and the ledger's in `ledger`.
STATEMENTS = {f"{holder}.{call}" for holder in ("session", "connection") for call in ("execute", "scalar", "scalars")}
STATEMENTS |= {f"session.{call}" for call in ("add", "delete", "get")}
STATEMENTS |= {f"connection.{call}" for call in ("fetch", "fetchrow", "fetchval", "executemany")}


#: Services add, flush and delete rows that they have; a row that they look for is found by a function of its noun.
OF_ROWS = {"session.add", "session.delete"}


def test_endpoints_activities_and_workflows_have_no_sql():
    assert named(["activities", "api", "workflows"], STATEMENTS) == []


def test_services_have_no_statements():
    assert named(["services"], STATEMENTS - OF_ROWS) == []
    imported = {module for path in files("services") for module in read(path)[1] if module.startswith("sqlalchemy")}
    assert imported == {"sqlalchemy.ext.asyncio", "sqlalchemy.exc"}


#: Where an entry of the audit trail is written without a service: acts whose effect is elsewhere, and the first key.
RECORDS = {"api/bootstrap.py", "api/deps.py"}


def test_endpoints_leave_the_audit_trail_to_services():
    """A service writes a row and its entry together, so no endpoint can write one and forget the other."""
    found = {at.partition(":")[0] for at, name in calls("api") if name == "audit.record"}
    assert found == RECORDS


#: What declares a method of a workflow as a handler, and calls that add one while it runs.
DECLARES = {"workflow.query", "workflow.signal", "workflow.update"}
ADDS = {each.replace(".", ".set_") + "_handler" for each in DECLARES}
ADDS |= {each.replace(".", ".set_dynamic_") + "_handler" for each in DECLARES}


def handlers() -> Iterator[tuple[str, ast.Call, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """List the methods that take messages, and their declarations."""
    for path in sorted((ROOT / "workflows").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            for each in node.decorator_list:
                if ast.unparse(each).partition("(")[0] in DECLARES:
                    assert isinstance(each, ast.Call), f"{path.name}:{node.lineno}: give it its name on the wire"
                    yield f"{path.name}:{node.lineno}", each, node


def test_a_message_is_handled_by_one_declared_method_whose_body_is_one_call():
    """Operators choose names in the Temporal UI, and the server tells what a run takes by its declarations."""
    declared = list(handlers())
    assert len(declared) > 20
    for at, declaration, method in declared:
        assert [keyword.arg for keyword in declaration.keywords] == ["name"], at
        assert isinstance(declaration.keywords[0].value, ast.Constant), at
        _docstring, *body = method.body
        assert len(body) == 1, f"{at}: its body is one call"
        value = body[0].value if isinstance(body[0], ast.Expr | ast.Return) else None
        value = value.value if isinstance(value, ast.Await) else value
        reads = ast.unparse(declaration.func) == "workflow.query" and isinstance(value, ast.Attribute)
        assert reads or isinstance(value, ast.Call), at
    assert named(["workflows"], ADDS) == []


#: Where what a payment is for may be told apart: each folder has one module a purpose, and one table of them.
PURPOSES = ("domain/payments/payment/purposes/", "services/payments/purposes/")


#: Where else one is named for what is its own (decision 0216): words of pages, settings, and queries that follow
#: money in one statement.
NAMES_A_PURPOSE = {
    *("console/payment/view.py", "console/payment/pages.py", "runtime/settings/billing.py"),
    *(
        "repositories/payouts/payable.py",
        "repositories/payouts/recovery_uses.py",
        "repositories/sql/insight/spent.sql",
        "repositories/sql/reputation/reputation_recalls.sql",
    ),
}
IN_SQL = re.compile(r"\bpurpose\s*(?:=|<>|!=|\bIN\b)\s*\(?\s*'", re.IGNORECASE)


def tells_apart(node: ast.AST) -> bool:
    """Return whether a node compares or looks up by a purpose: a comparison, a case, a key of a table."""
    told: list[ast.AST]
    match node:
        case ast.Dict(keys=keys):
            told = [*filter(None, keys)]
        case ast.Subscript(slice=key, ctx=ast.Store()):
            told = [key]
        case ast.Compare() | ast.MatchValue():
            told = [node]
        case _:
            return False
    named = [part for each in told for part in ast.walk(each)]
    text = ast.unparse(node) if isinstance(node, ast.Compare) else ""
    return any(isinstance(part, ast.Attribute) and ast.unparse(part.value) == "PurposeKind" for part in named) or (
        re.search(r"purpose['\"\])]*(?:\.kind)?(?:\.value)? (?:==|!=|in|not in) [('\"\[{]", text) is not None
    )


def test_nothing_but_its_own_modules_tells_a_purpose_apart():
    files = [
        path
        for part in PRODUCT
        for path in sorted((ROOT / part).rglob("*"))
        if path.suffix in {".py", ".sql"} and not str(path.relative_to(ROOT)).startswith(PURPOSES)
    ]
    found = {path for path in files if IN_SQL.search(path.read_text())}
    found |= {
        path
        for path in files
        if path.suffix == ".py" and any(tells_apart(node) for node in ast.walk(ast.parse(path.read_text())))
    }
    assert {str(path.relative_to(ROOT)) for path in found} == NAMES_A_PURPOSE


#: The tables of nouns that the ledger's statements read (decision 0216): a charge goes by the state of its
#: organization and the path of its department.
READ_BY_THE_LEDGER = {"departments", "organizations"}


def test_the_ledger_reads_no_other_nouns():
    import models
    from models.common.base import Base

    assert models
    tables = {table.name for table in Base.metadata.tables.values() if table.schema is None}
    read = {
        name
        for path in sorted((ROOT / "ledger").rglob("*"))
        if path.suffix in {".py", ".sql"}
        for name in re.findall(r"\b(?:FROM|JOIN|INTO|UPDATE|TABLE)\s+(?:public\.)?(\w+)", path.read_text())
    }
    assert read & tables == READ_BY_THE_LEDGER


@pytest.mark.parametrize("folder", ["activities", "ledger", "repositories", "services", "workflows"])
def test_only_composition_roots_read_settings(folder):
    readers = [
        str(path.relative_to(ROOT))
        for path in (ROOT / folder).rglob("*.py")
        if path.name != "__main__.py" and "runtime.settings" in path.read_text()
    ]
    assert readers == []


# The data map: everything that is kept has a category, a purpose, a retention and a way to be erased.


@pytest.fixture(scope="module")
def kept() -> list[Kept]:
    return [*columns(), *fields(), *log_keys()]


def test_every_table_has_a_purpose_and_a_retention():
    import models
    from models.common.base import Base

    assert models
    assert set(TABLES) ^ {table.fullname for table in Base.metadata.tables.values()} == set()
    assert [place for place in (*TABLES.values(), LOGS, MESSAGES) if not (place.purpose and place.retention)] == []


def test_the_data_map_knows_what_every_text_is(kept):
    assert [
        f"{each.where}: no rule knows what this text is. Add its name to `domain/privacy/data_map.py`, or say what it "
        'is: `info={"holds": …}` at the column, `Annotated[…, …]` at the field'
        for each in kept
        if each.category is None
    ] == []


def test_a_text_is_unclassified_where_no_rule_knows_its_name():
    assert category("shoe_size", str) is category("shoe_sizes", list) is category("shoe_size", dict) is None
    assert category("shoe_size", int) is Category.TECHNICAL


def test_a_field_is_in_the_data_map_whatever_its_hint(monkeypatch):
    import contracts.runs
    from contracts.common.base import Message

    class Shoe(Message):
        shoe_size: JsonValue
        note: str
        holder: Message

    monkeypatch.setattr(contracts.runs, "Shoe", Shoe, raising=False)
    found = {each.name: each.category for each in fields() if each.where.startswith(f"{__name__}.Shoe.")}
    assert found == {"shoe_size": None, "note": Category.FREE_TEXT}


def test_columns_and_fields_declare_only_what_the_rule_does_not_say(kept):
    assert [each.where for each in kept if each.declared and each.declared is category(each.name, each.kind)] == []


def test_every_name_of_the_data_map_is_in_use_once(kept):
    used = {
        name
        for each in kept
        if not each.declared or each.place is LOGS
        for name in (each.name, each.name.rpartition("_")[2])
    }
    for listed in (NAMES, ENDINGS, NUMBERS, LOG_KEYS):
        names = " ".join(listed.values()).split()
        assert [name for name in names if name not in used or names.count(name) > 1] == []


def test_every_entry_of_the_data_map_says_how_it_is_erased(kept):
    for each in (each for each in kept if each.category):
        assert each.erased in {"delete", "seal"} or each.erased.startswith("keep: "), each.where


def test_search_attributes_hold_ids_states_and_amounts_only():
    """Temporal stores them in clear, whatever else is sealed."""
    from contracts.common.search_attributes import ALL
    from domain.privacy.data_map import SEARCH_ATTRIBUTES, SearchAttributeContent

    assert {key.name for key in ALL} == set(SEARCH_ATTRIBUTES)
    assert set(SEARCH_ATTRIBUTES.values()) <= set(SearchAttributeContent)
    assert set(SearchAttributeContent) == {"id", "state", "amount"}
    made = [at for folder in PRODUCT for at, name in calls(folder) if name.startswith("SearchAttributeKey.for_")]
    assert [at for at in made if not at.startswith("contracts/common/search_attributes.py:")] == []
    assert len(made) == len(ALL)


def test_what_is_listed_as_slow_is_there():
    assert [path for path in SLOW if not path.exists()] == []


# Limits of tests ------------------------------------------------------------------------------------------------------

#: A busy machine may take this long for what takes a moment on an idle one.
SHORTEST_LIMIT_SECONDS = 60
#: Limits that a test has reached on purpose, or that nothing reaches however slow the machine is.
SHORT_LIMITS = {
    "tests/adapters/test_litellm.py: expires_in=timedelta(seconds=1)": "the end of a hold is what is waited for",
    "tests/api/paying.py: command_timeout=timedelta(milliseconds=50)": "no run ever answers",
    "tests/api/test_idempotency.py: idempotency_lease=timedelta(seconds=3)": "nobody else asks for the key meanwhile",
    "tests/api/test_stalls.py: database_timeout=timedelta(seconds=1)": "the database is stalled",
    "tests/api/test_stalls.py: timeout=timedelta(seconds=1)": "no connection is free",
    "tests/faults/payers.py: PATIENCE_SECONDS = 2.0": "what was given up is tried again",
    "tests/faults/payers.py: timeout=PATIENCE_SECONDS": "what was given up is tried again",
    "tests/faults/payment_clients.py: EVIDENCE_WITHIN_SECONDS = 6.0": "who hears too late hands none in",
    "tests/ledger/test_gateway.py: asyncio.wait_for(post(books.clients[1]), 0.05)": "the account is locked",
    "tests/providers/test_chains_hostile.py: timeout=timedelta(milliseconds=10)": "the answer never comes",
    "tests/providers/test_tax_service.py: timeout=timedelta(milliseconds=20)": "the service hangs",
    "tests/providers/test_vault.py: timeout=timedelta(milliseconds=500)": "the server hangs",
    "tests/runtime/test_interceptors.py: heartbeat_timeout=timedelta(milliseconds=40)": "no server counts it",
    "tests/runtime/test_temporal.py: wait=timedelta(milliseconds=150)": "there is no server",
    "tests/support/paypal.py: timeout_graceful_shutdown=1": "nobody waits for an answer any more",
    "tests/support/sandboxes.py: timeout_graceful_shutdown=1": "nobody waits for an answer any more",
    "tests/workflows/test_escrow_outage.py: command_timeout=timedelta(seconds=1)": "the server cannot be reached",
}
#: Arguments that limit how long something may take, and constants that are made for them.
LIMIT = re.compile(r"timeout|lease|expires_in|patience|within_seconds|^(?:start|end|request)_seconds$|^wait$", re.I)
#: Calls that take a limit by its place.
LIMIT_AT = {"timeout": 0, "wait_for": 1, "result": 0, "join": 0, "set_default_timeout": 0}
#: What gives up after five seconds by default. With a transport of its own it has no network.
HTTP = {f"httpx2.{name}" for name in ("AsyncClient", "Client", "get", "post", "put", "delete", "request", "stream")}


def seconds_of(node: ast.expr, constants: dict[str, ast.expr]) -> float | None:
    """Return how long a limit is; None where it is neither a number nor a `timedelta` of numbers."""
    if isinstance(node, ast.Name) and node.id in constants:
        return seconds_of(constants[node.id], {})
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "timedelta":
        units = {each.arg: each.value for each in node.keywords if isinstance(each.value, ast.Constant)}
        return timedelta(**{str(unit): ast.literal_eval(value) for unit, value in units.items()}).total_seconds()
    is_number = isinstance(node, ast.Constant) and type(node.value) in {int, float}
    return float(ast.literal_eval(node)) if is_number else None


def limits(path: Path) -> Iterator[tuple[str, float | None]]:
    """Yield each limit of a file of tests as it is written, with its seconds if they are known."""
    tree = ast.parse(path.read_text())
    assigned = [node for node in tree.body if isinstance(node, ast.Assign) and len(node.targets) == 1]
    constants = {ast.unparse(node.targets[0]): node.value for node in assigned}
    for name, value in constants.items():
        if LIMIT.search(name):
            yield f"{name} = {ast.unparse(value)}", seconds_of(value, {})
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        if name in HTTP and not {each.arg for each in node.keywords} & {"timeout", "transport"}:
            yield f"{ast.unparse(node)} without a timeout", 5
        for each in node.keywords:
            if each.arg and LIMIT.search(each.arg):
                yield ast.unparse(each), seconds_of(each.value, constants)
        at = LIMIT_AT.get(name.rpartition(".")[2], len(node.args))
        for value in node.args[at : at + 1]:
            yield ast.unparse(node), seconds_of(value, constants)


def test_no_limit_of_a_test_is_short():
    found = {
        f"{path.relative_to(ROOT)}: {limit}"
        for path in files("tests")
        for limit, seconds in limits(path)
        if seconds and seconds < SHORTEST_LIMIT_SECONDS
    }
    assert found - SHORT_LIMITS.keys() == set(), "A busy machine takes longer: give it a minute, or say why not."
    assert SHORT_LIMITS.keys() - found == set()
    # Playwright counts milliseconds, and its default is set in one place.
    named = {text for path in files("tests/console/browser") for text, _ in limits(path) if "PATIENCE" in text}
    assert {"context.set_default_timeout(PATIENCE)", "PATIENCE = 120000"} <= named


#: Openings with which a docstring says a riddle instead of its subject.
RIDDLE = re.compile(r"(?:What|Whose|Whoever|Whatever|Those|Have|Nobody)\b")
#: Names of classes and functions that say nothing where they are imported.
SAYS_NOTHING = {
    *("Act", "Around", "Asked", "Became", "Beside", "Judged", "Left", "Line", "News", "Night", "One", "Part", "Row"),
    *("Said", "Seen", "Standing", "Tried", "Unmade", "Verdict", "Wanted", "Wish"),
    *("beside", "knock", "says", "theirs", "together", "told", "took"),
}
#: What is read for them.
SAID = [*PRODUCT, *ROOTS, "deploy", "dev", "docs", "migrations", "sdk", "tests"]


def described() -> Iterator[tuple[str, str, str]]:
    """Yield the place, name and docstring of every module, class and function."""
    for path in (path for part in SAID for path in files(part)):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                at = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}"
                yield at, getattr(node, "name", ""), ast.get_docstring(node) or ""


def test_docstrings_open_with_their_subject_and_names_say_it():
    found = list(described())
    riddles = [f"{at} {text.splitlines()[0]}" for at, _, text in found if RIDDLE.match(text)]
    names = [f"{at} {name}" for at, name, _ in found if name.lstrip("_") in SAYS_NOTHING]
    assert (riddles, names) == ([], [])
