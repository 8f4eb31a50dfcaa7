import asyncio
import threading

import httpx2
import pytest
import stripe

from dev.sandbox.stripe.app import build
from dev.sandbox.stripe.core import Sandbox, control, task
from dev.sandbox.stripe.store import Store
from tests.support import looking
from tests.support.sandboxes import serving

PATH = "/v1/customers"


async def customers(sandbox):
    return (await sandbox.control("state"))["objects"].get("customer", 0)


@pytest.mark.parametrize(("mode", "status"), [("500", 500), ("429", 429)])
async def test_fault_before_anything_was_done_leaves_nothing(stripe_sandbox, mode, status):
    await stripe_sandbox.control("faults", mode=mode, method="POST", path=PATH, times=2)
    answers = [await stripe_sandbox.raw("POST", PATH, Idempotency_Key="k1") for _ in range(3)]
    assert [each.status_code for each in answers] == [status, status, 200]
    assert "idempotent-replayed" not in answers[2].headers
    assert await customers(stripe_sandbox) == 1


async def test_failure_after_commit_is_what_the_key_remembers(stripe_sandbox):
    await stripe_sandbox.control("faults", mode="500_after_commit", path=PATH)
    first = await stripe_sandbox.raw("POST", PATH, Idempotency_Key="k1")
    second = await stripe_sandbox.raw("POST", PATH, Idempotency_Key="k1")
    assert (first.status_code, second.status_code, second.json()) == (500, 500, first.json())
    assert await customers(stripe_sandbox) == 1


async def test_failure_without_the_work_is_what_the_key_remembers_too(stripe_sandbox):
    await stripe_sandbox.control("faults", mode="500_stored", path=PATH)
    answers = [await stripe_sandbox.raw("POST", PATH, Idempotency_Key="k1") for _ in range(2)]
    assert [each.status_code for each in answers] == [500, 500]
    assert (answers[1].headers["idempotent-replayed"], await customers(stripe_sandbox)) == ("true", 0)
    assert (await stripe_sandbox.raw("POST", PATH, Idempotency_Key="k1:1")).status_code == 200


async def test_failure_after_commit_hides_a_decline_too(stripe_sandbox):
    data = {"payment_method": "pm_card_visa_chargeDeclined", "confirm": "true", "return_url": "https://a.example"}
    await stripe_sandbox.control("faults", mode="500_after_commit", path="/v1/setup_intents")
    first = await stripe_sandbox.raw("POST", "/v1/setup_intents", data, Idempotency_Key="k1")
    second = await stripe_sandbox.raw("POST", "/v1/setup_intents", data, Idempotency_Key="k1")
    assert (first.status_code, second.json()) == (500, first.json())
    (intent,) = (await stripe_sandbox.client.v1.setup_intents.list_async()).data
    assert intent.last_setup_error.code == "card_declined"


@pytest.mark.parametrize(("mode", "made"), [("timeout_before", 0), ("timeout_after_commit", 1)])
async def test_client_that_gives_up_is_told_nothing(stripe_sandbox, mode, made):
    await stripe_sandbox.control("faults", mode=mode, path=PATH)
    gives_up = httpx2.Timeout(60, read=0.2)
    async with httpx2.AsyncClient(timeout=gives_up, headers={"Authorization": "Bearer sk_test_1234"}) as hasty:
        with pytest.raises(httpx2.ReadTimeout):
            await hasty.post(stripe_sandbox.url + PATH, headers={"Idempotency-Key": "k1"})
    while await customers(stripe_sandbox) != made:
        await looking.again()
    again = await stripe_sandbox.raw("POST", PATH, Idempotency_Key="k1")
    assert again.status_code == 200
    assert again.headers.get("idempotent-replayed", "") == ("true" if made else "")
    assert await customers(stripe_sandbox) == 1


async def test_connection_cut_after_commit_is_an_error_of_connection(stripe_sandbox):
    await stripe_sandbox.control("faults", mode="close_after_commit", path=PATH)
    with pytest.raises(stripe.APIConnectionError):
        await stripe_sandbox.client.v1.customers.create_async({})
    assert await customers(stripe_sandbox) == 1


