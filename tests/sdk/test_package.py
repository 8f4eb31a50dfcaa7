"""The client as a package: what it imports, what it never shows, and that it can all that the document describes."""

import ast
import inspect
import logging
import pickle
import re
import sys
import tomllib
import traceback
from collections.abc import AsyncIterator, Iterator
from copy import deepcopy
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest

import bursar
from bursar._errors import APIError, BursarError, error_class
from bursar.testing import FakeBursar
from dev.sdk.types import Typing
from tests.support.openapi import served

ROOT = Path(__file__).resolve().parents[2]
SDK = ROOT / "sdk"
KEY = "bsk_secret_secret"
#: What an extra brings, by the module that imports it. Nothing else imports these modules but when they are used.
EXTRAS = {
    "_activities.py": {"temporalio"},
    "fastapi.py": {"fastapi", "starlette"},
    "langchain.py": {"langchain"},
    "litellm.py": {"litellm"},
    "openai_agents.py": {"agents"},
    "temporal.py": {"temporalio"},
    "webhooks.py": {"cryptography"},
}
#: What providers, mail servers and probes call.
CALLED_BY_OTHERS = {"/webhooks/stripe", "/webhooks/stripe/issuing", "/webhooks/paypal", "/webhooks/mail-bounces"}


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


def test_it_imports_its_two_dependencies_and_never_the_product() -> None:
    declared = tomllib.loads((SDK / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    assert [re.split(r"[<>=]", each)[0] for each in declared] == ["httpx2", "pydantic"]
    for path in (SDK / "bursar").rglob("*.py"):
        allowed = {"bursar", "httpx2", "pydantic", *sys.stdlib_module_names, *EXTRAS.get(path.name, ())}
        assert imported(path) <= allowed, path


def described() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in served()["paths"].items():
        short = path.removeprefix("/api/v1")
        for operation in methods.values():
            if not operation.get("deprecated") and short not in CALLED_BY_OTHERS:
                yield f"{short}", operation


def resolved(part: dict[str, Any]) -> dict[str, Any]:
    found: Any = part
    while "$ref" in found:
        target: Any = served()
        for step in found["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        found = target
    return found  # type: ignore[no-any-return]


@pytest.mark.parametrize("kind", [bursar.AsyncBursar, bursar.Bursar])
def test_each_operation_has_a_method_and_each_parameter_an_argument(kind: type) -> None:
    client = kind(KEY, base_url="http://bursar.test")
    missing = []
    for path, operation in described():
        resource, _, verb = operation["operationId"].partition(".")
        method = getattr(getattr(client, resource, None), verb, None)
        if method is None:
            missing.append(operation["operationId"])
            continue
        arguments = {name.rstrip("_") for name in inspect.signature(method).parameters}
        wanted = {resolved(each)["name"].lower().replace("-", "_") for each in operation.get("parameters", ())}
        content = resolved(operation.get("requestBody", {})).get("content", {}).get("application/json")
        if content:
            alternatives = [
                each for each in content["schema"].get("anyOf", [content["schema"]]) if each != {"type": "null"}
            ]
            members = resolved(alternatives[0]).get("properties", {}) if len(alternatives) == 1 else {"body": None}
            wanted |= {name.rstrip("_") for name in members}
        missing += [f"{path} {name}" for name in wanted if name.rstrip("_") not in arguments]
    assert missing == []


def codes(part: Any) -> Iterator[tuple[int, str]]:
    if isinstance(part, dict):
        if isinstance(part.get("code"), str) and isinstance(part.get("status"), int):
            yield part["status"], part["code"]
        for value in part.values():
            yield from codes(value)


def test_each_documented_code_is_raised_by_what_its_status_says() -> None:
    found = {pair for path in served()["paths"].values() for pair in codes(path)}
    found |= set(codes(served()["components"]))
    for status, code in found:
        assert error_class(status, code) in {error_class(status, ""), *error_class(status, "").__subclasses__()}, code
    documented = set(
        re.findall(r"^### `([\w.]+)`", (ROOT / "docs" / "reference" / "errors.md").read_text("utf-8"), re.MULTILINE)
    )
    assert {code for _, code in found} <= documented
    named = {code: error_class(0, code) for code in documented}
    assert all(issubclass(kind, APIError) for kind in named.values())
    assert sum(kind is not APIError for kind in named.values()) >= 9


async def test_the_key_never_shows_itself(caplog: pytest.LogCaptureFixture) -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        assert request.headers["authorization"] == f"Bearer {KEY}"
        if request.url.path.endswith("/plans"):
            raise httpx2.ConnectError("refused", request=request)
        return httpx2.Response(401, json={"code": "auth.invalid", "status": 401})

    caplog.set_level(logging.DEBUG)
    async with bursar.AsyncBursar(
        KEY, base_url="http://bursar.test", transport=httpx2.MockTransport(answer), max_retries=1
    ) as client:
        shown = [repr(client), repr(client.__dict__), repr(client.with_options(timeout=60).__dict__)]
        for call in (client.credits.use(amount=1), client.plans.list()):
            try:
                await call
            except BursarError as error:
                whole = traceback.TracebackException.from_exception(error, capture_locals=True)
                shown += [repr(error), repr(vars(error)), "".join(whole.format())]
    assert len(shown) == 9
    assert not [text for text in shown if KEY in text]
    assert KEY not in caplog.text
    with pytest.raises(TypeError):
        pickle.dumps(client)


@pytest.mark.parametrize("address", ["https://", "https://bursar.example:port", "https://[::1", "http://a\u2028b"])
def test_address_that_cannot_be_one_is_refused_at_once(address: str) -> None:
    with pytest.raises(bursar.ConfigurationError, match="must have the form"):
        bursar.Bursar(KEY, base_url=address)


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BURSAR_API_KEY", KEY)
    monkeypatch.setenv("BURSAR_API_URL", "https://bursar.test/api/v1/")
    assert repr(bursar.Bursar()) == "Bursar(https://bursar.test)"
    monkeypatch.setenv("BURSAR_API_URL", "bursar.test")
    with pytest.raises(bursar.ConfigurationError, match="https://"):
        bursar.Bursar()
    monkeypatch.delenv("BURSAR_API_URL")
    with pytest.raises(bursar.ConfigurationError, match="BURSAR_API_URL"):
        bursar.Bursar()
    monkeypatch.delenv("BURSAR_API_KEY")
    with pytest.raises(bursar.ConfigurationError, match="BURSAR_API_KEY"):
        bursar.Bursar()


def test_floats_are_refused_before_anything_is_sent() -> None:
    fake = FakeBursar()
    with fake.client() as client:
        for wrong in (0.1, True):
            with pytest.raises(TypeError):
                client.hold(5).use(wrong)
        with pytest.raises(TypeError, match="amount must not be a float"):
            client.credits.use(amount=0.1)
        with pytest.raises(TypeError, match="amount must not be a float"):
            client.contracts.create(
                agent_id="a",
                title="t",
                price=1,
                milestones=[{"name": "m", "amount": 0.5}],  # type: ignore[typeddict-item]
            )
        for wrong_text in (Decimal("NaN"), Decimal("Infinity")):
            with pytest.raises(ValueError, match="finite"):
                client.credits.use(amount=wrong_text)
        with pytest.raises(ValueError, match="not empty"):
            client.escrows.get("..")
    assert fake.requests == []


def parts_of(schemas: dict[str, Any], schema: dict[str, Any], example: Any, member: str) -> Iterator[Any]:
    """Walk an example: yields the schema of each of its texts, the text, and which member it is."""
    if "$ref" in schema:
        member = schema["$ref"].rpartition("/")[2]
        schema = schemas[member]
    for part in schema.get("anyOf", ()):
        if "$ref" in part or part.get("type") in {"array", "object"}:
            yield from parts_of(schemas, part, example, member)
    if isinstance(example, dict):
        for name, value in example.items():
            yield from parts_of(schemas, schema.get("properties", {}).get(name, {}), value, f"{member}.{name}")
    for value in example if isinstance(example, list) else ():
        yield from parts_of(schemas, schema.get("items", {}), value, member)
    if isinstance(example, str):
        yield schema, example, member


def decimals_typed_as_text(document: dict[str, Any]) -> set[str]:
    """Find members whose example in the document is a decimal, and whose type in the client is text."""
    schemas = document["components"]["schemas"]
    typing = Typing(answer=True)
    responses = [
        response.get("content", {}).get("application/json", {})
        for path in document["paths"].values()
        for operation in path.values()
        for status, response in operation["responses"].items()
        if status.startswith("2")
    ]
    return {
        member
        for media in responses
        for schema, text, member in parts_of(schemas, media.get("schema", {}), media.get("example"), "")
        if re.fullmatch(r"-?[0-9]+\.[0-9]+", text) and "str" in typing.of(schema)
    }


def test_exact_numbers_are_no_text_in_a_model() -> None:
    document = deepcopy(served())
    # A bound of terms is an amount, a share, a count or a period, so it stays as it was sent.
    assert decimals_typed_as_text(document) <= {"BoundsView.min", "BoundsView.max"}
    document["components"]["schemas"]["TaxView"]["properties"]["rate"] = {"type": "string"}
    assert "TaxView.rate" in decimals_typed_as_text(document)


def test_what_the_api_writes_as_a_number_is_declared_as_one() -> None:
    trees = [ast.parse(path.read_text("utf-8")) for path in sorted((ROOT / "api").rglob("*.py"))]
    classes = {node.name: node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    declared = {
        (name, item.target.id): ast.unparse(item.annotation)
        for name, node in classes.items()
        for item in node.body
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
    }
    written = []
    for name, node in classes.items():
        for call in (each for each in ast.walk(node) if isinstance(each, ast.Call)):
            target = name if ast.unparse(call.func) == "cls" else ast.unparse(call.func)
            for given in call.keywords:
                if re.search(r"\bformat_(amount|ratio|rate|pico)\(", ast.unparse(given.value)):
                    written.append((target, str(given.arg)))
    text = [each for each in written if re.search(r"\bstr\b(?!,)", declared.get(each, ""))]
    assert len(written) > 100
    assert text == []


async def test_unknown_members_are_kept_and_unknown_words_are_strings() -> None:
    balance = {"organization_id": "org_1", "currency": "NEW", "available": "1", "reserved": "0", "total": "1"}
    content = {**balance, "owed": "0", "expiring": [], "colour": "blue", "rate": 0.1}
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, json=content))
    async with bursar.AsyncBursar(KEY, base_url="http://bursar.test", transport=transport) as client:
        shown = await client.billing.get_balance()
    assert shown.currency == "NEW"
    assert shown.model_extra == {"colour": "blue", "rate": Decimal("0.1")}


async def test_answer_that_cannot_be_decoded_is_a_lost_one() -> None:
    class Garbage(httpx2.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b"no gzip"

    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"Content-Encoding": "gzip"}, stream=Garbage())

    transport = httpx2.MockTransport(answer)
    async with bursar.AsyncBursar(KEY, base_url="http://bursar.test", transport=transport, max_retries=0) as client:
        with pytest.raises(bursar.OutcomeUnknown) as unknown:
            await client.credits.use(amount=1, idempotency_key="pay-1")
        assert unknown.value.key == "pay-1"
        with pytest.raises(bursar.ConnectionFailed, match="DecodingError"):
            await client.billing.get_balance()
        with pytest.raises(bursar.ConnectionFailed, match="DecodingError"):
            await anext(client.contracts.list().csv())


async def test_answer_of_something_else_says_with_which_key_the_call_is_repeated() -> None:
    sent: list[str | None] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        sent.append(request.headers.get("idempotency-key"))
        return httpx2.Response(200, text="<html>" if len(sent) == 1 else "{}")

    transport = httpx2.MockTransport(answer)
    async with bursar.AsyncBursar(KEY, base_url="http://bursar.test", transport=transport) as client:
        for _ in range(2):
            with pytest.raises(bursar.UnexpectedAnswer, match="idempotency_key='once-") as unexpected:
                await client.credits.use(amount=1)
            assert unexpected.value.key == sent[-1]
        with pytest.raises(bursar.UnexpectedAnswer) as unexpected:
            await client.billing.get_balance()
        assert (unexpected.value.key, "idempotency_key" in str(unexpected.value)) == (None, False)


async def test_answer_of_an_older_server_is_read_and_one_of_something_else_is_not() -> None:
    answers = [{"organization_id": "org_1", "available": "1"}, {"ready": True}, {"metadata": {}}]
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, json=answers.pop(0)))
    async with bursar.AsyncBursar(KEY, base_url="http://bursar.test", transport=transport) as client:
        shown = await client.billing.get_balance()
        assert shown.available == Decimal(1)
        assert shown.model_dump() == {"organization_id": "org_1", "available": Decimal(1)}
        with pytest.raises(AttributeError, match="expiring"):
            _ = shown.expiring
        with pytest.raises(bursar.UnexpectedAnswer, match="no BalanceView"):
            await client.billing.get_balance()
        with pytest.raises(bursar.UnexpectedAnswer, match="id"):
            await client.organizations.get("org_1")


