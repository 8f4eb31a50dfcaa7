import asyncio
import contextlib
import os
import subprocess
import sys

import httpx2
import pytest

from dev.stack.migrate import ROOT
from providers.payments.stripe.client import HttpClient
from tests.sandbox.stripe.receiver import Receiver
from tests.sandbox.stripe.test_issuing import PATIENCE_MS, SECRET, AuthorizationReceiver
from tests.support.sandboxes import running_stripe, serving


@contextlib.asynccontextmanager
async def client_of(running):
    transport = HttpClient(80, None)
    yield running.client(http_client=transport)
    await transport.close_async()


async def control(running, path, **body):
    async with httpx2.AsyncClient(timeout=60) as http:
        return (await http.post(f"{running.url}/_control/{path}", json=body)).json()


@pytest.fixture
def data_dir(tmp_path):
    return tmp_path / "stripe"


async def test_what_was_answered_survives_a_kill(data_dir):
    options = {"idempotency_key": "k1"}
    with running_stripe(data_dir, "--check-answers") as running:
        async with client_of(running) as client:
            await client.v1.customers.create_async({"name": "A"}, options)
            made = [(await client.v1.customers.create_async({})).id for _ in range(20)]
            await control(running, "clock", advance=1000)
            before = await control(running, "state")
        running.kill()
    with running_stripe(data_dir, "--check-answers") as running:
        after = await control(running, "state")
        assert after["objects"] == before["objects"]
        assert after["now"] >= before["now"]
        async with client_of(running) as client:
            again = await client.v1.customers.create_async({"name": "A"}, options)
            listed = await client.v1.customers.list_async({"limit": 100})
    assert [each.id for each in listed.data] == [*made[::-1], again.id]


async def test_requests_repeated_after_a_kill_in_their_midst_take_effect_once(data_dir):
    names = [f"n{number}" for number in range(120)]
    answered: dict[str, str] = {}

    async def create(http, running, name):
        headers = {"Authorization": "Bearer sk_test_1234", "Idempotency-Key": name}
        answer = await http.post(f"{running.url}/v1/customers", data={"name": name}, headers=headers)
        assert answer.status_code == 200, answer.text
        assert answered.setdefault(name, answer.json()["id"]) == answer.json()["id"]

    async def create_until_killed(http, running, share):
        with contextlib.suppress(httpx2.TransportError):
            for name in share:
                await create(http, running, name)
                if len(answered) >= 40 and running.process.poll() is None:
                    running.kill()

    async with httpx2.AsyncClient(timeout=60) as http:
        with running_stripe(data_dir) as running:
            await asyncio.gather(*(create_until_killed(http, running, names[part::4]) for part in range(4)))
        assert 0 < len(answered) < len(names)
        with running_stripe(data_dir) as running:
            for name in names:
                await create(http, running, name)
            state = await control(running, "state")
    assert state["objects"] == {"customer": len(names), "event": len(names)}


async def test_webhook_that_was_not_taken_is_sent_after_a_kill(data_dir):
    receiver = Receiver()
    with serving(receiver.app) as url:
        arguments = ("--webhook", f"{url}/")
        receiver.secret = "whsec_start"
        with running_stripe(data_dir, *arguments, webhook_secret="whsec_start") as running:
            await control(running, "webhooks", pause=True)
            async with client_of(running) as client:
                made = await client.v1.customers.create_async({})
            running.kill()
        assert receiver.bodies == []
        with running_stripe(data_dir, *arguments, webhook_secret="whsec_start") as running:
            (event,) = await receiver.until(1)
            async with client_of(running) as client:
                assert len((await client.v1.webhook_endpoints.list_async()).data) == 1
    assert event.data.object["id"] == made.id


async def test_webhook_that_waits_follows_the_endpoint_to_a_new_address(data_dir):
    receiver = Receiver()
    with running_stripe(data_dir, "--webhook", "http://127.0.0.1:9/", webhook_secret="whsec_old") as running:
        await control(running, "webhooks", pause=True)
        async with client_of(running) as client:
            made = await client.v1.customers.create_async({})
    receiver.secret = "whsec_new"
    with (
        serving(receiver.app) as url,
        running_stripe(data_dir, "--webhook", f"{url}/", webhook_secret=receiver.secret) as running,
    ):
        (event,) = await receiver.until(1)
        async with client_of(running) as client:
            (endpoint,) = (await client.v1.webhook_endpoints.list_async()).data
    assert (event.data.object["id"], endpoint.url) == (made.id, f"{url}/")


async def test_endpoint_of_the_command_line_survives_a_reset(data_dir):
    with running_stripe(data_dir, "--webhook", "http://127.0.0.1:9/", "--rate-limit", "25/s") as running:
        await control(running, "reset")
        async with client_of(running) as client:
            (endpoint,) = (await client.v1.webhook_endpoints.list_async()).data
    assert (endpoint.url, endpoint.enabled_events) == ("http://127.0.0.1:9/", ["*"])


async def test_secret_without_an_endpoint_is_refused(data_dir):
    command = [sys.executable, "-m", "dev.sandbox.stripe", "--port", "1", "--data", str(data_dir)]
    environment = {**os.environ, "STRIPE_SANDBOX_WEBHOOK_SECRET": "x"}
    ended = await asyncio.to_thread(
        subprocess.run, command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert "--webhook" in ended.stderr


async def test_endpoint_of_the_command_line_is_asked_about_authorizations_after_a_reset_too(data_dir):
    asked = AuthorizationReceiver()
    with serving(asked.app) as url:
        arguments = ("--check-answers", "--webhook", f"{url}/", "--issuing-webhook", f"{url}/")
        with running_stripe(data_dir, *arguments, webhook_secret=SECRET) as running:
            await control(running, "reset")
            await control(running, "webhooks", pause=True)
            await control(running, "issuing/fund", amount=1000)
            await control(running, "issuing/asking", patience_ms=PATIENCE_MS)
            async with client_of(running) as client:
                address = {"line1": "1 Main St", "city": "Springfield", "postal_code": "62701", "country": "US"}
                holder = await client.v1.issuing.cardholders.create_async(
                    {"type": "company", "name": "Acme", "billing": {"address": address}}
                )
                card = await client.v1.issuing.cards.create_async(
                    {"type": "virtual", "cardholder": holder.id, "currency": "usd", "status": "active"}
                )
                made = await client.v1.test_helpers.issuing.authorizations.create_async({"card": card.id, "amount": 1})
    assert (made.approved, [each.type for each in asked.questions]) == (True, ["issuing_authorization.request"])
