"""Which endpoint of an organization has its turn."""

from datetime import UTC, datetime, timedelta

from domain.messages.webhook.turns import EndpointTurn, has_turn

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def place(name: str, *, sent_to: bool = False, waits: int | None = None) -> EndpointTurn:
    since = None if waits is None else NOW - timedelta(seconds=waits)
    return EndpointTurn(endpoint_id=name, is_sent_to=sent_to, waits_since=since)


def test_so_many_are_sent_to_at_once_and_the_next_waits():
    sent_to = [place("a", sent_to=True), place("b", sent_to=True)]
    assert has_turn(place("c"), sent_to, at_once=3)
    assert not has_turn(place("c"), sent_to, at_once=2)


def test_who_waits_for_longer_has_the_first_turn_that_is_free():
    busy, longer = place("a", sent_to=True), place("b", waits=9)
    assert not has_turn(place("c"), [busy, longer], at_once=2)
    assert not has_turn(place("c", waits=3), [busy, longer], at_once=2)
    assert has_turn(longer, [busy, place("c", waits=3), place("d")], at_once=2)


def test_of_two_that_asked_at_once_one_is_first():
    one, other = place("a", waits=1), place("b", waits=1)
    assert [has_turn(one, [other], at_once=1), has_turn(other, [one], at_once=1)] == [True, False]