async def test_page_that_is_not_of_the_api_is_told_apart() -> None:
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, text="<html>Welcome</html>"))
    async with bursar.AsyncBursar(KEY, base_url="http://bursar.test", transport=transport) as client:
        with pytest.raises(bursar.UnexpectedAnswer, match="address of the API"):
            await client.billing.get_balance()


def test_fake_refuses_what_it_does_not_play() -> None:
    fake = FakeBursar()
    usual: dict[str, Any] = {"amount": 5, "currency": "USD", "payment_method": "pm_card_visa"}
    with fake.client() as client:
        agent, organization = client.agents.create(name="Writer"), client.billing.get_balance().organization_id
        contract: dict[str, Any] = {"agent_id": agent.id, "title": "Report", "price": 5}
        for call in (
            lambda: client.payments.create(**usual | {"purpose": "slot"}),
            lambda: client.payments.create(**usual | {"provider": "paypal", "payment_method": None}),
            lambda: client.payments.create(**usual | {"hosted": True, "payment_method": None}),
            lambda: client.payments.create(**usual | {"payment_method": "pm_card_createDispute"}),
            lambda: client.payments.create(**usual | {"purpose": "balance", "currency": "JPY"}),
            lambda: client.contracts.create(**contract, currency="BTC"),
            lambda: client.payments.list(q="pi_").page(),
            lambda: client.credits.grant(organization_id=organization, amount=1, source="reward", expires_at=NEXT_YEAR),
        ):
            with pytest.raises(APIError) as refused:
                call()
            assert (refused.value.status, refused.value.code) == (501, "fake.not_played")
        assert client.payments.list().page().data == []
    assert fake.available == 1000


