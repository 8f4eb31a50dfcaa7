"""When a call is sent again, for how long, and what is raised in the end."""

import httpx2
import pytest

from bursar import APIError, ConnectionFailed, OutcomeUnknown, RateLimited, ServerError
from bursar._calls import Attempts, Call, Options

USE = Call("credits.use", "POST", "/use", keyed=True)
READ = Call("credits.get_spend", "GET", "/spend")
UNKEYED = Call("meters.charge", "POST", "/charge", repeatable=False)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def attempts(call: Call, max_retries: int = 100) -> tuple[Attempts, Clock]:
    clock = Clock()
    return Attempts(call, "key", Options(max_retries=max_retries), clock), clock


def refused(status: int, code: str = "", **headers: str) -> httpx2.Response:
    return httpx2.Response(status, headers=headers, json={"code": code, "status": status})


def test_pauses_grow_with_jitter_and_end_within_60_seconds() -> None:
    call, clock = attempts(USE)
    pauses: list[float] = []

    def wait() -> None:
        while True:
            pauses.append(call.after_error(httpx2.ReadTimeout("slow")))
            clock.now += pauses[-1]
            # An attempt has a tenth of a second at least, however late it is made.
            assert call.timeout <= max(0.1, 60 - clock.now)

    with pytest.raises(OutcomeUnknown):
        wait()
    assert 9 < len(pauses) < 30
    for number, pause in enumerate(pauses):
        assert min(8, 0.001 * 2**number) / 2 <= pause <= min(8, 0.001 * 2**number)


def test_retry_after_is_waited_for_and_a_longer_one_than_60_seconds_is_not() -> None:
    call, _ = attempts(USE)
    pause = call.after_answer(refused(429, **{"Retry-After": "7"}))
    assert pause is not None
    assert 7 <= pause < 7.1
    with pytest.raises(RateLimited) as limited:
        call.after_answer(refused(429, **{"Retry-After": "3600"}))
    assert limited.value.retry_after == 3600


def test_act_in_review_is_an_error_and_no_answer() -> None:
    call, _ = attempts(USE)
    problem = {"code": "risk.in_review", "status": 202, "case_id": "rca_1"}
    in_review = httpx2.Response(202, headers={"Content-Type": "application/problem+json"}, json=problem)
    with pytest.raises(APIError) as held:
        call.after_answer(in_review)
    assert (held.value.code, held.value.problem["case_id"]) == ("risk.in_review", "rca_1")
    assert call.after_answer(httpx2.Response(202, json={"id": "pay_1"})) is None


@pytest.mark.parametrize("status", [400, 402, 404, 409, 422])
def test_refusal_after_a_lost_answer_says_that_nothing_took_effect(status: int) -> None:
    call, _ = attempts(USE)
    call.after_error(httpx2.ReadTimeout("slow"))
    with pytest.raises(Exception, match=str(status)) as error:
        call.after_answer(refused(status))
    assert not isinstance(error.value, OutcomeUnknown)


@pytest.mark.parametrize("status", [401, 403, 429])
def test_refusal_after_a_lost_answer_that_says_nothing_of_it_leaves_it_unknown(status: int) -> None:
    call, _ = attempts(USE, max_retries=1)
    call.after_error(httpx2.ReadTimeout("slow"))
    with pytest.raises(OutcomeUnknown) as unknown:
        call.after_answer(refused(status))
    assert unknown.value.key == "key"


def test_nothing_found_after_a_lost_answer_to_a_deletion_without_a_key_does_not_say_that_nothing_was_deleted() -> None:
    call, _ = attempts(Call("alert_rules.delete", "DELETE", "/alert-rules/rul_1"))
    call.after_error(httpx2.ReadTimeout("slow"))
    with pytest.raises(OutcomeUnknown):
        call.after_answer(refused(404, "not_found"))


def test_request_in_flight_is_waited_for_and_then_unknown() -> None:
    call, _ = attempts(USE, max_retries=1)
    assert call.after_answer(refused(409, "idempotency.in_flight")) is not None
    with pytest.raises(OutcomeUnknown):
        call.after_answer(refused(409, "idempotency.in_flight"))


def test_reading_is_never_an_unknown_outcome() -> None:
    call, _ = attempts(READ, max_retries=0)
    with pytest.raises(ConnectionFailed):
        call.after_error(httpx2.ReadTimeout("slow"))
    with pytest.raises(ServerError):
        call.after_answer(refused(503))


def test_what_has_no_key_is_sent_again_only_when_it_had_no_effect() -> None:
    call, _ = attempts(UNKEYED)
    call.after_error(httpx2.ConnectError("refused"))
    call.after_answer(refused(429))
    with pytest.raises(OutcomeUnknown):
        call.after_error(httpx2.ReadTimeout("slow"))
