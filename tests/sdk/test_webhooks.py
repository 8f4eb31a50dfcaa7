"""Webhooks as the product signs and writes them, read by the client; and everything that is none."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from bursar import ConfigurationError, SignatureError, events, webhooks
from domain.messages.events.catalogue import CATALOGUE
from providers.notify.webhook import (
    OutgoingWebhook,
    SigningKeys,
    new_private_key,
    new_secret,
    public_key_of,
    signed_headers,
)
from tests.support.cases import for_each

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECRET, OLD = new_secret(), new_secret()


def document(kind: str = "escrow.released", **changes: Any) -> dict[str, Any]:
    data = CATALOGUE[kind].example if kind in CATALOGUE else {"new": "1"}
    return {
        "id": "evt_1",
        "type": kind,
        "organization_id": "org_1",
        "subject": "esc_1",
        "subject_seq": 3,
        "at": "2026-03-01T12:00:00Z",
        "timestamp": "2026-03-01T12:00:00Z",
        "data": data,
        **changes,
    }


def sent(what: Any, *keys: SigningKeys) -> tuple[bytes, dict[str, str]]:
    body = json.dumps(what).encode()
    webhook = OutgoingWebhook(
        message_id="evt_1", url="https://example.com", body=body, keys=keys or (SigningKeys(secret=SECRET),)
    )
    return body, {name.title(): value for name, value in signed_headers(webhook, NOW).items()}


def verify(body: bytes, heads: dict[str, str], *secrets: str, later: timedelta = timedelta()) -> webhooks.Event:
    return webhooks.verify(body, heads, secrets or SECRET, clock=(NOW + later).timestamp)


def test_event_has_its_type_and_exact_amounts() -> None:
    event = verify(*sent(document()))
    assert (event.id, event.type, event.subject_seq, event.at) == ("evt_1", "escrow.released", 3, NOW)
    assert isinstance(event.data, events.EscrowReleased)
    assert event.data.amount == Decimal("50.00")
    assert isinstance(event.data.amount, Decimal)


@for_each("kind", CATALOGUE)
def test_each_type_of_the_catalogue_is_read(kind: str) -> None:
    event = verify(*sent(document(kind)))
    assert type(event.data) is events.BY_TYPE[kind]
    assert event.data.model_extra == {}


def test_type_that_is_learnt_later_is_kept() -> None:
    event = verify(*sent(document("escrow.sung", more="kept")))
    assert isinstance(event.data, events.Unknown)
    assert (event.data.model_extra, event.model_extra["more"]) == ({"new": "1"}, "kept")  # type: ignore[index]


def test_event_of_before_a_field_was_added_is_no_forgery() -> None:
    data = dict(CATALOGUE["escrow.released"].example)
    del data["external_id"]
    event = verify(*sent(document(data=data)))
    assert isinstance(event.data, events.EscrowReleased)
    assert event.data.external_id is None
    del data["amount"]
    event = verify(*sent(document(data=data)))
    assert isinstance(event.data, events.EscrowReleased)
    assert not hasattr(event.data, "amount")
    data["signatures"] = "some"
    assert verify(*sent(document(data=data))).data.model_extra == data


def test_secret_is_replaced_without_a_gap() -> None:
    webhook = sent(document(), SigningKeys(secret=SECRET), SigningKeys(secret=OLD))
    for secrets in ((SECRET,), (OLD,), (new_secret(), OLD)):
        assert verify(*webhook, *secrets).id == "evt_1"


def test_public_key_verifies_without_a_secret() -> None:
    private = new_private_key()
    webhook = sent(document(), SigningKeys(secret=SECRET, private_key=private))
    assert verify(*webhook, public_key_of(private)).id == "evt_1"
    with pytest.raises(SignatureError):
        verify(*webhook, public_key_of(new_private_key()))


@for_each("forged", ["v1a,é", "v1a,\udce9", "v1a,A", "v1,é", "v1,\udce9"])
@for_each("key", [SECRET, public_key_of(new_private_key())])
def test_signature_of_other_letters_is_a_forgery_as_any_other(forged: str, key: str) -> None:
    body, heads = sent(document())
    with pytest.raises(SignatureError):
        verify(body, {**heads, "Webhook-Signature": forged}, key)


def test_what_is_not_signed_so_is_refused() -> None:
    body, heads = sent(document())
    changed = [
        (body + b" ", heads),
        (body, {**heads, "Webhook-Id": "evt_2"}),
        (body, {**heads, "Webhook-Timestamp": str(int(NOW.timestamp()) + 1)}),
        (body, {**heads, "Webhook-Timestamp": "soon"}),
        (body, {**heads, "Webhook-Signature": "v1,AAAA v1a,é"}),
        (body, {name: value for name, value in heads.items() if name != "Webhook-Signature"}),
        sent(document(), SigningKeys(secret=OLD)),
        sent(document(id="evt_2")),
        sent(["no event"]),
        sent(document(data=None)),
    ]
    for webhook in changed:
        with pytest.raises(SignatureError):
            verify(*webhook)


@pytest.mark.parametrize("later", [timedelta(seconds=301), timedelta(seconds=-301)])
def test_webhook_of_another_time_is_refused(later: timedelta) -> None:
    with pytest.raises(SignatureError, match="too old"):
        verify(*sent(document()), later=later)
    assert verify(*sent(document()), later=later / 301 * 299)


@pytest.mark.parametrize("secret", ["", "secret", "whsec_", "whsec_!!!", "whsec_YWJj", "whsec_é"])
def test_secret_that_is_none_is_refused(secret: str) -> None:
    with pytest.raises(ConfigurationError):
        verify(*sent(document()), secret)
    with pytest.raises(SignatureError):
        webhooks.verify(*sent(document()), [], clock=NOW.timestamp)
