"""Task queues, timeouts and retry policies of activities.

A refusal (`DomainError`) is never retried unless it is marked as retryable; any other error counts as an outage and is
retried until it ends. That is safe because of idempotency keys; a run that gave up would need an operator.
"""

from datetime import timedelta

from temporalio.common import RetryPolicy
from temporalio.workflow import ActivityConfig, LocalActivityConfig

#: The task queue of all workflows, and of all activities except those that wait for hosts that tenants chose.
TASK_QUEUE = "bursar"

#: The task queue of activities that wait for hosts that tenants chose: webhook receivers, and targets of rotations. It
#: has its own slots, so that slow hosts cannot take those that payments need: see
#: docs/reference/decisions/messages.md#0166-own.md.
DELIVERY_QUEUE = "bursar-deliveries"

#: Workflow task timeout, after which another worker gets the task of a killed worker. Longer local activities extend
#: it.
TASK_TIMEOUT = timedelta(seconds=5)

#: The longest summary in bytes; the server refuses more than 400.
MAX_SUMMARY_BYTES = 200

#: Local activities: one short database transaction.
LOCAL_RETRY = RetryPolicy(
    initial_interval=timedelta(milliseconds=50),
    backoff_coefficient=2.0,
    # A run that waits for PostgreSQL writes some six events for each attempt: with one attempt a minute the limit of a
    # history (51,200 events) lasts for days, with one every five seconds for hours.
    maximum_interval=timedelta(minutes=1),
    maximum_attempts=0,
)

#: Regular activities: calls to providers.
REGULAR_RETRY = RetryPolicy(
    initial_interval=timedelta(seconds=1),
    backoff_coefficient=2.0,
    maximum_interval=timedelta(minutes=1),
    maximum_attempts=0,
)

#: The time limit of a quick read at a provider. It holds its workflow task and a local activity slot, which writes to
#: the books need too.
QUICK_TIMEOUT = timedelta(seconds=2)

#: Longer pauses between attempts wait on a timer, so that a database outage does not hold the workflow task.
LOCAL_RETRY_THRESHOLD = timedelta(seconds=2)


def local_activity(summary: str, *, timeout: timedelta = timedelta(seconds=10)) -> LocalActivityConfig:
    """Return the options of a local activity: `execute_local_activity_method(Cls.verb, message, **options)`.

    Args:
        summary: shown in the Temporal UI; cut at `MAX_SUMMARY_BYTES`.
        timeout: the time limit of one attempt.
    """
    return LocalActivityConfig(
        start_to_close_timeout=timeout,
        retry_policy=LOCAL_RETRY,
        local_retry_threshold=LOCAL_RETRY_THRESHOLD,
        summary=cut_summary(summary),
    )


def quick_activity(summary: str) -> LocalActivityConfig:
    """Return the options of a local activity that reads at a provider: one attempt of two seconds.

    Args:
        summary: shown in the Temporal UI; cut at `MAX_SUMMARY_BYTES`.
    """
    return LocalActivityConfig(
        start_to_close_timeout=QUICK_TIMEOUT, retry_policy=RetryPolicy(maximum_attempts=1), summary=cut_summary(summary)
    )


def regular_activity(
    summary: str,
    *,
    timeout: timedelta = timedelta(seconds=30),
    give_up_after: timedelta | None = None,
    heartbeat: timedelta | None = None,
    queue: str | None = None,
) -> ActivityConfig:
    """Return the options of a regular activity: one call to a provider, or long work, retried until it ends.

    Args:
        summary: shown in the Temporal UI; cut at `MAX_SUMMARY_BYTES`.
        timeout: the time limit of one attempt.
        give_up_after: the time limit of all attempts together; None retries forever.
        heartbeat: the heartbeat timeout.
        queue: the task queue; the workflow's by default.
    """
    return ActivityConfig(
        task_queue=queue,
        start_to_close_timeout=timeout,
        schedule_to_close_timeout=give_up_after,
        heartbeat_timeout=heartbeat,
        retry_policy=REGULAR_RETRY,
        summary=cut_summary(summary),
    )


def cut_summary(text: str) -> str:
    """Cut a text to `MAX_SUMMARY_BYTES` without splitting a character."""
    raw = text.encode()
    if len(raw) <= MAX_SUMMARY_BYTES:
        return text
    return raw[: MAX_SUMMARY_BYTES - 3].decode(errors="ignore") + "…"


#: The deployment of all workers. Its versions are their build ids.
DEPLOYMENT = "bursar"
