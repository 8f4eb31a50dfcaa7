"""Meaning of responses to webhooks, and the times of retries."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import given, strategies as st

from domain.messages.webhook.delivery import (
    JITTER,
    LONGEST_RETRY_AFTER,
    MAX_TRIES,
    DeliveryStatus,
    ReceiverResponse,
    ResponseClass,
    SendingPace,
    classify_response,
    lanes,
    next_attempt,
    pace_after,
    retry_after,
)
from tests.support.cases import for_each

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SCHEDULE = ["5 s", "5 min", "30 min", "2 h", "5 h", "10 h", "14 h", "20 h", "24 h"]
UNITS = {"s": 1, "min": 60, "h": 3600}

failures = st.builds(
    ReceiverResponse,
    status_code=st.one_of(st.none(), st.integers(300, 599).filter(lambda code: code != 410)),
    retry_after=st.one_of(st.none(), st.text(max_size=40), st.integers(-5, 10**9).map(str)),
)


@for_each(
    "answer, means",
    [
        *((ReceiverResponse(status_code=code), ResponseClass.DELIVERED) for code in (200, 201, 204, 299)),
        *(
            (ReceiverResponse(status_code=code), ResponseClass.FAILED)
            for code in (100, 199, 301, 302, 308, 400, 401, 404, 500, 503)
        ),
        *((ReceiverResponse(status_code=code), ResponseClass.OVERLOADED) for code in (429, 502, 504)),
        (ReceiverResponse(status_code=410), ResponseClass.GONE),
        (ReceiverResponse(error="webhook.timeout"), ResponseClass.FAILED),
        (ReceiverResponse(status_code=200, error="webhook.url_refused"), ResponseClass.FAILED),
    ],
)
def test_an_answer_means_one_thing(answer: ReceiverResponse, means: ResponseClass):
    assert classify_response(answer) is means


@given(st.integers(0, JITTER))
def test_the_tries_are_those_of_the_schedule_a_fifth_later_at_most(jitter: int):
    failed = ReceiverResponse(status_code=500)
    for tries, text in enumerate(SCHEDULE, start=1):
        number, unit = text.split()
        pause = timedelta(seconds=int(number) * UNITS[unit])
        following = next_attempt(failed, tries=tries, now=NOW, jitter=jitter)
        assert following.next_at is not None
        assert following.status is DeliveryStatus.PENDING
        assert pause <= following.next_at - NOW <= pause * 1.2
    assert len(SCHEDULE) + 1 == MAX_TRIES
    assert next_attempt(failed, tries=MAX_TRIES, now=NOW, jitter=jitter).status is DeliveryStatus.FAILED


@given(failures, st.integers(1, MAX_TRIES - 1), st.integers(0, JITTER))
def test_a_failure_is_tried_again_within_a_day_and_a_fifth_whatever_the_receiver_says(
    answer: ReceiverResponse, tries: int, jitter: int
):
    following = next_attempt(answer, tries=tries, now=NOW, jitter=jitter)
    assert following.next_at is not None
    assert NOW < following.next_at <= NOW + LONGEST_RETRY_AFTER * 1.2


@for_each(
    "text, seconds",
    [
        *(("120", 120), (" 120 ", 120), ("86400", 86_400), ("86401", 86_400), ("9" * 100, 86_400)),
        *(("0", None), ("-1", None), ("soon", None), ("", None), ("1e3", None), ("٣", None), ("1" * 5 + "x", None)),
        *(("Sun, 01 Mar 2026 12:10:00 GMT", 600), ("Sun, 01 Mar 2026 11:00:00 GMT", None)),
        *(("Fri, 01 Jan 2100 00:00:00 GMT", 86_400), ("Sun, 01 Mar 2026 12:10:00 -0000", None)),
    ],
)
def test_retry_after_is_read_as_seconds_or_a_date_and_bounded(text: str, seconds: int | None):
    expected = None if seconds is None else timedelta(seconds=seconds)
    assert retry_after(ReceiverResponse(status_code=429, retry_after=text), NOW) == expected


def test_retry_after_lengthens_a_pause_and_never_shortens_it():
    def pause(tries: int, asked: str) -> timedelta:
        following = next_attempt(ReceiverResponse(status_code=503, retry_after=asked), tries=tries, now=NOW, jitter=0)
        assert following.next_at is not None
        return following.next_at - NOW

    assert pause(1, "120") == timedelta(seconds=120)
    assert pause(4, "120") == timedelta(hours=2)


def test_an_overloaded_endpoint_is_left_alone_for_longer_each_time_and_takes_one_at_a_time_until_it_takes_something():
    pace, pauses = SendingPace(), []
    for code in (429, 502, 504, 429, 429, 429):
        pace = pace_after(SendingPace(slowed=pace.slowed), ReceiverResponse(status_code=code), NOW)
        assert pace.slow_until is not None
        pauses.append((pace.slow_until - NOW).total_seconds())
        assert pace.width(8) == 1
    assert pauses == [5, 30, 120, 600, 1800, 1800]
    assert pace_after(pace, ReceiverResponse(status_code=500), NOW).slow_until == pace.slow_until
    assert pace_after(pace, ReceiverResponse(status_code=200), NOW) == SendingPace(slow_until=pace.slow_until)
    recovered = pace_after(pace, ReceiverResponse(status_code=200), NOW + timedelta(hours=1))
    assert (recovered, recovered.width(8)) == (SendingPace(), 8)
    asked = pace_after(SendingPace(), ReceiverResponse(status_code=429, retry_after="3600"), NOW)
    assert asked.slow_until == NOW + timedelta(hours=1)
    assert pace_after(asked, ReceiverResponse(status_code=429), NOW).slow_until == asked.slow_until


@given(st.lists(st.tuples(st.integers(1, 60), failures), min_size=1, max_size=12))
def test_an_endpoint_is_given_up_five_days_after_its_first_failure_since_a_success(
    steps: list[tuple[int, ReceiverResponse]],
):
    pace, now = SendingPace(), NOW
    first = None
    for hours, answer in steps:
        now += timedelta(hours=hours)
        pace, first = pace_after(pace, answer, now), first or now
        assert pace.has_failed_too_long(now) == (now - first >= timedelta(days=5))
    assert not pace_after(pace, ReceiverResponse(status_code=204), now).has_failed_too_long(now)


@dataclass(frozen=True)
class Waiting:
    subject: str
    subject_seq: int


queues = st.lists(st.builds(Waiting, st.sampled_from("abcd"), st.integers(1, 50)), unique=True, max_size=60)


@given(queues)
def test_a_lane_holds_one_subject_in_its_order_and_nothing_is_lost(queued: list[Waiting]):
    sorted_out = lanes(queued, ordered=True)
    assert sorted(each.subject for lane in sorted_out for each in lane[:1]) == sorted({each.subject for each in queued})
    for lane in sorted_out:
        assert {each.subject for each in lane} == {lane[0].subject}
        assert [each.subject_seq for each in lane] == sorted(each.subject_seq for each in lane)
    assert sorted(map(repr, (each for lane in sorted_out for each in lane))) == sorted(map(repr, queued))
    assert [len(lane) for lane in lanes(queued, ordered=False)] == [1] * len(queued)
