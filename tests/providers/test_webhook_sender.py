"""Webhooks are sent signed, to receivers that do their worst, and never inside."""

import asyncio
import base64
import json
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from domain.common.errors import Unavailable
from domain.messages.webhook.address import UrlRefused
from domain.messages.webhook.delivery import ReceiverResponse, ResponseClass, classify_response
from providers.judged import Names, Receivers
from providers.notify.webhook import (
    KEPT_BYTES,
    READ_BYTES,
    HttpWebhookSender,
    MissingSigningKey,
    OutgoingWebhook,
    SigningKeys,
    new_private_key,
    new_secret,
    public_key_of,
    signed_headers,
)
from tests.support.looking import again
from tests.support.receivers import (
    NAME,
    PUBLIC,
    Detour,
    Receiver,
    Reply,
    answers,
    babbles,
    drips,
    drops,
    floods,
    hangs,
    names,
    receiving,
    serving,
)

BODY = json.dumps({"type": "escrow.released", "data": {"amount": "9.50", "name": "Zoë"}}, ensure_ascii=False).encode()
KEYS = SigningKeys(secret=new_secret())


def outgoing(url: str, *keys: SigningKeys) -> OutgoingWebhook:
    return OutgoingWebhook(url=url, message_id="evt_1", body=BODY, keys=keys or (KEYS,))


@asynccontextmanager
async def sending(receivers: Receivers, **options: Any) -> AsyncIterator[HttpWebhookSender]:
    sender = HttpWebhookSender(receivers, **options)
    try:
        yield sender
    finally:
        await sender.aclose()


async def sent_to(reply: Reply, *, seconds: float = 60) -> ReceiverResponse:
    async with receiving(reply) as receiver, sending(Receivers(local=True), timeout=timedelta(seconds=seconds)) as http:
        return await http.send(outgoing(receiver.url), now=datetime.now(UTC))


# Signatures -----------------------------------------------------------------------------------------------------------

VERIFY = """
import base64, json, sys
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook, WebhookVerificationError
given = json.load(sys.stdin)
body, heads = given["body"], given["headers"]
for secret in given["secrets"]:
    try:
        print("verified", Webhook(secret).verify(body, heads)["type"])
    except WebhookVerificationError as error:
        print("refused", error)
for key in given["public_keys"]:
    signed = f"{heads['webhook-id']}.{heads['webhook-timestamp']}.{body}".encode()
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key.removeprefix("whpk_")))
    for each in heads["webhook-signature"].split(" "):
        if each.startswith("v1a,"):
            public.verify(base64.b64decode(each[4:]), signed)
            print("verified", key)
"""


