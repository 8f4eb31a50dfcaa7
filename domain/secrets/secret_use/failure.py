"""Uses of secrets that end without an answer."""

from domain.common.errors import DomainError


class Unreachable(DomainError):
    """The host could not be connected to over a verified connection; nothing was sent."""

    code = "secret.unreachable"
    status = 502


class NoAnswer(DomainError):
    """The request was sent, and its answer did not come, is too long, or cannot be searched for the secret."""

    code = "secret.no_answer"
    status = 502
