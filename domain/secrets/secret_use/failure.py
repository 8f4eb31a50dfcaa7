"""Errors of uses of secrets without a response."""

from domain.common.errors import DomainError


class Unreachable(DomainError):
    """No verified connection to the host was possible; nothing was sent."""

    code = "secret.unreachable"
    status = 502


class NoAnswer(DomainError):
    """The request was sent, but the response is missing, too long, or cannot be searched for the secret."""

    code = "secret.no_answer"
    status = 502