NEXT_YEAR = datetime(2030, 1, 1, tzinfo=UTC)
#: What `FakeBursar` does not play of the resources that it plays, as its docstring and the README say.
NOT_PLAYED = {
    "agents": {"set_category", "get_picture", "put_picture", "delete_picture"},
    "budgets": {
        *("list_versions", "list_spends", "list_refusals", "move_pool", "declare_emergency", "end_emergency"),
        *("get_prompt_template", "set_prompt_template"),
    },
    "billing": {"list_transactions", "list_activity", "get_config", "get_statement", "list_balances", "get_transfer"},
    "contracts": set(),
    "credits": {"summarise_usage", "list_lots", "get_stats"},
    "departments": {"get_limits", "set_limits"},
    "earnings": {"convert", "waive"},
    "escrows": set(),
    "grants": set(),
    "payments": {"get_receipt", "list_receipts", "get_tax_receipt", "give_up_refund"},
    "purchase_orders": set(),
    "projects": {"get_deployment_limits", "purchase_slot"},
    "spend_controls": {"list_versions", "list_counted_spends", "list_refusals"},
    "topups": {"get_quote"},
}


def test_fake_plays_what_it_says_and_refuses_the_rest() -> None:
    refused: dict[str, set[str]] = {resource: set() for resource in NOT_PLAYED}
    fake, played = FakeBursar(), set()
    with httpx2.Client(transport=fake, base_url="http://bursar.fake") as http:
        for path, methods in served()["paths"].items():
            for method, operation in methods.items():
                if operation.get("deprecated"):
                    continue
                sent = re.sub(r"\{[^}]*\}", "x", path)
                answer = http.request(method.upper(), sent, headers={"Idempotency-Key": f"{method} {path}"})
                resource, _, verb = operation["operationId"].partition(".")
                if answer.status_code != 501:
                    played.add(resource)
                elif resource in refused:
                    refused[resource].add(verb)
    assert played == set(NOT_PLAYED)
    assert refused == NOT_PLAYED
