"""The page for who comes from another platform maps to what exists: calls, headers, methods and settings."""

import inspect
import re
from operator import attrgetter
from typing import Any

import bursar
import bursar.webhooks
from runtime.environment import documented_settings, temporal_settings
from runtime.settings import Settings
from tests.docs.pages import ROOT
from tests.docs.test_payment_pages import quoted, table
from tests.support.cases import for_each
from tests.support.openapi import operations, served

PAGE = (ROOT / "docs" / "start" / "coming-from-other-platforms.md").read_text("utf-8")
CALL = re.compile(r"`((?:GET|POST|PUT|PATCH|DELETE) /[^` ]*)`")
SECOND, SAME = table(PAGE, "older path"), table(PAGE, "path")
#: Every row that says what a call is here: the call, the client's method and the headers to add.
CALLS = [
    *(row[1:] for header in ("older path", "Stripe", "Lago", "LiteLLM") for row in table(PAGE, header)),
    *SAME,
]
METHODS = [name for row in table(PAGE, "older method") for name in quoted(row[1])]
READ = {quoted(row[0])[0]: quoted(row[1])[0] for row in table(PAGE, "older variable")}
RENAMED = {quoted(row[0])[0]: quoted(row[1]) for row in table(PAGE, "variable elsewhere")}
NOT_NEEDED = [quoted(row[0])[0] for row in table(PAGE, "variable not needed")]
CLIENTS = (
    bursar.Bursar("bsk_docs", base_url="http://bursar.test"),
    bursar.AsyncBursar("bsk_docs", base_url="http://bursar.test"),
)


def known() -> dict[str, dict[str, Any]]:
    """Return every operation by its method and its path below /api/v1."""
    found = operations(served())
    return {f"{method.upper()} {path.removeprefix('/api/v1')}": operation for path, method, operation in found}


def required_headers(operation: dict[str, Any]) -> set[str]:
    given = (each for each in operation.get("parameters", []) if each["in"] == "header" and each.get("required"))
    return {each["name"].lower() for each in given}


def call(cell: str) -> str:
    """Return the call that a cell names first."""
    match = CALL.match(cell)
    assert match is not None, cell
    return match[1]


@for_each("row", CALLS)
def test_call_is_the_operation_that_the_client_calls_so_and_needs_these_headers(row: list[str]) -> None:
    operation = known()[call(row[0])]
    assert not operation.get("deprecated")
    assert quoted(row[1]) in ([operation["operationId"]], [])
    assert {header.lower() for header in quoted(row[2])} == required_headers(operation)
    if quoted(row[1]):
        exists(quoted(row[1])[0])
    else:
        assert operation["operationId"].startswith("webhooks.receive_")


def test_second_paths_are_all_that_the_api_has() -> None:
    aliases = {name for name, operation in known().items() if operation.get("deprecated")}
    assert sorted(call(row[0]) for row in SECOND) == sorted(aliases)
    assert len(SECOND) == len(aliases)


@for_each("row", SECOND)
def test_second_path_needs_the_headers_of_the_first_one(row: list[str]) -> None:
    assert required_headers(known()[call(row[0])]) == required_headers(known()[call(row[1])])


def exists(name: str) -> None:
    """Look a name of the page up in the client for asyncio and in the one for threads."""
    first, _, rest = name.partition(".")
    if first == "webhooks":
        assert callable(attrgetter(rest)(bursar.webhooks))
    elif first == "Agent":
        for agent in (bursar.Agent, bursar.AsyncAgent):
            assert callable(getattr(agent, rest))
    else:
        for client in CLIENTS:
            assert callable(attrgetter(name)(client))


@for_each("name", sorted(set(METHODS)))
def test_method_exists(name: str) -> None:
    exists(name)


def test_agents_of_older_platforms_find_the_keywords_that_the_page_names() -> None:
    named = re.search(r"It takes (.+) and\s+`metadata`", PAGE.replace("\n", " "))
    assert named is not None
    keywords = {*quoted(named[1]), "metadata"}
    for agent in (bursar.Agent, bursar.AsyncAgent):
        assert keywords <= set(inspect.signature(agent.consume_credits_for_action).parameters)


def test_variables_that_are_read_are_those_of_the_page_and_become_these_settings() -> None:
    settings = documented_settings(dict.fromkeys(READ, "1"))
    connection, _ = temporal_settings(dict.fromkeys(READ, "1"))
    assert set(READ.values()) == {f"BURSAR_{field.upper()}" for field in {**settings, **connection}}
    for name, setting in READ.items():
        alone = {**documented_settings({name: "1"}), **temporal_settings({name: "1"})[0]}
        assert setting.removeprefix("BURSAR_").lower() in alone, name


def test_variables_to_change_are_not_read_and_their_settings_exist() -> None:
    assert documented_settings(dict.fromkeys(RENAMED, "1")) == {}
    fields = {f"BURSAR_{name.upper()}" for name in Settings.model_fields} | {"BURSAR_MIGRATION_DATABASE_URL"}
    assert {name for names in (*RENAMED.values(), [*READ.values()]) for name in names} <= fields


def test_variables_that_are_not_needed_are_read_by_nothing() -> None:
    assert NOT_NEEDED
    assert documented_settings(dict.fromkeys(NOT_NEEDED, "1")) == {}
    assert temporal_settings(dict.fromkeys(NOT_NEEDED, "1")) == ({}, {})
    assert not {name.lower().removeprefix("bursar_") for name in NOT_NEEDED} & set(Settings.model_fields)
