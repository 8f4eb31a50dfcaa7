from datetime import timedelta

import pytest
from pydantic import SecretStr
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import (
    AddSearchAttributesRequest,
    ListSearchAttributesRequest,
    RemoveSearchAttributesRequest,
)
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError

from contracts.common.search_attributes import AGENT_ID, ALL, AMOUNT_MINOR, CURRENCY, ORG_ID, STATE, search_attributes
from dev.stack.temporal import free_port
from manage import main
from runtime import logs
from runtime.identity import new_id
from runtime.settings import Settings
from runtime.temporal import SearchAttributesMissing, connect, ensure, ensure_search_attributes
from tests.runtime.conftest import KEY_ONE

NAMES = sorted(key.name for key in ALL)


@pytest.fixture
async def client(settings: Settings) -> Client:
    """A client of a new namespace without search attributes."""
    name = new_id("ns")
    default = await connect(settings)
    request = RegisterNamespaceRequest(namespace=name)
    request.workflow_execution_retention_period.FromTimedelta(timedelta(days=1))
    await default.workflow_service.register_namespace(request)
    return await connect(settings.model_copy(update={"temporal_namespace": name}))


async def attributes(client: Client) -> dict[str, int]:
    answer = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace)
    )
    return dict(answer.custom_attributes)


async def clear(client: Client) -> None:
    names = list(await attributes(client))
    if names:
        await client.operator_service.remove_search_attributes(
            RemoveSearchAttributesRequest(namespace=client.namespace, search_attributes=names)
        )


async def fill(client: Client) -> None:
    for number in range(50):
        await client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(
                namespace=client.namespace,
                search_attributes={f"Filler{number}": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD},
            )
        )


@pytest.mark.temporal
async def test_missing_attributes_are_registered_once(client: Client) -> None:
    await clear(client)
    assert await ensure_search_attributes(client) == NAMES
    assert await ensure_search_attributes(client) == []
    known = await attributes(client)
    assert known["OrgId"] == IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
    assert known["AmountMinor"] == IndexedValueType.INDEXED_VALUE_TYPE_INT


@pytest.mark.temporal
async def test_attribute_of_another_type_is_a_clear_error(client: Client) -> None:
    await clear(client)
    await client.operator_service.add_search_attributes(
        AddSearchAttributesRequest(
            namespace=client.namespace, search_attributes={"State": IndexedValueType.INDEXED_VALUE_TYPE_INT}
        )
    )
    with pytest.raises(SearchAttributesMissing, match="State as Int, but Bursar needs it as Keyword"):
        await ensure_search_attributes(client)


@pytest.mark.temporal
async def test_namespace_without_room_is_a_clear_error(client: Client) -> None:
    await clear(client)
    with pytest.raises(RPCError):
        await fill(client)
    with pytest.raises(SearchAttributesMissing, match="no room") as raised:
        await ensure_search_attributes(client)
    assert "OrgId (Keyword)" in str(raised.value)


@pytest.mark.temporal
async def test_ensure_waits_for_the_server_and_reports(settings: Settings) -> None:
    await ensure(settings, wait=timedelta(minutes=1))
    assert await ensure(settings) == []


async def test_server_that_does_not_answer_is_a_clear_error() -> None:
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(RuntimeError, match=f"Temporal at {address} does not answer"):
        await connect(Settings(temporal_address=address), wait=timedelta(milliseconds=150))


async def test_lazy_client_needs_no_server() -> None:
    client = await connect(Settings(temporal_address=f"127.0.0.1:{free_port()}"), lazy=True)
    assert client.namespace == "default"


@pytest.mark.temporal
def test_command_registers_and_exits_well(
    temporal_address: str, monkeypatch: pytest.MonkeyPatch, restored_logging: None
) -> None:
    monkeypatch.setenv("BURSAR_TEMPORAL_ADDRESS", temporal_address)
    assert main(["temporal", "ensure"]) == 0


@pytest.mark.temporal
def test_command_prints_why_it_failed_without_the_key(
    temporal_address: str,
    monkeypatch: pytest.MonkeyPatch,
    restored_logging: None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("BURSAR_TEMPORAL_ADDRESS", temporal_address)
    monkeypatch.setenv("BURSAR_ENCRYPTION_KEYS", "k1:notAKeyAtAll")
    assert main(["temporal", "ensure"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: BURSAR_ENCRYPTION_KEYS: entry 1")
    assert "notAKeyAtAll" not in said


def test_attributes_of_a_run_leave_out_what_is_unknown() -> None:
    found = search_attributes(org_id="org_1", agent_id="agt_1", state="open", amount_minor=5, currency="CREDIT")
    assert (found[ORG_ID], found[AGENT_ID], found[STATE]) == ("org_1", "agt_1", "open")
    assert (found[AMOUNT_MINOR], found[CURRENCY]) == (5, "CREDIT")
    assert search_attributes(amount_minor=0)[AMOUNT_MINOR] == 0
    assert len(search_attributes()) == 0


def test_settings_do_not_show_secrets() -> None:
    settings = Settings(encryption_keys=SecretStr(KEY_ONE), temporal_api_key=SecretStr("hunter3"))
    key = KEY_ONE.removeprefix("k1:")
    assert "hunter" not in repr(settings)
    assert key not in repr(settings)
    assert logs.secrets_of(settings) == ["hunter3", KEY_ONE, key]
