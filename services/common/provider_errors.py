"""Translation of providers' errors to refusals of the API."""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from domain.common.errors import ProviderNotAvailable, RefusedByProvider
from providers.payments.base import CredentialsRefused, OutcomeUnknown, ProviderRefused, ProviderUnavailable

log = structlog.get_logger("bursar.api")


@contextmanager
def provider_errors() -> Iterator[None]:
    """Translate errors of a provider's adapter to refusals."""
    try:
        yield
    except CredentialsRefused as error:
        log.error("provider.key_refused", error=error.detail)
        raise ProviderNotAvailable(
            "The payment provider is not available: its credentials must be corrected by an operator."
        ) from error
    except (ProviderUnavailable, OutcomeUnknown) as error:
        raise ProviderNotAvailable(
            "The payment provider did not answer. Repeat the request with the same Idempotency-Key.",
            extra={"reason": error.code},
        ) from error
    except ProviderRefused as error:
        raise RefusedByProvider(error.detail, extra={"reason": error.code}) from error
