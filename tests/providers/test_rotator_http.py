"""The rotator by requests, against a server that has one key, or several."""

import json
import socket

import pytest

from composition import make_rotators
from domain.common.errors import Invalid, Unavailable
from domain.secrets.rotation import RotationFailed, RotatorName, TargetRefused
from providers.judged import Receivers
from providers.secrets.rotators.base import RotationJob
from providers.secrets.rotators.http import HttpRotator, body_of
from runtime.database import Database
from runtime.settings import Settings
from tests.support.receivers import answers, drops, receiving

CURRENT, URL = b"current-key", "postgresql://nobody@localhost/none"


class Keys:
    """A server on which the bearer of a key adds another one, checks it and deletes it."""

    def __init__(self):
        self.keys = {CURRENT.decode()}

    async def reply(self, request, writer):
        bearer = request.headers["authorization"].removeprefix("Bearer ")
        if bearer not in self.keys:
            return await answers(401)(request, writer)
        given = json.loads(request.body) if request.body else {}
        if request.line.startswith("PUT"):
            self.keys.add(given["key"])
        elif request.line.startswith("DELETE"):
            if given["key"] not in self.keys:
                return await answers(404)(request, writer)
            self.keys.remove(given["key"])
        return await answers(204)(request, writer)


def job(url, *, kind="api_key", hosts=None, **steps):
    async def read(path, to):
        raise AssertionError((path, to))

    of_new, of_current = {"Authorization": "Bearer {{new}}"}, {"authorization": "Bearer {{current}}"}
    target = {
        "apply": {"method": "PUT", "url": f"{url}/{{{{version}}}}", "headers": of_current, "body": {"key": "{{new}}"}},
        "test": {"method": "GET", "url": url, "headers": of_new},
        "put_back": {"method": "DELETE", "url": url, "headers": of_current, "body": {"key": "{{new}}"}},
        "revoke": {"method": "DELETE", "url": url, "headers": of_new, "body": {"key": "{{current}}"}},
    }
    hosts = (url.split("/")[2],) if hosts is None else hosts
    names = {"org_id": "org_1", "secret_id": "sec_1", "path": "api_keys/other", "kind": kind}
    return RotationJob(**names, hosts=hosts, number=7, target=target | steps, read=read)


def rotator():
    return HttpRotator(lambda _: Receivers(local=True), local=True)


async def test_a_value_is_set_tested_and_revoked_by_the_described_requests():
    server, one = Keys(), rotator()
    async with receiving(server.reply) as receiver:
        at = job(receiver.url)
        new = await one.make(at, CURRENT)
        with pytest.raises(RotationFailed, match=r"test: 127\.0\.0\.1:\d+ answered 401"):
            await one.test(at, new)
        for _ in range(2):  # an attempt whose answer was lost is repeated
            await one.apply(at, CURRENT, new)
        assert receiver.received[-1].line == "PUT /in/7 HTTP/1.1"
        await one.test(at, new)
        assert server.keys == {CURRENT.decode(), new.decode()}
        for _ in range(2):
            await one.revoke(at, new, CURRENT)
        assert server.keys == {new.decode()}


@pytest.mark.parametrize("status", [404, 410])
async def test_a_404_counts_as_revoked_only_where_the_old_value_is_refused_and_the_current_one_works(status):
    server, one = Keys(), rotator()

    async def reply(request, writer):
        moved = request.line.startswith("DELETE")
        await (answers(status) if moved else server.reply)(request, writer)

    async with receiving(reply) as receiver:
        at = job(receiver.url)
        new = await one.make(at, CURRENT)
        await one.apply(at, CURRENT, new)
        with pytest.raises(RotationFailed, match=f"answered {status}, and the value still works"):
            await one.revoke(at, new, CURRENT)
        server.keys = set()  # a server that knows no key at all says nothing about one
        with pytest.raises(RotationFailed, match=r"test: .* answered 401"):
            await one.revoke(at, new, CURRENT)
        server.keys = {new.decode()}
        await one.revoke(at, new, CURRENT)


@pytest.mark.parametrize("status", [404, 410])
async def test_a_404_counts_as_restored_only_if_the_current_value_works(status):
    server, one = Keys(), rotator()

    async def reply(request, writer):
        moved = request.line.startswith("DELETE")
        await (answers(status) if moved else server.reply)(request, writer)

    async with receiving(reply) as receiver:
        at = job(receiver.url)
        await one.put_back(at, CURRENT, b"new-key")
        server.keys = {"new-key"}
        with pytest.raises(RotationFailed, match=f"put_back: .* answered {status}"):
            await one.put_back(at, CURRENT, b"new-key")


async def test_a_restored_target_works_with_the_current_value_again():
    server, one = Keys(), rotator()
    async with receiving(server.reply) as receiver:
        at = job(receiver.url)
        new = await one.make(at, CURRENT)
        await one.apply(at, CURRENT, new)
        for _ in range(2):
            await one.put_back(at, CURRENT, new)
        assert server.keys == {CURRENT.decode()}


