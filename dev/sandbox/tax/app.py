"""A tax service as one ASGI application, which answers what `providers.tax.http` asks.

POST `/`: a question; every line is charged the rate of the country that is proven, or else of the seller's.
    Customers with a confirmed VAT number in another country than the seller owe the tax themselves. Where the service
    has a key, a request needs `Authorization: Bearer` and that key.

The control surface:

GET `/_control/health`: 200 when ready.
POST `/_control/rates`: `{"DE": "0.19"}`: what countries charge from now on; the others charge nothing.
POST `/_control/faults`: `{"mode": "down"}`: answers 503 until the next call; `hang` answers never, `refuse` 422, and
    `garbage` something that is no answer. `{"mode": null}` ends it.
GET `/_control/questions`: the last questions that were answered, oldest first.
"""

import asyncio
import hmac
from collections import deque
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

#: How many questions are kept.
KEPT = 1_000
RATES = {"DE": "0.19", "FR": "0.2", "AT": "0.2", "GB": "0.2", "AU": "0.1"}


class Service:
    """The service: what countries charge, and how it misbehaves."""

    def __init__(self, key: str | None = None) -> None:
        """Take the key that requests need; None for no key."""
        self.key, self.rates, self.mode = key, dict(RATES), ""
        self.questions: deque[dict[str, Any]] = deque(maxlen=KEPT)

    async def treat(self, request: Request) -> Response:
        """Answer one question."""
        given = request.headers.get("authorization", "")
        if self.key is not None and not hmac.compare_digest(given, f"Bearer {self.key}"):
            return JSONResponse({"detail": "The key is wrong."}, status_code=401)
        match self.mode:
            case "down":
                return JSONResponse({"detail": "down"}, status_code=503)
            case "hang":
                await asyncio.Event().wait()
            case "refuse":
                return JSONResponse({"detail": "This product is not known."}, status_code=422)
            case "garbage":
                return PlainTextResponse("<html>")
        asked = await request.json()
        self.questions.append(asked)
        customer, seller = asked["customer"], asked["seller_country"]
        known = [country for name in ("confirmed", "billing", "card") if (country := customer[f"{name}_country"])]
        proven = next((country for country in known if known.count(country) > 1), None)
        line = self._line(customer, seller, proven)
        return JSONResponse({"is_proven": proven is not None, "taxes": [line for _ in asked["lines"]]})

    def _line(self, customer: dict[str, Any], seller: str | None, proven: str | None) -> dict[str, str]:
        if customer["is_exempt"]:
            return {"code": "exempt", "category": "E", "rate": "0"}
        if proven is not None and proven != seller and customer["vat_country"] == proven:
            return {"code": "reverse-charge", "category": "AE", "rate": "0"}
        place = proven or seller or ""
        rate = self.rates.get(place)
        if rate is None:
            return {"code": "none", "category": "O", "rate": "0"}
        return {"code": f"vat-{place.lower()}", "category": "S", "rate": rate}

    async def set_rates(self, request: Request) -> Response:
        """Say what countries charge."""
        self.rates = dict(await request.json())
        return JSONResponse(self.rates)

    async def faults(self, request: Request) -> Response:
        """Say how the service misbehaves."""
        self.mode = (await request.json()).get("mode") or ""
        return JSONResponse({"mode": self.mode or None})

    async def list_questions(self, _: Request) -> Response:
        """List the questions that were answered."""
        return JSONResponse(list(self.questions))


def create_app(service: Service | None = None) -> Starlette:
    """Build the application."""
    kept = service or Service()

    async def health(_: Request) -> Response:
        return PlainTextResponse("ok")

    return Starlette(
        routes=[
            Route("/", kept.treat, methods=["POST"]),
            Route("/_control/rates", kept.set_rates, methods=["POST"]),
            Route("/_control/faults", kept.faults, methods=["POST"]),
            Route("/_control/questions", kept.list_questions, methods=["GET"]),
            Route("/_control/health", health, methods=["GET"]),
        ]
    )
