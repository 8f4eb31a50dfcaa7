"""Access to secrets: verbs, outcomes and refusals. Pure."""

from enum import StrEnum

from domain.common import errors as refusals
from domain.common.access import OperatorIssued
from domain.common.errors import DomainError, NotFound


class AccessVerb(StrEnum):
    """Purpose of opening a secret."""

    #: Send a request with the value, which the caller does not see.
    USE = "use"
    #: Return the value to the caller.
    READ = "read"
    #: The platform's own verbs, without a grant: a rotation, and a check that the value opens.
    ROTATE = "rotate"
    CHECK = "check"


class AccessOutcome(StrEnum):
    """Outcome of a request to open a secret; each has an entry in the access log."""

    OPENED = "opened"
    NOT_FOUND = "not_found"
    NO_GRANT = "no_grant"
    NO_VERSION = "no_version"
    HOST = "host"
    METHOD = "method"
    PLACE = "place"
    HEADER = "header"
    USES = "uses"
    OPERATOR = "operator"


def refusal(outcome: AccessOutcome) -> DomainError:
    """Return the error for an outcome other than `opened`."""
    match outcome:
        case AccessOutcome.NOT_FOUND:
            return NotFound("There is no such secret.")
        case AccessOutcome.NO_VERSION:
            return refusals.SecretNoVersion("The secret has no such version that can be opened.")
        case AccessOutcome.HOST:
            return refusals.SecretHost("The host is not allowed by both the grant and the secret.")
        case AccessOutcome.METHOD:
            return refusals.SecretMethod("The grant does not allow this method.")
        case AccessOutcome.PLACE:
            return refusals.SecretPlace(
                "The grant does not allow the value in this part of the request. Its places list the allowed parts."
            )
        case AccessOutcome.HEADER:
            return refusals.SecretHeader(
                "The request has a header that the grant does not allow. Its headers list the allowed ones."
            )
        case AccessOutcome.USES:
            return refusals.SecretUsesExhausted(
                "The daily limit of uses of the grant is reached. Days are UTC; an owner or an admin can grant more."
            )
        case AccessOutcome.OPERATOR:
            return OperatorIssued.refusing("use or read secrets")
    return refusals.SecretNotGranted(
        "No active grant allows this for a secret at this path. An owner or an admin can grant it."
    )
