"""Refusals as failures of activities. Needs the extra `temporal`.

Keys need nothing of this: inside an activity they are made of the activity. `Worker(...,
interceptors=[BursarInterceptor()])` has a refusal that cannot pass, such as not enough credits, end an activity
instead of being retried for ever.
"""

from typing import Any

from temporalio.exceptions import ApplicationError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from bursar._errors import APIError, BursarError, ConfigurationError, InFlight, RateLimited, ServerError


def passes(error: BursarError) -> bool:
    """Say whether the same call may succeed later without being changed."""
    if isinstance(error, APIError):
        return isinstance(error, InFlight | RateLimited | ServerError)
    return not isinstance(error, ConfigurationError)


class BursarInterceptor(Interceptor):
    """Raises what Bursar refuses as `ApplicationError` with the code as its type, retried only where that can help."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Wrap the activities of a worker."""
        return _Activities(next)


class _Activities(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        try:
            return await super().execute_activity(input)
        except BursarError as error:
            kind = error.code if isinstance(error, APIError) else type(error).__name__
            raise ApplicationError(str(error), type=kind, non_retryable=not passes(error)) from error
