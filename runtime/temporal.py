"""Temporal client: connection, data converter, and registration of search attributes.

`manage temporal ensure` waits for the server and registers the search attributes; it is idempotent, and part of a
deployment's migration step.
"""

import asyncio
import dataclasses
from collections.abc import Sequence
from datetime import timedelta

import structlog
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client, Interceptor, Plugin
from temporalio.converter import DataConverter, DefaultFailureConverterWithEncodedAttributes
from temporalio.plugin import SimplePlugin
from temporalio.runtime import Runtime
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from contracts.common import search_attributes
from runtime.codec import encryption_codec
from runtime.interceptors import BursarInterceptor
from runtime.seals import OpenPayloadConverter, SealedPayloadConverter
from runtime.settings import Settings

log = structlog.get_logger("bursar.temporal")


#: Modules that the workflow sandbox does not reload: the product below the workflows, and modules of its types.
#: Exceptions and messages must be the same classes inside and outside of the sandbox.
PASSED_THROUGH = (
    "activities",
    "contracts",
    "domain",
    "ledger",
    "models",
    "repositories",
    "runtime",
    "services",
    "asyncpg",
    "cryptography",
    "pydantic",
    "pydantic_core",
    "pydantic_settings",
    "sqlalchemy",
    "structlog",
)


class BursarPlugin(SimplePlugin):
    """Installs the interceptor in clients, workers and replays, and the passed-through modules in sandboxes.

    `connect` adds it to the client, and workers of that client inherit it. Other workers and a `Replayer` need
    `plugins=[BursarPlugin()]`.
    """

    def __init__(self) -> None:
        super().__init__("bursar", interceptors=[BursarInterceptor()], workflow_runner=_workflow_runner)


def _workflow_runner(runner: WorkflowRunner | None) -> WorkflowRunner:
    if runner is None:
        runner = SandboxedWorkflowRunner()
    if isinstance(runner, SandboxedWorkflowRunner):
        restrictions = runner.restrictions.with_passthrough_modules(*PASSED_THROUGH)
        return dataclasses.replace(runner, restrictions=restrictions)
    return runner


class SearchAttributesMissing(RuntimeError):
    """The namespace lacks a search attribute, and it could not be registered."""


class OwnDataConverter(DataConverter):
    """Converter without external storage, which passes on payloads that reference one.

    The SDK would raise for such a reference before any handler, which would fail the workflow task forever.
    """

    async def _decode_reference_payload_sequence(self, payloads: Sequence[Payload]) -> list[Payload]:
        return list(payloads)

    async def _external_retrieve_payload_sequence(self, payloads: Sequence[Payload]) -> list[Payload]:
        return list(payloads)


def data_converter(settings: Settings) -> DataConverter:
    """Return the converter of all clients, workers and replays: pydantic messages, sealed if keys are set.

    With keys, messages and stack traces of failures are sealed, too; the error's code stays readable.

    Raises:
        MalformedKeys: the setting `encryption_keys` cannot be parsed.
    """
    codec = encryption_codec(settings.encryption_keys, passing=True)
    if codec is None:
        return OwnDataConverter(payload_converter_class=OpenPayloadConverter)
    return OwnDataConverter(
        payload_converter_class=SealedPayloadConverter,
        payload_codec=codec,
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )


