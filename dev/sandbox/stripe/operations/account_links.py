"""Account links: a page, to be opened once within minutes, on which the person of a connected account onboards."""

from html import escape
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dev.sandbox.stripe import connect, pages
from dev.sandbox.stripe.core import Context, Refusal, operation, page
from dev.sandbox.stripe.errors import invalid

JSON = dict[str, Any]

LINK_SECONDS = 300


@operation("post", "/v1/account_links")
async def create(ctx: Context, params: JSON) -> JSON:
    """Make a link for one visit of the onboarding page."""
    if params["type"] != "account_onboarding":
        raise invalid("An Express account has links of type 'account_onboarding' only.", param="type")
    for name in ("refresh_url", "return_url"):
        if not params.get(name, "").startswith(("http://", "https://")):
            raise invalid(f"Invalid URL: {name} begins with http:// or https://.", param=name, code="url_invalid")
    account = connect.get(ctx, params["account"], status=400)
    token = ctx.new_id("link")
    link = {"account": account["id"], "expires_at": ctx.now() + LINK_SECONDS, "opened": False, "ended": False}
    ctx.store.keep(f"account_link/{token}", link | {name: params[name] for name in ("refresh_url", "return_url")})
    return {
        "object": "account_link",
        "created": ctx.now(),
        "expires_at": link["expires_at"],
        "url": f"{ctx.base_url}/connect/{account['id']}/{token}",
    }


@page("GET", "/connect/{account}/{token}")
async def show(request: Request) -> Response:
    """Ask for the little that the sandbox wants to know; a link that was opened before leads to a new one."""
    async with request.app.state.sandbox.transaction() as ctx:
        token, link = _link(ctx, request)
        if link is None:
            return pages.html_page("Not here", "<h1>There is no such link.</h1>", status=404)
        if link["opened"] or link["expires_at"] <= ctx.now():
            return RedirectResponse(link["refresh_url"], 303)
        ctx.store.keep(f"account_link/{token}", link | {"opened": True})
        return _form()


@page("POST", "/connect/{account}/{token}")
async def submit(request: Request) -> Response:
    """Onboard with the bank account that was typed and lead back, or show the form once more."""
    form = dict(parse_qsl((await request.body()).decode()))
    async with request.app.state.sandbox.transaction() as ctx:
        token, link = _link(ctx, request)
        if link is None or not link["opened"] or link["ended"]:
            return pages.html_page("Not here", "<h1>There is nothing to do here (any more).</h1>", status=404)
        try:
            connect.onboard(ctx, connect.get(ctx, link["account"]), form.get("number", ""))
        except Refusal as refusal:
            return _form(refusal.message)
        ctx.store.keep(f"account_link/{token}", link | {"ended": True})
        return RedirectResponse(link["return_url"], 303)


def _link(ctx: Context, request: Request) -> tuple[str, JSON | None]:
    token = request.path_params["token"]
    link = ctx.store.setting(f"account_link/{token}")
    return token, link if link and link["account"] == request.path_params["account"] else None


def _form(error: str = "") -> Response:
    listed = "".join(
        f"<li><span>{escape(number)}</span><span class=quiet>payouts {f'fail: {why}' if why else 'succeed'}</span></li>"
        for number, why in connect.BANK_ACCOUNTS.items()
    )
    return pages.html_page(
        "Get paid",
        "<h1>Where should your earnings go?</h1>"
        f"{f'<p class=error role=alert>{escape(error)}</p>' if error else ''}"
        "<form method='post'><label>Account number or IBAN"
        "<input name='number' required autocomplete='off' value='000123456789'></label><button>Done</button></form>"
        f"<details><summary class='quiet'>Test accounts</summary><ul>{listed}</ul></details>",
        status=402 if error else 200,
    )