def verified(heads: dict[str, str], body: bytes, secrets: list[str], public_keys: list[str]) -> list[str]:
    given = {"headers": heads, "body": body.decode(), "secrets": secrets, "public_keys": public_keys}
    done = subprocess.run(
        [sys.executable, "-c", VERIFY], input=json.dumps(given), capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


async def test_the_reference_package_verifies_in_another_process_what_was_received():
    private, old = new_private_key(), SigningKeys(secret=new_secret())
    keys = SigningKeys(secret=new_secret(), private_key=private)
    async with receiving() as receiver, sending(Receivers(local=True)) as http:
        answer = await http.send(outgoing(receiver.url, keys, old), now=datetime.now(UTC))
        assert answer == ReceiverResponse(status_code=204)
        [request] = receiver.received
    assert (request.line, request.body) == ("POST /in HTTP/1.1", BODY)
    assert request.headers["content-type"] == "application/json"
    assert request.headers["host"] == f"127.0.0.1:{receiver.port}"
    public = public_key_of(private)
    stranger = new_secret()
    assert verified(request.headers, request.body, [keys.secret, old.secret, stranger], [public]) == [
        "verified escrow.released",
        "verified escrow.released",
        "refused No matching signature found",
        f"verified {public}",
    ]
    forged = request.body.replace(b"9.50", b"9.99")
    assert verified(request.headers, forged, [keys.secret], []) == ["refused No matching signature found"]


def test_a_secret_is_32_bytes_and_no_two_are_alike():
    made = {new_secret() for _ in range(50)}
    assert len(made) == 50
    assert {len(base64.b64decode(each.removeprefix("whsec_"))) for each in made} == {32}


async def test_pitfall_25_a_webhook_without_a_secret_is_not_sent():
    unsigned = OutgoingWebhook(url="http://127.0.0.1:1/", message_id="evt_1", body=b"{}", keys=())
    with pytest.raises(MissingSigningKey):
        signed_headers(unsigned, datetime.now(UTC))
    async with receiving() as receiver, sending(Receivers(local=True)) as http:
        with pytest.raises(MissingSigningKey):
            await http.send(
                OutgoingWebhook(url=receiver.url, message_id="e", body=b"{}", keys=()), now=datetime.now(UTC)
            )
        assert receiver.connections == 0


# What receivers do ----------------------------------------------------------------------------------------------------


async def test_an_answer_is_returned_with_its_beginning_as_text_that_can_be_stored():
    body = b"a\x00b\xff" + "ü".encode() * 2_000
    answer = await sent_to(answers(500, body))
    assert answer.status_code == 500
    assert answer.body.startswith("a\ufffdb\ufffdü")
    assert len(answer.body.encode()) <= KEPT_BYTES + 10
    assert "4242" not in (await sent_to(answers(500, b"No customer 4242 4242 4242 4242"))).body


async def test_retry_after_is_returned_as_it_stands():
    answer = await sent_to(answers(429, Retry_After="120"))
    assert (answer.status_code, answer.retry_after) == (429, "120")


async def test_a_redirect_is_not_followed():
    async with receiving() as inside:
        answer = await sent_to(answers(301, location=inside.url))
        assert (answer.status_code, inside.connections) == (301, 0)


@pytest.mark.parametrize("reply", [hangs, drips])
async def test_a_receiver_that_takes_its_time_ends_with_the_time_of_the_request(reply: Reply):
    assert await sent_to(reply, seconds=0.3) == ReceiverResponse(error="webhook.timeout")


@pytest.mark.parametrize("reply", [drops, babbles])
async def test_a_receiver_that_breaks_off_or_speaks_no_http_was_not_reached(reply: Reply):
    assert (await sent_to(reply)).error == "webhook.unreachable"


async def test_of_an_answer_of_a_gigabyte_64_kilobytes_are_read():
    Receiver.flooded = 0
    answer = await sent_to(floods)
    assert (answer.status_code, len(answer.body)) == (200, KEPT_BYTES)
    # What the kernel took for the two sockets meanwhile was sent as well, and is a few megabytes.
    assert READ_BYTES <= Receiver.flooded < 50_000_000


async def test_an_address_keeps_its_connection_and_shares_it_with_no_other_address():
    async with receiving() as receiver, sending(Receivers(local=True)) as http:
        for path in ("a", "a", "b", "a", "b"):
            answer = await http.send(outgoing(f"http://127.0.0.1:{receiver.port}/{path}"), now=datetime.now(UTC))
            assert answer.status_code == 204
        assert receiver.connections == 2


async def test_nobody_listens():
    async with receiving() as receiver:
        pass
    async with sending(Receivers(local=True)) as http:
        assert (await http.send(outgoing(receiver.url), now=datetime.now(UTC))).error == "webhook.unreachable"


async def test_a_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch):
    async with receiving() as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        assert (await sent_to(answers(204))).status_code == 204
        assert proxy.connections == 0


# Where to -------------------------------------------------------------------------------------------------------------


async def test_a_name_is_resolved_once_and_its_address_is_connected_to_with_the_name_in_tls(
    certified: tuple[Path, ssl.SSLContext],
):
    rebound = Receivers(resolver=names([PUBLIC], ["127.0.0.1"]))
    async with receiving(tls=serving(certified)) as receiver:
        detour = Detour(receiver.port)
        async with sending(rebound, roots=certified[1], dial=detour) as http:
            answer = await http.send(outgoing(f"https://{NAME}/in;a?b=c"), now=datetime.now(UTC))
    assert (answer, detour.dialed, receiver.names) == (ReceiverResponse(status_code=204), [PUBLIC], [NAME])
    assert receiver.received[0].line == "POST /in;a?b=c HTTP/1.1"
    assert receiver.received[0].headers["host"] == NAME


async def test_a_certificate_of_another_name_is_not_accepted(certified: tuple[Path, ssl.SSLContext]):
    async with receiving(tls=serving(certified)) as receiver:
        detour = Detour(receiver.port)
        async with sending(Receivers(resolver=names([PUBLIC])), roots=certified[1], dial=detour) as http:
            answer = await http.send(outgoing("https://other.example.com/"), now=datetime.now(UTC))
    assert (answer.error, receiver.received) == ("webhook.unreachable", [])


