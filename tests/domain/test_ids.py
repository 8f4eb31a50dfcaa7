from uuid import RFC_4122, UUID

import pytest
from hypothesis import given, strategies as st

from domain.common import ids
from tests.support.cases import for_each


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
def test_invalid_ids_are_recognised(text):
    assert not ids.is_id(text, "esc")


#: The examples of TypeID's specification, version 0.3: https://github.com/jetify-com/typeid, spec/valid.yml and
#: spec/invalid.yml. Our ids always have a prefix; examples without one get it from the test.
TYPE_IDS = [
    ("", "00000000000000000000000000", "00000000-0000-0000-0000-000000000000"),
    ("", "00000000000000000000000001", "00000000-0000-0000-0000-000000000001"),
    ("", "0000000000000000000000000a", "00000000-0000-0000-0000-00000000000a"),
    ("", "0000000000000000000000000g", "00000000-0000-0000-0000-000000000010"),
    ("", "00000000000000000000000010", "00000000-0000-0000-0000-000000000020"),
    ("", "7zzzzzzzzzzzzzzzzzzzzzzzzz", "ffffffff-ffff-ffff-ffff-ffffffffffff"),
    ("prefix", "0123456789abcdefghjkmnpqrs", "0110c853-1d09-52d8-d73e-1194e95b5f19"),
    ("prefix", "01h455vb4pex5vsknk084sn02q", "01890a5d-ac96-774b-bcce-b302099a8057"),
    ("pre_fix", "00000000000000000000000000", "00000000-0000-0000-0000-000000000000"),
]
NO_TYPE_IDS = {
    "capitals in the prefix": "PREFIX_00000000000000000000000000",
    "digits in the prefix": "12345_00000000000000000000000000",
    "a full stop in the prefix": "pre.fix_00000000000000000000000000",
    "a prefix beyond ASCII": "préfix_00000000000000000000000000",
    "spaces before the prefix": "  prefix_00000000000000000000000000",
    "a prefix of 64": "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl_00000000000000000000000000",
    "a separator and no prefix": "_00000000000000000000000000",
    "a separator alone": "_",
    "25 digits": "prefix_1234567890123456789012345",
    "27 digits": "prefix_123456789012345678901234567",
    "a space among the digits": "prefix_1234567890123456789012345 ",
    "capitals among the digits": "prefix_0123456789ABCDEFGHJKMNPQRS",
    "hyphens among the digits": "prefix_123456789-123456789-123456",
    "letters that are no digits": "prefix_ooooooiiiiiiuuuuuuulllllll",
    "letters that Crockford reads as digits": "prefix_i23456789ol23456789oi23456",
    "hyphens as Crockford allows them": "prefix_123456789-0123456789-0123456",
    "129 bits": "prefix_8zzzzzzzzzzzzzzzzzzzzzzzzz",
    "an underscore before the prefix": "_prefix_00000000000000000000000000",
    "an underscore behind the prefix": "prefix__00000000000000000000000000",
    "nothing": "",
    "no digits": "prefix_",
}


@for_each("prefix, suffix, value", TYPE_IDS)
def test_ids_are_type_ids(prefix, suffix, value):
    prefix = prefix or "prefix"
    text = f"{prefix}_{suffix}"
    assert ids.is_id(text, prefix)
    assert ids.uuid_of(text) == UUID(value)
    assert ids.uuid_id(prefix, UUID(value)) == text
    assert not ids.is_id(suffix, "")


@for_each("text", NO_TYPE_IDS.values())
def test_ids_that_are_no_type_ids_are_invalid(text):
    assert not ids.is_id(text, text.rpartition("_")[0])


@given(st.integers(0, 2**48 - 1), st.binary(min_size=10, max_size=10))
def test_a_new_id_is_a_uuid_of_version_7_and_comes_back_from_its_text(unix_ms, entropy):
    text = ids.make_id("esc", unix_ms=unix_ms, entropy=entropy)
    value = ids.uuid_of(text)
    assert (value.version, value.variant, value.int >> 80) == (7, RFC_4122, unix_ms)
    assert ids.uuid_id("esc", value) == text


def test_an_id_is_known_by_its_whole_prefix():
    assert not ids.is_id("pre_fix_00000000000000000000000000", "pre")
    assert not ids.is_id("pre_fix_00000000000000000000000000", "fix")


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


def test_same_key_of_two_tenants_gives_two_commands():
    assert ids.command_id("org_a", "p", "k") != ids.command_id("org_b", "p", "k")
    assert ids.command_id(None, "p", "k") != ids.command_id("platform2", "p", "k")


def test_same_key_of_two_principals_gives_two_commands():
    assert ids.command_id("org_a", "procurement", "k") != ids.command_id("org_a", "finance", "k")


def test_no_client_key_can_equal_that_of_a_spend_of_a_card_or_a_secret():
    assert ids.is_of_card(ids.card_hold_key("iauth_1", "hold", "1"))
    assert ids.is_of_secret_use(ids.secret_use_key("sus_1"))
    for principal in ("card:iauth_1", "secret-use:sus_1"):
        key = ids.spend_key(principal, "hold")
        assert not ids.is_of_card(key)
        assert not ids.is_of_secret_use(key)