async def test_faults_at_random_are_the_same_for_the_same_seed(stripe_sandbox):
    runs = []
    for _ in range(2):
        await stripe_sandbox.control("faults")
        await stripe_sandbox.control("faults", mode="500", method="GET", times=0.5, seed=7)
        runs.append([(await stripe_sandbox.raw("GET", PATH)).status_code for _ in range(12)])
    assert runs[0] == runs[1]
    assert set(runs[0]) == {200, 500}


async def test_fault_hits_only_its_method_and_path(stripe_sandbox):
    await stripe_sandbox.control("faults", mode="500", method="POST", path="/v1/products", times=1.0)
    assert (await stripe_sandbox.raw("POST", PATH)).status_code == 200
    assert (await stripe_sandbox.raw("GET", "/v1/products")).status_code == 200
    assert (await stripe_sandbox.raw("POST", "/v1/products", {"name": "A"})).status_code == 500
    await stripe_sandbox.control("faults")
    assert (await stripe_sandbox.raw("POST", "/v1/products", {"name": "A"})).status_code == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [("faults", {"mode": "meltdown"}), ("faults", {"mode": "500", "paht": "/"}), ("webhooks", {"dealy_ms": 1})],
)
async def test_condition_that_is_misspelt_is_refused(stripe_sandbox, path, body):
    answer = await stripe_sandbox.http.post(f"{stripe_sandbox.url}/_control/{path}", json=body)
    assert answer.status_code == 400


async def test_unknown_control_is_a_404(stripe_sandbox):
    assert (await stripe_sandbox.http.post(f"{stripe_sandbox.url}/_control/weather", json={})).status_code == 404


async def test_clock_does_not_go_back(stripe_sandbox):
    answer = await stripe_sandbox.http.post(f"{stripe_sandbox.url}/_control/clock", json={"advance": -1})
    assert answer.status_code == 400


async def test_rate_limit_refuses_what_is_too_much(tmp_path):
    sandbox = Sandbox(Store(tmp_path / "stripe.sqlite"))
    with serving(build(sandbox, rate_limit=3)) as url:
        async with httpx2.AsyncClient(timeout=60, headers={"Authorization": "Bearer sk_test_1234"}) as http:
            answers = [await http.get(url + PATH) for _ in range(4)]
    sandbox.store.close()
    assert [each.status_code for each in answers] == [200, 200, 200, 429]
    assert answers[3].json()["error"]["code"] == "rate_limit"
    assert answers[3].headers["stripe-should-retry"] == "true"


SEEN: list[tuple[str, int]] = []
NOTED = threading.Event()


@task("test.note")
async def note(ctx, what, again=0):
    SEEN.append((what, ctx.now()))
    NOTED.set()
    if again:
        ctx.after(again, "test.note", {"what": what + "!"})


@control("test/put_off")
async def put_off(ctx, body):
    ctx.after(body.pop("seconds"), "test.note", body)
    return {"now": ctx.now()}


async def test_clock_runs_what_comes_due_at_its_own_time(stripe_sandbox):
    SEEN.clear()
    await stripe_sandbox.control("test/put_off", seconds=3000, what="late")
    start = (await stripe_sandbox.control("test/put_off", seconds=1000, what="early", again=500))["now"]
    await stripe_sandbox.control("test/put_off", seconds=9000, what="never")
    moved = await stripe_sandbox.control("clock", advance=5000)
    assert moved["ran"] == 3
    assert [what for what, _ in SEEN] == ["early", "early!", "late"]
    for (_, at), due in zip(SEEN, (1000, 1500, 3000), strict=True):
        assert 0 <= at - start - due <= 2
    assert (await stripe_sandbox.control("state"))["tasks"] == {"test.note": 1}


async def test_task_that_is_due_runs_by_itself(stripe_sandbox):
    SEEN.clear()
    NOTED.clear()
    await stripe_sandbox.control("test/put_off", seconds=0, what="now")
    await asyncio.to_thread(NOTED.wait)
    assert [what for what, _ in SEEN] == ["now"]
