"""PayPal's error envelope."""

import secrets
from collections.abc import Mapping, Sequence

#: Name and message of each status, as PayPal's published documents fix them.
NAMES = {
    400: ("INVALID_REQUEST", "Request is not well-formed, syntactically incorrect, or violates schema."),
    401: (
        "AUTHENTICATION_FAILURE",
        "Authentication failed due to missing authorization header, or invalid authentication credentials.",
    ),
    404: ("RESOURCE_NOT_FOUND", "The specified resource does not exist."),
    422: (
        "UNPROCESSABLE_ENTITY",
        "The requested action could not be performed, semantically incorrect, or failed business validation.",
    ),
    429: ("RATE_LIMIT_REACHED", "Too many requests."),
    500: ("INTERNAL_SERVER_ERROR", "An internal server error has occurred."),
    503: ("SERVICE_UNAVAILABLE", "Service Unavailable."),
}


class PayPalError(Exception):
    """An answer that is no success."""

    def __init__(
        self, status: int, issue: str | None = None, description: str = "", *, links: Sequence[Mapping[str, str]] = ()
    ) -> None:
        """Keep what goes into the envelope."""
        super().__init__(issue or str(status))
        self.status = status
        self.issue = issue
        self.description = description or (issue or "").replace("_", " ").capitalize() + "."
        self.links = list(links)

    def body(self) -> dict[str, object]:
        """Return the envelope."""
        name, message = NAMES[self.status]
        body: dict[str, object] = {"name": name, "message": message, "debug_id": secrets.token_hex(7)}
        if self.issue:
            body["details"] = [{"issue": self.issue, "description": self.description}]
        return body | {"links": self.links}
