import dataclasses
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from pydantic import TypeAdapter

from domain.common.state_hash import state_hash
from domain.escrow.state import Escrow, Terms
from domain.payments.payment.state import Payment
from tests.lanes import examples

st.register_type_strategy(datetime, st.datetimes(timezones=st.just(UTC)))


STATES = st.from_type(Escrow) | st.from_type(Payment)


def later(cls: type[Any], default: object) -> type[Any]:
    """Return the class as a later version has it, with one more member."""
    return dataclasses.make_dataclass(
        cls.__name__, [("added", object, dataclasses.field(default=default))], bases=(cls,), frozen=True, kw_only=True
    )


def as_later(state: Any, default: object, **given: object) -> Any:
    members = {field.name: getattr(state, field.name) for field in dataclasses.fields(state)}
    return later(type(state), default)(**members, **given)


@settings(max_examples=examples(30))
@given(STATES)
def test_a_state_that_was_stored_has_the_hash_that_it_had(state):
    adapter = TypeAdapter(type(state))
    assert state_hash(adapter.validate_json(adapter.dump_json(state))) == state_hash(state)


@settings(max_examples=examples(30))
@given(STATES, st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just(()))
def test_a_member_that_is_added_with_a_default_changes_no_hash(state, default):
    newer = dataclasses.replace(state, terms=as_later(state.terms, default))
    assert state_hash(as_later(newer, default)) == state_hash(state)


@settings(max_examples=examples(30))
@given(STATES)
def test_a_member_that_is_added_counts_where_it_is_set(state):
    assert state_hash(as_later(state, default=None, added=1)) != state_hash(state)
    assert state_hash(dataclasses.replace(state, terms=as_later(state.terms, None, added=1))) != state_hash(state)


@settings(max_examples=examples(100))
@given(st.data(), STATES)
def test_states_that_differ_have_different_hashes(data, state):
    other = data.draw(st.from_type(type(state)))
    field = data.draw(st.sampled_from([field.name for field in dataclasses.fields(state)]))
    changed = dataclasses.replace(state, **{field: getattr(other, field)})
    assert (state_hash(changed) == state_hash(state)) == (changed == state)


@settings(max_examples=examples(60))
@given(st.from_type(Terms), st.from_type(Terms), st.sampled_from([field.name for field in dataclasses.fields(Terms)]))
def test_terms_that_differ_have_different_hashes(terms, other, field):
    changed = dataclasses.replace(terms, **{field: getattr(other, field)})
    assert (state_hash(changed) == state_hash(terms)) == (changed == terms)


def test_a_time_counts_as_the_instant_that_it_is():
    noon = datetime(2026, 1, 5, 12, tzinfo=UTC)
    there = noon.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert state_hash(noon) == state_hash(there) != state_hash(noon + timedelta(microseconds=1))


def test_values_without_a_canonical_form_are_refused():
    with pytest.raises(TypeError, match="Decimal has no canonical form"):
        state_hash((1, Decimal(1)))