async def connect(
    settings: Settings,
    *,
    interceptors: Sequence[Interceptor] = (),
    plugins: Sequence[Plugin] = (),
    runtime: Runtime | None = None,
    lazy: bool = False,
    wait: timedelta = timedelta(0),
) -> Client:
    """Return a client with the converter and `BursarPlugin`, which its workers inherit.

    Args:
        settings: address, namespace, TLS, API key and encryption keys.
        interceptors: further ones, outside of `BursarInterceptor`.
        plugins: for example `runtime.telemetry.temporal_plugins(settings)`.
        runtime: the SDK's runtime, for example `runtime.metrics.worker_runtime(settings)`.
        lazy: whether to connect with the first call, so that the web process starts without the server.
        wait: the time limit of retries while the server does not respond.

    Raises:
        RuntimeError: the server did not respond in that time.
    """
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + wait.total_seconds()
    pause = 0.1
    while True:
        try:
            return await Client.connect(
                settings.temporal_address,
                namespace=settings.temporal_namespace,
                api_key=settings.temporal_api_key.get_secret_value() if settings.temporal_api_key else None,
                **settings.temporal_options,
                data_converter=data_converter(settings),
                interceptors=list(interceptors),
                plugins=[*plugins, BursarPlugin()],
                runtime=runtime,
                lazy=lazy,
            )
        except RuntimeError as error:
            if loop.time() + pause > give_up_at:
                raise RuntimeError(f"Temporal at {settings.temporal_address} does not answer: {error}") from error
            await asyncio.sleep(pause)
            pause = min(pause * 2, 2.0)


async def ensure_search_attributes(client: Client) -> list[str]:
    """Register missing search attributes in the namespace; return the added names.

    Idempotent, also from concurrent processes.

    Raises:
        SearchAttributesMissing: a name is taken by another type, the namespace has no room for more of a type, or the
            server does not let clients register attributes (Temporal Cloud); the message says what to do.
    """
    wanted = {key.name: IndexedValueType.ValueType(key.indexed_value_type) for key in search_attributes.ALL}
    known = await _known_attributes(client)
    for name, value_type in wanted.items():
        if name in known and known[name] != value_type:
            raise SearchAttributesMissing(
                f"Namespace {client.namespace!r} has the search attribute {name} as {_type_name(known[name])}, but "
                f"Bursar needs it as {_type_name(value_type)}. Remove it (temporal operator search-attribute remove "
                f"--name {name}) or give Bursar a namespace of its own."
            )
    missing = {name: value_type for name, value_type in wanted.items() if name not in known}
    if not missing:
        return []
    try:
        await client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace=client.namespace, search_attributes=missing)
        )
    except RPCError as error:
        if error.status != RPCStatusCode.ALREADY_EXISTS:
            raise SearchAttributesMissing(_advice(client.namespace, missing, error)) from error
    still_missing = missing.keys() - (await _known_attributes(client)).keys()
    if still_missing:
        names = ", ".join(sorted(still_missing))
        raise SearchAttributesMissing(
            f"Namespace {client.namespace!r} accepted the search attributes {names}, but does not list them."
        )
    log.info("search attributes registered", names=sorted(missing), namespace=client.namespace)
    return sorted(missing)


async def _known_attributes(client: Client) -> dict[str, IndexedValueType.ValueType]:
    try:
        answer = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=client.namespace)
        )
    except RPCError as error:
        raise SearchAttributesMissing(
            f"The search attributes of namespace {client.namespace!r} cannot be listed ({error.message})."
        ) from error
    return dict(answer.custom_attributes)


def _type_name(value_type: IndexedValueType.ValueType) -> str:
    return IndexedValueType.Name(value_type).removeprefix("INDEXED_VALUE_TYPE_").title().replace("_", "")


def _advice(namespace: str, missing: dict[str, IndexedValueType.ValueType], error: RPCError) -> str:
    """Explain why the registration was refused, with advice for the operator."""
    names = ", ".join(f"{name} ({_type_name(value_type)})" for name, value_type in sorted(missing.items()))
    text = f"Namespace {namespace!r} lacks the search attributes {names}: {error.message}."
    if error.status in (RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNIMPLEMENTED, RPCStatusCode.UNAUTHENTICATED):
        return f"{text} The server does not allow clients to register them. Add them with its tools and start again."
    if "cannot have more than" in error.message:
        return f"{text} The namespace has no room for more of that type; remove unused ones or use another namespace."
    return text


async def ensure(settings: Settings, *, wait: timedelta = timedelta(seconds=60)) -> list[str]:
    """Wait for the server, then register missing search attributes; return the added names."""
    client = await connect(settings, wait=wait)
    return await ensure_search_attributes(client)
