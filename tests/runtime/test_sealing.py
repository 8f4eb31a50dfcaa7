"""Client secrets are stored sealed, and read whether they were or not."""

import json

import pytest
from pydantic import SecretStr

from runtime.codec import MalformedKeys
from runtime.sealing import Sealer
from tests.runtime.conftest import KEY_ONE, KEY_TWO

STATE = {"version": 2, "action": {"client_secret": "pi_1_secret_2", "redirect_url": None}, "parts": [{"n": 1}]}
ONE, TWO = Sealer(SecretStr(KEY_ONE)), Sealer(SecretStr(f"{KEY_TWO},{KEY_ONE}"))


def test_secret_is_sealed_wherever_it_stands_and_nothing_else_is() -> None:
    sealed = ONE.sealed({"list": [STATE], "client_secret": "seti_1"})
    assert "secret_2" not in str(sealed)
    assert "seti_1" not in str(sealed)
    assert sealed["list"][0]["parts"] == [{"n": 1}]
    assert ONE.opened(sealed) == ONE.loads(json.dumps(sealed)) == {"list": [STATE], "client_secret": "seti_1"}


def test_same_secret_is_never_sealed_into_the_same_text() -> None:
    assert ONE.seal("pi_1_secret_2") != ONE.seal("pi_1_secret_2")


def test_values_stored_before_there_were_keys_can_still_be_read() -> None:
    assert ONE.opened(Sealer().sealed(STATE)) == Sealer().sealed(STATE) == STATE


def test_keys_rotate() -> None:
    assert TWO.opened(ONE.sealed(STATE)) == STATE
    assert TWO.seal("x").startswith("sealed:k2:")


UNREADABLE = [TWO.seal("x"), ONE.seal("x")[:-6] + "AAAAA=", "sealed:k1:AAAA", "sealed:k1:!", "sealed:"]


@pytest.mark.parametrize("stored", UNREADABLE, ids=range(len(UNREADABLE)))
def test_secret_that_no_key_opens_is_null_and_stops_nothing_else(stored: str) -> None:
    document = json.dumps({"version": 2, "action": {"client_secret": stored}})
    assert ONE.loads(document) == {"version": 2, "action": {"client_secret": None}}


def test_keys_that_cannot_be_understood_are_refused() -> None:
    with pytest.raises(MalformedKeys):
        Sealer(SecretStr("k1:short"))
