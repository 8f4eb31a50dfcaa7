import asyncio

import pytest
import stripe

PATH = "/v1/customers"


async def count(sandbox):
    return (await sandbox.control("state"))["objects"].get("customer", 0)


async def test_second_request_with_a_key_is_answered_with_the_first_answer(stripe_sandbox):
    first = await stripe_sandbox.raw("POST", PATH, {"name": "A"}, Idempotency_Key="k1")
    second = await stripe_sandbox.raw("POST", PATH, {"name": "A"}, Idempotency_Key="k1")
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert second.json() == first.json()
    assert second.headers["request-id"] != first.headers["request-id"]
    assert await count(stripe_sandbox) == 1


@pytest.mark.parametrize(("path", "data"), [(PATH, {"name": "B"}), ("/v1/setup_intents", {}), (PATH, {})])
async def test_key_with_other_parameters_or_path_is_refused(stripe_sandbox, path, data):
    await stripe_sandbox.raw("POST", PATH, {"name": "A"}, Idempotency_Key="k1")
    second = await stripe_sandbox.raw("POST", path, data, Idempotency_Key="k1")
    assert (second.status_code, second.json()["error"]["type"]) == (400, "idempotency_error")
    assert await count(stripe_sandbox) == 1


async def test_order_of_parameters_does_not_make_another_request(stripe_sandbox):
    first = await stripe_sandbox.raw("POST", PATH, {"name": "A", "email": "a@b.c"}, Idempotency_Key="k1")
    second = await stripe_sandbox.raw("POST", PATH, {"email": "a@b.c", "name": "A"}, Idempotency_Key="k1")
    assert first.json() == second.json()


async def test_request_under_way_makes_another_with_its_key_wait_outside(stripe_sandbox):
    await stripe_sandbox.control("faults", mode="slow", path=PATH, delay_ms=300)
    answers = await asyncio.gather(
        *(stripe_sandbox.raw("POST", PATH, {"name": "A"}, Idempotency_Key="k1") for _ in range(2))
    )
    assert sorted(each.status_code for each in answers) == [200, 409]
    refused = max(answers, key=lambda each: each.status_code)
    assert refused.json()["error"]["code"] == "idempotency_key_in_use"
    assert refused.headers["stripe-should-retry"] == "true"
    again = await stripe_sandbox.raw("POST", PATH, {"name": "A"}, Idempotency_Key="k1")
    assert again.json() == min(answers, key=lambda each: each.status_code).json()
    assert await count(stripe_sandbox) == 1


async def test_many_requests_at_once_with_one_key_make_one_object(stripe_sandbox):
    answers = await asyncio.gather(
        *(stripe_sandbox.raw("POST", PATH, {"name": "A"}, Idempotency_Key="k1") for _ in range(20))
    )
    assert {each.status_code for each in answers} <= {200, 409}
    assert len({each.json()["id"] for each in answers if each.status_code == 200}) == 1
    assert await count(stripe_sandbox) == 1


async def test_refusal_of_a_request_that_was_carried_out_is_replayed(stripe_sandbox):
    data = {"customer": "cus_none"}
    first = await stripe_sandbox.raw("POST", "/v1/setup_intents", data, Idempotency_Key="k1")
    second = await stripe_sandbox.raw("POST", "/v1/setup_intents", data, Idempotency_Key="k1")
    assert (first.status_code, second.json()) == (400, first.json())
    assert second.headers["idempotent-replayed"] == "true"


async def test_declined_setup_is_kept_and_replayed(stripe_sandbox):
    data = {"payment_method": "pm_card_visa_chargeDeclined", "confirm": "true", "return_url": "https://a.example"}
    first = await stripe_sandbox.raw("POST", "/v1/setup_intents", data, Idempotency_Key="k1")
    second = await stripe_sandbox.raw("POST", "/v1/setup_intents", data, Idempotency_Key="k1")
    assert (first.status_code, second.json()) == (402, first.json())
    assert (await stripe_sandbox.control("state"))["objects"]["setup_intent"] == 1


async def test_request_that_failed_validation_leaves_its_key_unused(stripe_sandbox):
    refused = await stripe_sandbox.raw("POST", PATH, {"colour": "red"}, Idempotency_Key="k1")
    taken = await stripe_sandbox.raw("POST", PATH, {"name": "A"}, Idempotency_Key="k1")
    assert (refused.status_code, taken.status_code) == (400, 200)


async def test_key_is_forgotten_after_a_day(stripe_sandbox):
    first = await stripe_sandbox.raw("POST", PATH, {"name": "A"}, Idempotency_Key="k1")
    await stripe_sandbox.control("clock", advance=24 * 60 * 60 - 60)
    within = await stripe_sandbox.raw("POST", PATH, {"name": "A"}, Idempotency_Key="k1")
    await stripe_sandbox.control("clock", advance=120)
    after = await stripe_sandbox.raw("POST", PATH, {"name": "A"}, Idempotency_Key="k1")
    assert within.json()["id"] == first.json()["id"] != after.json()["id"]


async def test_key_is_of_no_use_to_reading(stripe_sandbox):
    first = await stripe_sandbox.raw("GET", PATH, Idempotency_Key="k1")
    await stripe_sandbox.raw("POST", PATH)
    second = await stripe_sandbox.raw("GET", PATH, Idempotency_Key="k1")
    assert (len(first.json()["data"]), len(second.json()["data"])) == (0, 1)


async def test_key_that_is_too_long_is_refused(stripe_sandbox):
    assert (await stripe_sandbox.raw("POST", PATH, Idempotency_Key="k" * 255)).status_code == 200
    assert (await stripe_sandbox.raw("POST", PATH, Idempotency_Key="k" * 256)).status_code == 400


async def test_event_names_the_request_and_its_key(stripe_sandbox):
    made = await stripe_sandbox.raw("POST", PATH, Idempotency_Key="k1")
    (event,) = (await stripe_sandbox.client.v1.events.list_async()).data
    assert event.request.to_dict() == {"id": made.headers["request-id"], "idempotency_key": "k1"}
    assert (event.api_version, event.object, event.livemode) == (stripe.api_version, "event", False)
