import asyncio

import pytest
import stripe

from tests.sandbox.stripe.receiver import receiving


async def make(sandbox, count=1):
    return [(await sandbox.client.v1.customers.create_async({})).id for _ in range(count)]


async def test_event_arrives_signed_as_the_sdk_checks_it(stripe_sandbox):
    async with receiving(stripe_sandbox.client) as receiver:
        (id,) = await make(stripe_sandbox)
        (event,) = await receiver.until(1)
        assert (event.type, event.data.object["id"]) == ("customer.created", id)
        with pytest.raises(stripe.SignatureVerificationError):
            stripe.Webhook.construct_event(*receiver.bodies[0], "whsec_other")


async def test_signature_is_of_real_time_however_far_the_clock_moved(stripe_sandbox):
    await stripe_sandbox.control("clock", advance=30 * 24 * 60 * 60)
    async with receiving(stripe_sandbox.client) as receiver:
        await make(stripe_sandbox)
        (event,) = await receiver.until(1)
        assert event.created == pytest.approx((await stripe_sandbox.control("state"))["now"], abs=5)


async def test_endpoint_gets_only_what_it_asked_for(stripe_sandbox):
    async with receiving(stripe_sandbox.client, "customer.deleted") as some, receiving(stripe_sandbox.client) as every:
        (id,) = await make(stripe_sandbox)
        await stripe_sandbox.client.v1.customers.delete_async(id)
        await stripe_sandbox.control("webhooks/flush")
        assert some.types == ["customer.deleted"]
        assert sorted(every.types) == ["customer.created", "customer.deleted"]


async def test_refused_event_is_sent_again_until_it_is_taken(stripe_sandbox):
    async with receiving(stripe_sandbox.client) as receiver:
        receiver.refusals = 2
        await make(stripe_sandbox)
        await stripe_sandbox.control("webhooks/flush")
        (event,) = (await stripe_sandbox.client.v1.events.list_async()).data
        assert (receiver.bodies, event.pending_webhooks) == ([], 1)
        await stripe_sandbox.control("webhooks/flush")
        await stripe_sandbox.control("webhooks/flush")
        assert [each.id for each in receiver.events] == [event.id]
        (event,) = (await stripe_sandbox.client.v1.events.list_async()).data
        assert event.pending_webhooks == 0


async def test_refused_event_is_sent_again_by_itself(stripe_sandbox):
    async with receiving(stripe_sandbox.client) as receiver:
        receiver.refusals = 1
        await make(stripe_sandbox)
        assert len(await receiver.until(1)) == 1


async def test_disabled_endpoint_is_sent_nothing(stripe_sandbox):
    async with receiving(stripe_sandbox.client) as receiver:
        (endpoint,) = (await stripe_sandbox.client.v1.webhook_endpoints.list_async()).data
        changed = await stripe_sandbox.client.v1.webhook_endpoints.update_async(endpoint.id, {"disabled": True})
        assert changed.status == "disabled"
        await make(stripe_sandbox)
        assert await stripe_sandbox.control("webhooks/flush") == {}
        assert receiver.bodies == []


async def test_duplicated_webhooks_arrive_several_times(stripe_sandbox):
    async with receiving(stripe_sandbox.client) as receiver:
        await stripe_sandbox.control("webhooks", duplicate=2)
        await make(stripe_sandbox)
        events = await receiver.until(3)
        assert len({event.id for event in events}) == 1
        await stripe_sandbox.control("webhooks")
        await make(stripe_sandbox)
        assert len(await receiver.until(4)) == 4


async def test_dropped_webhooks_arrive_only_when_they_are_sent_again(stripe_sandbox):
    async with receiving(stripe_sandbox.client) as receiver:
        await stripe_sandbox.control("webhooks", drop=2)
        made = await make(stripe_sandbox, 3)
        assert await stripe_sandbox.control("webhooks/flush") == {"delivered": 1, "dropped": 2}
        assert [event.data.object["id"] for event in receiver.events] == made[2:]
        assert await stripe_sandbox.control("webhooks/resend", dropped=True) == {"resent": 2}
        await stripe_sandbox.control("webhooks/flush")
        assert {event.data.object["id"] for event in receiver.events} == set(made)


async def test_dropping_at_random_is_the_same_for_the_same_seed(stripe_sandbox):
    shares = []
    for _ in range(2):
        async with receiving(stripe_sandbox.client) as receiver:
            await stripe_sandbox.control("webhooks", drop=0.5, seed=3)
            made = await make(stripe_sandbox, 12)
            await stripe_sandbox.control("webhooks/flush")
            arrived = {event.data.object["id"] for event in receiver.events}
            shares.append([id in arrived for id in made])
    assert shares[0] == shares[1]
    assert set(shares[0]) == {True, False}


async def test_paused_webhooks_wait_until_it_is_over(stripe_sandbox):
    async with receiving(stripe_sandbox.client) as receiver:
        await stripe_sandbox.control("webhooks", pause=True)
        await make(stripe_sandbox, 3)
        assert (await stripe_sandbox.control("state"))["deliveries"] == {"waiting": 3}
        assert receiver.bodies == []
        await stripe_sandbox.control("webhooks")
        assert len(await receiver.until(3)) == 3


