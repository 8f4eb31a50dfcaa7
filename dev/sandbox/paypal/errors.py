"""PayPal's error envelope."""

import secrets
from collections.abc import Mapping, Sequence

#: PayPal's name of each status, and a sentence of our own.
NAMES = {
    400: ("INVALID_REQUEST", "The request cannot be read, or is not as its schema has it."),
    401: ("AUTHENTICATION_FAILURE", "There is no token, or none that is valid."),
    404: ("RESOURCE_NOT_FOUND", "There is nothing with this id."),
    422: ("UNPROCESSABLE_ENTITY", "This cannot be done as things stand."),
    429: ("RATE_LIMIT_REACHED", "Too many requests."),
    500: ("INTERNAL_SERVER_ERROR", "Something went wrong here."),
    503: ("SERVICE_UNAVAILABLE", "Not available now."),
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