@pytest.mark.parametrize("inside", ["127.0.0.1", "169.254.169.254", "10.0.0.7", "::1", "::ffff:169.254.169.254"])
async def test_pitfall_46_a_name_that_is_rebound_after_it_was_checked_does_not_reach_inside(inside: str):
    rebound = Receivers(resolver=names([PUBLIC], [inside]))
    await rebound.check(f"https://{NAME}/")
    async with receiving() as receiver:
        detour = Detour(receiver.port)
        async with sending(rebound, dial=detour) as http:
            answer = await http.send(outgoing(f"https://{NAME}/"), now=datetime.now(UTC))
    assert (answer.error, detour.dialed, receiver.connections) == ("webhook.url_refused", [], 0)


async def test_a_name_whose_servers_do_not_answer_has_one_thread_and_keeps_no_other_name_waiting():
    answered, asked = Event(), []

    def look_up(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        if host == "slow.example.com":
            answered.wait()
        return [PUBLIC]

    resolve = Names(look_up, threads=2)
    waiting = [asyncio.create_task(resolve("slow.example.com", 443)) for _ in range(8)]
    try:
        while not asked:
            await again()
        # Who gives up takes the answer from nobody.
        waiting.pop().cancel()
        assert await resolve(NAME, 443) == [PUBLIC]
        assert not any(each.done() for each in waiting)
    finally:
        answered.set()
    assert await asyncio.gather(*waiting) == [[PUBLIC]] * 7
    assert asked == ["slow.example.com", NAME]
    assert await resolve("slow.example.com", 443) == [PUBLIC]
    assert asked == ["slow.example.com", NAME, "slow.example.com"]


@pytest.mark.parametrize(
    ("url", "addresses"),
    [
        ("https://hooks.example.com/", ["127.0.0.1"]),
        ("https://hooks.example.com/", [PUBLIC, "10.0.0.1"]),
        ("https://hooks.example.com/", []),
        ("https://hooks.example.com:22/", [PUBLIC]),
        ("http://hooks.example.com:9000/", ["127.0.0.1"]),
    ],
)
async def test_an_address_is_refused_at_the_door(url: str, addresses: list[str]):
    with pytest.raises(UrlRefused):
        await Receivers(resolver=names(addresses)).check(url)


@pytest.mark.parametrize(
    ("errno", "raised"),
    [
        (socket.EAI_AGAIN, Unavailable),
        (socket.EAI_SYSTEM, Unavailable),
        (socket.EAI_NONAME, UrlRefused),
        (socket.EAI_FAIL, UrlRefused),
    ],
)
async def test_a_resolver_that_fails_for_now_refuses_no_address(
    errno: int, raised: type[Exception], monkeypatch: pytest.MonkeyPatch
):
    def fails(*_: object, **__: object) -> object:
        raise socket.gaierror(errno, "failed")

    monkeypatch.setattr(socket, "getaddrinfo", fails)
    with pytest.raises(raised):
        await Receivers().check("https://hooks.example.com/")


async def test_a_webhook_whose_name_cannot_be_resolved_for_now_is_tried_again():
    async def fails(_host: str, _port: int) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    async with sending(Receivers(resolver=fails)) as http:
        answer = await http.send(outgoing(f"https://{NAME}/"), now=datetime.now(UTC))
    assert (answer.error, classify_response(answer)) == ("webhook.unreachable", ResponseClass.FAILED)


@pytest.mark.parametrize("url", ["https://2130706433/", "https://0x7f.1/", "https://127.1/", "https://[::1]/"])
async def test_another_way_to_write_a_number_is_judged_by_what_the_system_makes_of_it(url: str):
    with pytest.raises(UrlRefused):
        await Receivers().check(url)


async def test_plain_http_is_for_this_machine_alone():
    local = Receivers(local=True, resolver=names([PUBLIC]))
    with pytest.raises(UrlRefused):
        await local.check("http://hooks.example.com:9000/")
    async with sending(local) as http:
        answer = await http.send(outgoing("http://hooks.example.com:9000/"), now=datetime.now(UTC))
    assert answer.error == "webhook.url_refused"
