"""The register of VAT numbers as one ASGI application, in the manner of the REST interface of VIES.

POST `/check-vat-number`: `{"countryCode", "vatNumber", "requesterMemberStateCode"?, "requesterNumber"?}`. Every number
    is valid but those that end in 0, as long as their member state answers. A request that names its requester gets a
    `requestIdentifier`; without one it is empty.

The control surface:

GET `/_control/health`: 200 when ready.
POST `/_control/faults`: `{"down": ["DE"]}`: these member states do not answer (`MS_UNAVAILABLE`) until the next call.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import count

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route


class Register:
    """The register: which member states are down, and how often it was asked."""

    def __init__(self, down: Iterable[str] = ()) -> None:
        """Begin with some member states down."""
        self.down = set(down)
        self._numbers = count(1)

    async def check(self, request: Request) -> Response:
        """Answer for one number."""
        asked = await request.json()
        country, number = asked.get("countryCode"), asked.get("vatNumber")
        if not isinstance(country, str) or not isinstance(number, str) or not number:
            return _failure("INVALID_INPUT")
        if country in self.down:
            return _failure("MS_UNAVAILABLE")
        named = asked.get("requesterMemberStateCode") and asked.get("requesterNumber")
        return JSONResponse(
            {
                "countryCode": country,
                "vatNumber": number,
                "requestDate": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                "valid": not number.endswith("0"),
                "requestIdentifier": f"WAPIAAAA{next(self._numbers):08}" if named else "",
                "name": "---",
                "address": "---",
            }
        )

    async def faults(self, request: Request) -> Response:
        """Say which member states are down."""
        self.down = set((await request.json()).get("down", ()))
        return JSONResponse({"down": sorted(self.down)})


def create_app(register: Register | None = None) -> Starlette:
    """Build the application."""
    kept = register or Register()

    async def health(_: Request) -> Response:
        return PlainTextResponse("ok")

    return Starlette(
        routes=[
            Route("/check-vat-number", kept.check, methods=["POST"]),
            Route("/_control/faults", kept.faults, methods=["POST"]),
            Route("/_control/health", health, methods=["GET"]),
        ]
    )


def _failure(code: str) -> Response:
    return JSONResponse({"actionSucceed": False, "errorWrappers": [{"error": code}]})