async def test_without_a_way_back_the_current_value_has_to_work_before_the_new_one_is_given_up():
    server, one = Keys(), rotator()
    async with receiving(server.reply) as receiver:
        at = job(receiver.url, put_back=None)
        new = await one.make(at, CURRENT)
        await one.apply(at, CURRENT, new)
        await one.put_back(at, CURRENT, new)
        assert server.keys == {CURRENT.decode(), new.decode()}
        server.keys = {new.decode()}
        with pytest.raises(RotationFailed, match=r"test: 127\.0\.0\.1:\d+ answered 401"):
            await one.put_back(at, CURRENT, new)


@pytest.mark.parametrize(
    ("reply", "error"),
    [(answers(302, location="/other"), TargetRefused), (answers(403), TargetRefused), (answers(500), Unavailable),
     (answers(429), Unavailable), (drops, Unavailable)],
)  # fmt: skip
async def test_refusals_are_asked_again_as_outages_are_and_no_message_has_a_value(reply, error):
    async with receiving(reply) as receiver:
        at, one = job(receiver.url), rotator()
        new = await one.make(at, CURRENT)
        with pytest.raises(error) as caught:
            await one.apply(at, CURRENT, new)
        assert new.decode() not in str(caught.value)


async def test_a_step_that_was_taken_before_is_seen_by_its_effect_where_the_target_has_one_value():
    server, one = Keys(), rotator()
    async with receiving(server.reply) as receiver:
        at = job(
            receiver.url,
            put_back={"method": "GET", "url": receiver.url, "headers": {"authorization": "Bearer {{new}}"}},
        )
        new = await one.make(at, CURRENT)
        server.keys = {new.decode()}
        await one.apply(at, CURRENT, new)
        server.keys = {CURRENT.decode()}
        await one.put_back(at, CURRENT, new)
        server.keys = set()
        for step in (one.apply, one.put_back):
            with pytest.raises(RotationFailed, match="answered 401"):
                await step(at, CURRENT, new)


async def test_only_hosts_of_the_secret_get_a_value():
    async with receiving(answers(204)) as receiver:
        at, one = job(receiver.url, hosts=("127.0.0.1:1",)), rotator()
        with pytest.raises(RotationFailed, match=r"not one of the secret's hosts\. Add it to hosts") as refused:
            await one.apply(at, CURRENT, await one.make(at, CURRENT))
        assert not isinstance(refused.value, TargetRefused)
        assert receiver.received == []


@pytest.mark.parametrize("address", ["10.0.0.1", "169.254.169.254", "::1"])
async def test_a_host_inside_the_network_is_refused_unless_an_operator_lists_it(address):
    async def resolve(_host, _port):
        return [address]

    at = job("https://inside.example.com/in")
    with pytest.raises(RotationFailed, match="does not lead to the public internet"):
        await HttpRotator(lambda _: Receivers(resolver=resolve)).test(at, CURRENT)


@pytest.mark.parametrize(
    ("listed", "reached"),
    [("org_1/127.0.0.1:{port}", True), ("org_2/127.0.0.1:{port}", False), ("org_1/127.0.0.1:1", False)],
)
async def test_a_listed_host_is_reached_by_its_organization_at_its_port_alone(listed, reached):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        settings = Settings(database_url=URL, platform_database_url=URL, rotation_hosts=listed.format(port=port))
        one = make_rotators(settings, Database(URL, URL))[RotatorName.HTTP]
        error, why = (Unavailable, "unreachable") if reached else (RotationFailed, "public internet")
        with pytest.raises(error, match=why):
            await one.test(job(f"https://127.0.0.1:{port}/in"), CURRENT)


async def test_a_value_that_would_end_a_header_is_refused_and_not_sent():
    async with receiving(answers(204)) as receiver:
        with pytest.raises(Invalid, match="printable ASCII") as caught:
            await rotator().test(job(receiver.url), b"forged\r\nhost: other")
        assert "forged" not in str(caught.value)
        assert receiver.received == []


async def test_the_password_of_a_login_is_replaced():
    at = job("http://127.0.0.1/in", kind="login")
    made = json.loads(await rotator().make(at, b'{"username": "ada", "password": "first"}'))
    assert made["username"] == "ada"
    assert made["password"] != "first"
    with pytest.raises(RotationFailed, match="is no login"):
        await rotator().make(at, b"first")


def test_placeholders_are_filled_in_texts_of_the_body_once():
    texts = {"new": '{{current}}"', "current": "old", "version": "3"}
    body = {"a": ["{{new}}", 5, None], "b": {"c": "{{ new }} {{version}} {{other}} {{"}}
    assert json.loads(body_of(body, texts)) == {
        "a": ['{{current}}"', 5, None],
        "b": {"c": "{{ new }} 3 {{other}} {{"},
    }
    assert body_of("key={{new}}", texts) == 'key={{current}}"'
