"""Temporal interceptor of clients and workers: translates refusals, sends heartbeats and propagates the log context.

`runtime.temporal.BursarPlugin` installs it in every client, worker and replay.

Refusals. A `DomainError` raised in an activity, an update validator or an update handler becomes an `ApplicationError`
whose type is the error's code and whose details are `(status, detail, extra)`, so that the caller sees a refusal and
the workflow task goes on. `domain_error_from` turns it back. A refusal that escapes a signal handler is logged and
dropped: a signal returns nothing, and a failing task would block the whole run. A `DomainError` that escapes a
workflow's main method fails the workflow task, which is retried until a deployment fixes it.

Heartbeats. An activity with a heartbeat timeout heartbeats automatically while it runs, also during a slow provider
call: the heartbeat timeout detects a dead worker, and the activity's own timeout limits the work.

Log context. `request_id` and `org_id` travel in a header from the HTTP request to workflow and activity. They are ids,
in clear, and nothing else may be added to them.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Any, NoReturn, TypeGuard

import structlog
import temporalio.client as client_api
import temporalio.worker as worker_api
from pydantic_core import to_json
from temporalio import activity, workflow
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadConverter
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from domain.common.errors import DomainError, Invalid, class_of

#: The Temporal header that carries the log context, and what may be in it.
CONTEXT_HEADER = "bursar-log-context"
CONTEXT_FIELDS = ("request_id", "org_id")
MAX_CONTEXT = 200
#: The largest update, in bytes of its JSON: several times what the API sends. The result and the state of an update
#: near Temporal's own limits would exceed them.
MAX_UPDATE_BYTES = 256 * 1024

Headers = Mapping[str, Payload]


# Errors ---------------------------------------------------------------------------------------------------------------


def application_error_from(error: DomainError) -> ApplicationError:
    """Translate a refusal for Temporal; `domain_error_from` is the inverse.

    A refusal is expected, so its category is benign: no error log, no failure metric.
    """
    return ApplicationError(
        error.detail,
        error.status,
        error.detail,
        error.extra,
        type=error.error_code,
        non_retryable=not error.retryable,
        category=ApplicationErrorCategory.BENIGN,
    )


def domain_error_from(error: BaseException | None) -> DomainError | None:
    """Return the refusal of a failed update, activity or workflow; None for another failure.

    Takes a `WorkflowUpdateFailedError`, `WorkflowFailureError`, `ActivityError`, `ApplicationError` or `DomainError`
    and follows the causes. Pure, and therefore allowed in workflow code.
    """
    seen = 0
    while error is not None and seen < 20:
        if _is_refusal(error):
            return error
        if isinstance(error, ApplicationError) and (found := _decoded(error)) is not None:
            return found
        error, seen = error.__cause__, seen + 1
    return None


def _is_refusal(error: BaseException) -> TypeGuard[DomainError]:
    """Return whether it is a `DomainError`, also of a copy of `domain.common.errors` in a workflow sandbox."""
    return isinstance(error, DomainError) or any(
        (cls.__module__, cls.__qualname__) == (DomainError.__module__, DomainError.__qualname__)
        for cls in type(error).__mro__
    )


def _decoded(error: ApplicationError) -> DomainError | None:
    details = error.details
    if error.type is None or len(details) != 3:
        return None
    status, detail, extra = details
    if not isinstance(status, int) or not isinstance(detail, str) or not isinstance(extra, dict):
        return None
    return class_of(error.type, status, retryable=not error.non_retryable)(detail, code=error.type, extra=extra)


# Log context ----------------------------------------------------------------------------------------------------------


def _with_context(headers: Headers) -> Headers:
    """Add the bound log context to the headers, unless there is none."""
    bound = structlog.contextvars.get_contextvars()
    context = {name: bound[name] for name in CONTEXT_FIELDS if bound.get(name)}
    if not context:
        return headers
    return {**headers, CONTEXT_HEADER: PayloadConverter.default.to_payload(context)}


def _context_of(headers: Headers) -> dict[str, str]:
    payload = headers.get(CONTEXT_HEADER)
    if payload is None or payload.metadata.get("encoding") != b"json/plain":
        return {}
    try:
        content = PayloadConverter.default.from_payload(payload)
    except Exception:
        return {}
    if not isinstance(content, dict):
        return {}
    return {name: str(content[name])[:MAX_CONTEXT] for name in CONTEXT_FIELDS if name in content}


@contextmanager
def _bound(**values: str | None) -> Iterator[None]:
    with structlog.contextvars.bound_contextvars(**{name: value for name, value in values.items() if value}):
        yield


# The interceptor ------------------------------------------------------------------------------------------------------


class BursarInterceptor(client_api.Interceptor, worker_api.Interceptor):
    """Interceptor of clients and workers, see the module."""

    def intercept_client(self, next: client_api.OutboundInterceptor) -> client_api.OutboundInterceptor:
        """Send the log context with a client's starts, signals and updates."""
        return _ClientOutbound(next)

    def intercept_activity(self, next: worker_api.ActivityInboundInterceptor) -> worker_api.ActivityInboundInterceptor:
        """Refuse an activity without a workflow, bind the log context, send heartbeats, translate refusals."""
        return _ActivityInbound(next)

    def workflow_interceptor_class(
        self,
        input: worker_api.WorkflowInterceptorClassInput,  # noqa: ARG002
    ) -> type[worker_api.WorkflowInboundInterceptor]:
        """Bind the log context round a workflow's handlers and translate their refusals."""
        return _WorkflowInbound


