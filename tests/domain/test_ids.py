import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import ids


@given(st.integers(0, 2**48 - 2), st.binary(min_size=10, max_size=10), st.binary(min_size=10, max_size=10))
def test_ids_sort_by_the_time_they_were_made(unix_ms, first, second):
    earlier = ids.make_id("esc", unix_ms=unix_ms, entropy=first)
    later = ids.make_id("esc", unix_ms=unix_ms + 1, entropy=second)
    assert earlier < later
    assert ids.is_id(earlier, "esc")
    assert not ids.is_id(earlier, "ctr")


@pytest.mark.parametrize(
    "text", ["", "esc_", "esc_" + "u" * 26, "esc_" + "0" * 25, "esc_" + "0" * 27, "ESC_" + "0" * 26]
)
def test_what_is_no_id_is_recognised(text):
    assert not ids.is_id(text, "esc")


@given(st.text(max_size=3000), st.text(max_size=3000))
def test_pitfall_17_keys_stay_within_their_bound_and_apart(one, other):
    short = ids.bounded(one)
    assert len(short.encode()) <= ids.MAX_KEY_LENGTH
    assert (ids.bounded(other) == short) == (one == other)


def test_pitfall_17_the_longest_client_key_makes_a_bounded_command_and_transfer_key():
    command = ids.command_id("org_" + "z" * 26, "p" * 100, "k" * ids.MAX_CLIENT_KEY_LENGTH)
    key = ids.escrow_transfer_key("esc_" + "z" * 26, "partially_refunded", command)
    assert len(command) <= 64
    assert len(key.encode()) <= ids.MAX_KEY_LENGTH


def test_one_key_of_two_tenants_names_two_commands():
    assert ids.command_id("org_a", "p", "k") != ids.command_id("org_b", "p", "k")
    assert ids.command_id(None, "p", "k") != ids.command_id("platform2", "p", "k")


def test_one_key_of_two_principals_names_two_commands():
    assert ids.command_id("org_a", "procurement", "k") != ids.command_id("org_a", "finance", "k")
