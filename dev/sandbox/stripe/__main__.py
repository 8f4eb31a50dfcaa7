"""Runs the sandbox: `python -m dev.sandbox.stripe --port N --data DIR`."""

from __future__ import annotations

import argparse
import asyncio
import os
from pathlib import Path

import uvicorn

from dev.sandbox.stripe.app import build
from dev.sandbox.stripe.core import Sandbox
from dev.sandbox.stripe.issuing import set_endpoint, wait_for_answers
from dev.sandbox.stripe.operations.webhook_endpoints import named_at_start
from dev.sandbox.stripe.store import Store

#: The variable with what the endpoints' events are signed with; made up where it is not set.
WEBHOOK_SECRET = "STRIPE_SANDBOX_WEBHOOK_SECRET"


def main() -> None:
    """Serves until it is stopped."""
    parser = argparse.ArgumentParser(prog="python -m dev.sandbox.stripe", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True, help="where its state is kept")
    parser.add_argument("--webhook", metavar="URL", help="an endpoint that gets every event")
    parser.add_argument("--issuing-webhook", metavar="URL", help="the endpoint that is asked about authorizations")
    parser.add_argument("--issuing-patience", type=float, default=2, help="seconds that an answer is waited for; 2")
    parser.add_argument(
        "--rate-limit", metavar="N/s", type=rate, help="requests a second; 25/s as Stripe, default none"
    )
    parser.add_argument("--check-answers", action="store_true", help="500 when an own answer is none of Stripe's")
    options = parser.parse_args()
    # By the environment, because everybody on the machine reads command lines.
    webhook_secret = os.environ.get(WEBHOOK_SECRET)
    if webhook_secret and not options.webhook:
        parser.error(f"{WEBHOOK_SECRET} is the secret of a --webhook")
    if options.issuing_webhook and not webhook_secret:
        parser.error(f"An --issuing-webhook needs {WEBHOOK_SECRET}")
    sandbox = Sandbox(Store(options.data / "stripe.sqlite"), check_answers=options.check_answers)
    sandbox.base_url = f"http://127.0.0.1:{options.port}"
    app = build(sandbox, rate_limit=options.rate_limit)
    if options.webhook:
        sandbox.on_reset.append(lambda ctx: named_at_start(ctx, options.webhook, webhook_secret))
    sandbox.on_reset.append(lambda ctx: wait_for_answers(ctx, options.issuing_patience))
    if options.issuing_webhook:
        sandbox.on_reset.append(lambda ctx: set_endpoint(ctx, options.issuing_webhook, webhook_secret or ""))
    asyncio.run(prepare(sandbox))
    uvicorn.run(app, host="127.0.0.1", port=options.port, log_level="warning")


async def prepare(sandbox: Sandbox) -> None:
    """Makes what there is from the start."""
    async with sandbox.transaction() as ctx:
        for prepared in sandbox.on_reset:
            prepared(ctx)


def rate(text: str) -> int:
    """Returns the requests a second of a rate such as `25/s`."""
    return int(text.removesuffix("/s"))


if __name__ == "__main__":
    main()