async def test_reordered_webhooks_all_arrive_in_another_order(stripe_sandbox):
    async with receiving(stripe_sandbox.client) as receiver:
        await stripe_sandbox.control("webhooks", reorder=400, seed=1)
        made = await make(stripe_sandbox, 10)
        arrived = [event.data.object["id"] for event in await receiver.until(10)]
        assert sorted(arrived) == sorted(made)
        assert arrived != made


async def test_delayed_webhooks_wait_and_leave_at_once_when_flushed(stripe_sandbox):
    async with receiving(stripe_sandbox.client) as receiver:
        await stripe_sandbox.control("webhooks", delay_ms=60_000)
        await make(stripe_sandbox)
        assert (await stripe_sandbox.control("state"))["deliveries"] == {"waiting": 1}
        await stripe_sandbox.control("webhooks/flush")
        assert len(receiver.events) == 1


async def test_several_secrets_sign_side_by_side(stripe_sandbox):
    async with receiving(stripe_sandbox.client) as receiver:
        (endpoint,) = (await stripe_sandbox.client.v1.webhook_endpoints.list_async()).data
        await stripe_sandbox.control("webhooks/secrets", endpoint=endpoint.id, secrets=["whsec_new", receiver.secret])
        await make(stripe_sandbox)
        await receiver.until(1)
        for secret in ("whsec_new", receiver.secret):
            assert stripe.Webhook.construct_event(*receiver.bodies[0], secret).type == "customer.created"


async def test_secret_is_shown_at_creation_only(stripe_sandbox):
    endpoints = stripe_sandbox.client.v1.webhook_endpoints
    made = await endpoints.create_async({"url": "https://a.example", "enabled_events": ["charge.refunded"]})
    assert made.secret.startswith("whsec_")
    assert "secret" not in (await endpoints.retrieve_async(made.id)).to_dict()
    changed = await endpoints.update_async(made.id, {"enabled_events": ["*"], "metadata": {"a": "b"}})
    assert (changed.enabled_events, changed.metadata["a"], "secret" in changed.to_dict()) == (["*"], "b", False)
    assert (await endpoints.delete_async(made.id)).deleted
    assert (await endpoints.list_async()).data == []


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"url": "ftp://a.example", "enabled_events": ["*"]}, "url"),
        ({"url": "https://a.example", "enabled_events": ["*", "charge.refunded"]}, "enabled_events"),
        ({"url": "https://a.example", "enabled_events": ["customer.sneezed"]}, "enabled_events[0]"),
    ],
)
async def test_endpoint_that_cannot_be_is_refused(stripe_sandbox, params, param):
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await stripe_sandbox.client.v1.webhook_endpoints.create_async(params)
    assert refused.value.param == param


async def test_events_are_listed_by_type_and_read_one_by_one(stripe_sandbox):
    client = stripe_sandbox.client.v1
    (id,) = await make(stripe_sandbox)
    await client.customers.update_async(id, {"name": "A"})
    await client.products.create_async({"name": "P"})

    async def types(**params: object) -> list[str]:
        return [event.type for event in (await client.events.list_async(params)).data]

    assert await types() == ["product.created", "customer.updated", "customer.created"]
    assert await types(type="customer.created") == ["customer.created"]
    assert await types(type="customer.*") == ["customer.updated", "customer.created"]
    assert await types(types=["customer.created", "product.created"]) == ["product.created", "customer.created"]
    event = (await client.events.list_async()).data[0]
    assert (await client.events.retrieve_async(event.id)).to_dict() == event.to_dict()


async def test_no_event_leaves_for_what_was_refused(stripe_sandbox):
    async with receiving(stripe_sandbox.client) as receiver:
        with pytest.raises(stripe.InvalidRequestError):
            await stripe_sandbox.client.v1.customers.create_async({"payment_method": "pm_none"})
        assert await stripe_sandbox.control("webhooks/flush") == {}
        assert (await stripe_sandbox.client.v1.events.list_async()).data == []
        assert receiver.bodies == []


async def test_flush_beside_ordinary_delivery_sends_nothing_twice(stripe_sandbox):
    async with receiving(stripe_sandbox.client) as receiver:
        await stripe_sandbox.control("webhooks", pause=True)
        made = await make(stripe_sandbox, 100)
        await stripe_sandbox.control("webhooks")
        await asyncio.gather(*(stripe_sandbox.control("webhooks/flush") for _ in range(3)))
        assert sorted(event.data.object["id"] for event in receiver.events) == sorted(made)


async def test_hundreds_of_webhooks_at_once_all_arrive_once(stripe_sandbox):
    async with receiving(stripe_sandbox.client) as receiver:
        await stripe_sandbox.control("webhooks", pause=True)
        made = await asyncio.gather(*(make(stripe_sandbox, 30) for _ in range(10)))
        await stripe_sandbox.control("webhooks")
        events = await receiver.until(300)
        assert sorted(event.data.object["id"] for event in events) == sorted(id for some in made for id in some)
