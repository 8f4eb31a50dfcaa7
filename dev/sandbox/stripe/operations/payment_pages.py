"""Endpoints that Stripe's hosted pages and its CLI use to pay a checkout session; no other client should.

Not a part of the published API: the requests are those that `stripe trigger checkout.session.completed` sends.
"""

from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from dev.sandbox.stripe import cards, checkout
from dev.sandbox.stripe.core import Refusal, page
from dev.sandbox.stripe.keys import publishable
from dev.sandbox.stripe.operations import checkout_sessions

JSON = dict[str, Any]


@page("GET", "/v1/payment_pages/{session}")
async def show(request: Request) -> Response:
    """Answer the session."""
    publishable(request)
    async with request.app.state.sandbox.transaction() as ctx:
        return JSONResponse(checkout_sessions.get(ctx, request.path_params["session"]))


@page("POST", "/v1/payment_pages/{session}/confirm")
async def confirm(request: Request) -> Response:
    """Pay the session with `payment_method`."""
    publishable(request)
    form = dict(parse_qsl((await request.body()).decode()))
    async with request.app.state.sandbox.transaction() as ctx:
        session = checkout_sessions.get(ctx, request.path_params["session"])
        try:
            refusal = await checkout.pay(ctx, session, cards.resolve(ctx, form.get("payment_method", "")))
        except Refusal as raised:
            refusal = raised
        if refusal is not None:
            return JSONResponse(refusal.body(), refusal.status)
        return JSONResponse(checkout_sessions.get(ctx, session["id"]))
