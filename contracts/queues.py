"""The task queues, and how activities are tried: what workflows pass with every call.

A refusal (`DomainError`) is never retried unless it says so itself; everything else is taken for an outage and retried
until it ends, because the caller's money is safe under its idempotency key and a run that gave up would need a person.
"""

from datetime import timedelta

from temporalio.common import RetryPolicy
from temporalio.workflow import ActivityConfig, LocalActivityConfig

#: The task queue of every workflow, and of every activity that does not wait for a receiver.
TASK_QUEUE = "bursar"

#: The task queue of activities that wait for receivers which tenants chose. Workers have slots of their own for it, so
#: that no receiver holds one of those that money needs: see docs/decisions/0166-deliveries-have-slots-of-their-own.md.
DELIVERY_QUEUE = "bursar-deliveries"

#: What a killed worker had in hand is given to another one after this. A local activity that takes longer lengthens it.
TASK_TIMEOUT = timedelta(seconds=5)

#: The longest summary that the Temporal UI is given, in bytes; the server refuses more than 400.
MAX_SUMMARY_BYTES = 200

#: Local activities: one short database transaction.
LOCAL_RETRY = RetryPolicy(
    initial_interval=timedelta(milliseconds=50),
    backoff_coefficient=2.0,
    # A run that waits for PostgreSQL writes some six events for each try: at one a minute the server's limit on a
    # history (51,200 events) lasts for days, at one every five seconds for hours.
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

#: What a quick look at a provider may take. Meanwhile it holds its workflow task and a place among the local
#: activities, which the books need too.
QUICK_TIMEOUT = timedelta(seconds=2)

#: Pauses above this leave the workflow task and wait on a timer, so that a database outage does not hold the task.
LOCAL_RETRY_THRESHOLD = timedelta(seconds=2)


def local_activity(summary: str, *, timeout: timedelta = timedelta(seconds=10)) -> LocalActivityConfig:
    """Return the options of a local activity: `execute_local_activity_method(Cls.verb, message, **options)`.

    Args:
        summary: what an operator reads beside the step; cut at `MAX_SUMMARY_BYTES`.
        timeout: the longest that one attempt may take.
    """
    return LocalActivityConfig(
        start_to_close_timeout=timeout,
        retry_policy=LOCAL_RETRY,
        local_retry_threshold=LOCAL_RETRY_THRESHOLD,
        summary=cut_summary(summary),
    )


def quick_activity(summary: str) -> LocalActivityConfig:
    """Return the options of a local activity that reads at a provider: tried once, for two seconds.

    Args:
        summary: what an operator reads beside the step; cut at `MAX_SUMMARY_BYTES`.
    """
    return LocalActivityConfig(
        start_to_close_timeout=QUICK_TIMEOUT,
        retry_policy=RetryPolicy(maximum_attempts=1),
        summary=cut_summary(summary),
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
        summary: what an operator reads beside the step; cut at `MAX_SUMMARY_BYTES`.
        timeout: the longest that one attempt may take.
        give_up_after: the longest that all attempts together may take; None retries for ever.
        heartbeat: an attempt that has not given a sign of life for so long is over.
        queue: the task queue; that of the workflow when left out.
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