class _ClientOutbound(client_api.OutboundInterceptor):
    async def start_workflow(self, input: client_api.StartWorkflowInput) -> client_api.WorkflowHandle[Any, Any]:
        input.headers = _with_context(input.headers)
        return await super().start_workflow(input)

    async def signal_workflow(self, input: client_api.SignalWorkflowInput) -> None:
        input.headers = _with_context(input.headers)
        await super().signal_workflow(input)

    async def start_workflow_update(
        self, input: client_api.StartWorkflowUpdateInput
    ) -> client_api.WorkflowUpdateHandle[Any]:
        input.headers = _with_context(input.headers)
        return await super().start_workflow_update(input)

    async def start_update_with_start_workflow(
        self, input: client_api.StartWorkflowUpdateWithStartInput
    ) -> client_api.WorkflowUpdateHandle[Any]:
        start, update = input.start_workflow_input, input.update_workflow_input
        start.headers, update.headers = _with_context(start.headers), _with_context(update.headers)
        return await super().start_update_with_start_workflow(input)


class _ActivityInbound(worker_api.ActivityInboundInterceptor):
    async def execute_activity(self, input: worker_api.ExecuteActivityInput) -> Any:
        info = activity.info()
        if not info.in_workflow:
            # Anyone with access to the server can start a standalone activity, with any input.
            raise ApplicationError("Activities run for workflows only.", type="NotInWorkflow", non_retryable=True)
        context = _context_of(input.headers)
        with _bound(workflow_id=info.workflow_id, activity=info.activity_type, **context):
            try:
                async with _beating(info.heartbeat_timeout):
                    return await super().execute_activity(input)
            except DomainError as error:
                raise application_error_from(error).with_traceback(error.__traceback__) from None


@asynccontextmanager
async def _beating(within: timedelta | None) -> AsyncIterator[None]:
    """Heartbeat four times per timeout during the block."""
    if not within:
        yield
        return

    async def beat() -> None:
        while True:
            activity.heartbeat()
            await asyncio.sleep(within.total_seconds() / 4)

    beats = asyncio.create_task(beat())
    try:
        yield
    finally:
        beats.cancel()


class _WorkflowInbound(worker_api.WorkflowInboundInterceptor):
    def init(self, outbound: worker_api.WorkflowOutboundInterceptor) -> None:
        super().init(_WorkflowOutbound(outbound))

    async def execute_workflow(self, input: worker_api.ExecuteWorkflowInput) -> Any:
        with _bound(**_context_of(input.headers)):
            return await super().execute_workflow(input)

    async def handle_signal(self, input: worker_api.HandleSignalInput) -> None:
        if len(input.args) > 1:
            # A signal takes one message. Calling its handler with more would fail the workflow task forever; without
            # any, the handler refuses the signal.
            input.args = []
        with _bound(**_context_of(input.headers)):
            try:
                await super().handle_signal(input)
            except Exception as error:
                refusal = domain_error_from(error)
                if refusal is None:
                    raise
                _log_refused_signal(input.signal, refusal)

    def handle_update_validator(self, input: worker_api.HandleUpdateInput) -> None:
        with _bound(**_context_of(input.headers)), _refusals_translated():
            if sum(len(to_json(arg)) for arg in input.args) > MAX_UPDATE_BYTES:
                raise Invalid(f"A command must not be longer than {MAX_UPDATE_BYTES} bytes.")
            super().handle_update_validator(input)

    async def handle_update_handler(self, input: worker_api.HandleUpdateInput) -> Any:
        with _bound(**_context_of(input.headers)), _refusals_translated():
            return await super().handle_update_handler(input)


class _WorkflowOutbound(worker_api.WorkflowOutboundInterceptor):
    def start_activity(self, input: worker_api.StartActivityInput) -> workflow.ActivityHandle[Any]:
        input.headers = _with_context(input.headers)
        return super().start_activity(input)

    def start_local_activity(self, input: worker_api.StartLocalActivityInput) -> workflow.ActivityHandle[Any]:
        input.headers = _with_context(input.headers)
        return super().start_local_activity(input)

    async def start_child_workflow(
        self, input: worker_api.StartChildWorkflowInput
    ) -> workflow.ChildWorkflowHandle[Any, Any]:
        input.headers = _with_context(input.headers)
        return await super().start_child_workflow(input)

    async def signal_child_workflow(self, input: worker_api.SignalChildWorkflowInput) -> None:
        input.headers = _with_context(input.headers)
        await super().signal_child_workflow(input)

    async def signal_external_workflow(self, input: worker_api.SignalExternalWorkflowInput) -> None:
        input.headers = _with_context(input.headers)
        await super().signal_external_workflow(input)

    def continue_as_new(self, input: worker_api.ContinueAsNewInput) -> NoReturn:
        input.headers = _with_context(input.headers)
        super().continue_as_new(input)


@contextmanager
def _refusals_translated() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        refusal = domain_error_from(error)
        if refusal is None:
            raise
        raise application_error_from(refusal).with_traceback(error.__traceback__) from None


def _log_refused_signal(signal: str, error: DomainError) -> None:
    workflow.logger.warning(
        "signal refused", extra={"signal": signal, "code": error.error_code, "detail": error.detail}
    )
