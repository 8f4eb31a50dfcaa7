"""Access to secrets: what an opening answers. Pure."""

from enum import StrEnum

from domain.common import errors as refusals
from domain.common.access import OperatorIssued
from domain.common.errors import DomainError, NotFound


class AccessVerb(StrEnum):
    """What a secret is opened for."""

    #: A request is made with it; its caller does not see it.
    USE = "use"
    #: Its caller sees it.
    READ = "read"
    #: The platform's own: a rotation, and a check that it opens. They need no grant.
    ROTATE = "rotate"
    CHECK = "check"


class AccessOutcome(StrEnum):
    """What came of a request to open a secret; each has its entry in the access log."""

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
    """Return the refusal that an outcome other than `opened` is."""
    match outcome:
        case AccessOutcome.NOT_FOUND:
            return NotFound("There is no such secret.")
        case AccessOutcome.NO_VERSION:
            return refusals.SecretNoVersion("The secret has no such version that can be opened.")
        case AccessOutcome.HOST:
            return refusals.SecretHost("The host is not on the list of the grant and of the secret.")
        case AccessOutcome.METHOD:
            return refusals.SecretMethod("The method is not on the list of the grant.")
        case AccessOutcome.PLACE:
            return refusals.SecretPlace(
                "The grant does not let the value stand in this part of a request. Its places name the parts."
            )
        case AccessOutcome.HEADER:
            return refusals.SecretHeader(
                "The request has a header that neither every use may set nor the grant names in its headers."
            )
        case AccessOutcome.USES:
            return refusals.SecretUsesExhausted(
                "The grant has no use left today. Days are UTC; an owner or an admin can grant more."
            )
        case AccessOutcome.OPERATOR:
            return OperatorIssued.refusing("use or read secrets")
    return refusals.SecretNotGranted(
        "No grant in force lets you do this with a secret at this path. An owner or an admin can grant it."
    )
