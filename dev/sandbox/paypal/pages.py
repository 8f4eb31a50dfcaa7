"""The payer's page: the order, two buttons, and the redirect to the shop."""

import html
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from dev.sandbox.paypal.errors import PayPalError
from dev.sandbox.paypal.orders import PAYER_ID, Orders
from dev.sandbox.paypal.store import Json, Store

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>PayPal sandbox</title>
<meta name="viewport" content="width=device-width"><style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 28rem; margin: 4rem auto; padding: 0 1rem }}
button {{ font: inherit; padding: .6rem 1.4rem; margin-right: .5rem }}
</style><h1>PayPal sandbox</h1>{content}</html>"""
_QUESTION = """<p>{what}</p><p><strong>{value} {currency}</strong></p>
<form method="post" action="/checkoutnow?token={token}">
<button name="answer" value="approve">Approve</button><button name="answer" value="cancel">Cancel</button></form>"""


def routes(store: Store, orders: Orders) -> list[Route]:
    """Return the routes of the approval page."""

    async def show(request: Request) -> Response:
        order = _order(orders, request)
        if order is None:
            return _page("<p>There is no such order.</p>", 404)
        if order["status"] not in ("CREATED", "PAYER_ACTION_REQUIRED"):
            return _page("<p>This order was answered already.</p>")
        unit = order["purchase_units"][0]
        fields = {
            "what": unit.get("description", "Payment"),
            "value": unit["amount"]["value"],
            "currency": unit["amount"]["currency_code"],
            "token": order["id"],
        }
        return _page(_QUESTION.format(**{name: html.escape(text) for name, text in fields.items()}))

    async def answer(request: Request) -> Response:
        order = _order(orders, request)
        if order is None:
            return _page("<p>There is no such order.</p>", 404)
        approved = b"answer=approve" in await request.body()
        back = {"token": order["id"]}
        if approved:
            try:
                with store.transaction():
                    orders.approve(order["id"])
            except PayPalError:
                return _page("<p>This order was answered already.</p>")
            back["PayerID"] = PAYER_ID
        url = order["_private"]["return_url" if approved else "cancel_url"]
        if url is None:
            return _page(f"<p>{'Approved' if approved else 'Cancelled'}. You can close this page.</p>")
        return RedirectResponse(f"{url}{'&' if '?' in url else '?'}{urlencode(back)}", status_code=303)

    return [Route("/checkoutnow", show, methods=["GET"]), Route("/checkoutnow", answer, methods=["POST"])]


def _order(orders: Orders, request: Request) -> Json | None:
    try:
        return orders.get(request.query_params.get("token", ""))
    except PayPalError:
        return None


def _page(content: str, status_code: int = 200) -> HTMLResponse:
    return HTMLResponse(_PAGE.format(content=content), status_code=status_code)
