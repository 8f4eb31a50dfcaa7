"""A fault run of purchase orders: agents request, persons approve, and parts are killed meanwhile.

Every order follows a story that is planned to its end. In the end each one has the status, the charges, the log and
the count in the budgets of its story, whatever died between a commit and its answer.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx2
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from api.keyring import new_secret
from dev.stack.supervisor import Stack
from dev.stack.temporal import NAMESPACE
from domain.common.ids import uuid_of
from domain.tenants.token import hash_of, token_of
from runtime.identity import new_id
from tests.faults.audit import RUN_END, Findings, books, prove, repeat_all
from tests.faults.clients import PATIENCE_SECONDS, Answered, Journal, NoResponse, Request, RetryingClient, id_of
from tests.faults.load import Load, give, under_kills
from tests.faults.purchase_order_plans import ONE_PERSON, STORIES, TWO_PERSONS, OrderPlan, Step, draw_orders
from tests.faults.run import Say

#: What an order passes through.
PARTS = ("postgres", "worker", "server")
STUDIOS = 3
#: All that is planned fits into the budgets of the project and of the agent, and nothing into that of the poor agent.
WEEK, RESERVE, EMERGENCY, DAY, POOR_DAY = "1000000", "300000", "300000", "500000", "5"
#: Whose answers are lost after the commit: the story, and after how many other requests.
LOST = (
    *(("bought", 0), ("bought", 1), ("bought", 2), ("abandoned", 1)),
    *(
        ("granted", 1),
        ("granted by two", 1),
        ("granted by two", 2),
        ("refused", 1),
        ("refunded", 3),
        ("refund reported", 3),
    ),
)
BLOCKED = "SELECT DISTINCT pid FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))"


@dataclass(frozen=True)
class PurchaseOrderSetup:
    """Setup of a run; the same setup draws the same orders and kills."""

    seed: int
    orders: int = 120
    kills: int = 4
    parts: tuple[str, ...] = PARTS


def described(setup: PurchaseOrderSetup) -> str:
    """Describe the run."""
    return f"{setup.orders} purchase orders; {', '.join(setup.parts)} killed {setup.kills} times each"


@dataclass(frozen=True)
class Studio:
    """An organization with a project: its agents, its budgets and its keys, by name."""

    org_id: str
    project_id: str
    agents: dict[str, str]
    budgets: dict[str, str]
    keys: dict[str, str]


class Orders:
    """Plays planned orders, and records the order of each plan."""

    def __init__(self, studios: Sequence[Studio]) -> None:
        self.studios = studios
        self.made: dict[str, OrderPlan] = {}
        self._last: dict[str, dict[str, Any]] = {}

    def request(self, plan: OrderPlan, place: int) -> tuple[Request, int, str]:
        """Return the request of a step in the story, with its expected code and status."""
        studio, story, who = self.studios[plan.studio], plan.story, "poor" if plan.story.poor else "agent"
        if place == 0:
            body = {
                **{"agent_id": studio.agents[who], "project_id": studio.project_id, "item": f"Tool {plan.name}"},
                **{"vendor": "Example", "category": "tools", "why": plan.told, "amount": str(plan.amount)},
                **{"currency": "USD", **story.asks},
            }
            return Request(studio.keys[who], "/purchase-orders", body, f"{plan.name}-0"), 201, story.status
        step = story.steps[place - 1]
        key = studio.keys[who if step.by == "agent" else step.by]
        path = f"/purchase-orders/{self._last[plan.name]['id']}/{step.path}"
        code = 201 if step.path in {"attempts", "refunds"} else 200
        return Request(key, path, self._body(studio, plan, step), f"{plan.name}-{place}"), code, step.status

    def _body(self, studio: Studio, plan: OrderPlan, step: Step) -> dict[str, Any]:
        body = dict(step.body)
        for name in body.keys() & {"amount", "charged", "refunded"}:
            body[name] = str(plan.amount + body[name])
        if "lifts" in body:
            body["lifts"] = [{"budget_id": studio.budgets["poor"], "window": "day"}]
        last = self._last[plan.name]
        digests = {"grant": last["digest"], "confirm": last["reported"]["digest"]}
        return body | ({"digest": digests[step.path]} if step.path in digests else {})

    def take(self, plan: OrderPlan, place: int, response: httpx2.Response) -> None:
        """Check an answer; raises NoResponse if it is not as planned."""
        _, code, status = self.request(plan, place)
        answer = response.json()
        if (response.status_code, answer.get("status")) != (code, status):
            raise NoResponse(f"{plan.name} ({plan.told}), {place}: {response.status_code} {response.text[:300]}")
        self._last[plan.name] = answer
        self.made[answer["id"]] = plan

    async def play(self, client: RetryingClient, plan: OrderPlan, places: range, *, twice: bool = False) -> None:
        """Play a part of a story; raises NoResponse."""
        for place in places:
            request, _, _ = self.request(plan, place)
            self.take(plan, place, await client.command(request, twice=twice))


async def run_purchase_orders(setup: PurchaseOrderSetup, say: Say, stack: Stack) -> Findings:
    """Run once and return the findings."""
    findings, setting_up = Findings(), Journal()
    operator = RetryingClient(stack.api_url, f"{setup.seed} purchase orders", setting_up)
    studios = [await _studio(operator, stack, number) for number in range(STUDIOS)]
    orders, plans = Orders(studios), draw_orders(setup.seed, setup.orders, STUDIOS)
    lost = [OrderPlan(f"lost{place}", told, 0, STORIES[told].above + 20) for place, (told, _) in enumerate(LOST)]
    await _lose_answers(findings, stack, operator, orders, lost)
    say(f"  {len(studios)} organizations with a project of three budgets, {len(lost)} answers lost")

    async def play(client: RetryingClient, _journal: Journal, number: int) -> None:
        plan = plans[number]
        await orders.play(client, plan, range(len(plan.story.steps) + 1), twice=number % 4 == 0)

    load = Load(
        seed=setup.seed, what="purchase orders", count=setup.orders, kills=setup.kills, parts=setup.parts, clients=6
    )
    journal = await under_kills(load, say, stack, findings, play)
    findings.check(f"{len(journal.answered)} commands answered as planned", journal.wrong + setting_up.wrong)
    same, wrong = await repeat_all(operator, journal, _judge)
    findings.check(f"every key repeated: {same} first answers byte for byte, the rest of the same order", wrong)
    await operator.close()
    async with books(stack) as connection:
        await _count(findings, connection, studios, orders, [*plans, *lost])
    # A run is begun beside the answer, so each client can miss one whenever the server dies.
    await _runs(findings, stack, orders, may_miss=load.clients * setup.kills if "server" in setup.parts else 0)
    await prove(findings, stack)
    return findings


def _judge(first: Answered, again: httpx2.Response) -> str | None:
    if again.status_code == first.response.status_code and id_of(again) == id_of(first.response):
        return None
    return f"first {first.response.text[:200]}, repeated {again.text[:200]}"


async def _other_person(stack: Stack, org_id: str) -> str:
    """Make a finance key without an issuer, like that of a person who signs in by mail."""
    key_id, secret = new_id("key"), new_secret()
    async with books(stack) as connection:
        await connection.execute(
            "INSERT INTO api_keys (id, org_id, principal, role, secret_hash, created_by, command_id)"
            " VALUES ($1, $2, 'finance', 'finance', $3, $2 || '/finance', $1)",
            key_id,
            org_id,
            hash_of(secret),
        )
    return token_of(key_id, secret)


async def _studio(operator: RetryingClient, stack: Stack, number: int) -> Studio:
    async def make(token: str, path: str, body: dict[str, Any], name: str) -> Any:
        return await give(operator, token, path, body, f"studio-{number}{path}-{name}")

    platform = stack.seed.keys["operator"]
    org_id = (await make(platform, "/organizations", {"name": f"Studio {number}"}, ""))["id"]
    keys, agents, budgets = dict[str, str](), dict[str, str](), dict[str, str]()
    body = {"organization_id": org_id, "principal": "owner", "role": "owner"}
    keys["owner"] = (await make(platform, "/api-keys", body, "owner"))["secret"]
    keys["finance"] = await _other_person(stack, org_id)
    project_id = (await make(keys["owner"], "/projects", {"slug": "game"}, ""))["id"]
    for name, day in (("agent", DAY), ("poor", POOR_DAY)):
        agents[name] = (await make(keys["owner"], "/agents", {"name": name}, name))["id"]
        body = {"organization_id": org_id, "principal": name, "role": "agent", "agent_id": agents[name]}
        keys[name] = (await make(platform, "/api-keys", body, name))["secret"]
        await operator.put(keys["owner"], f"/agents/{agents[name]}/attribution", {"project_id": project_id})
        subject, limits = {"type": "agent", "id": agents[name]}, [{"window": "day", "amount": day}]
        body = {"subject": subject, "currency": "USD", "limits": limits}
        budgets[name] = (await make(keys["owner"], "/budgets", body, name))["id"]
    week = {"window": "week", "amount": WEEK}
    pools = {"reserve": RESERVE, "emergency": EMERGENCY, "may_draw_reserve": RESERVE}
    body = {"subject": {"type": "project", "id": project_id}, "currency": "USD", "limits": [week], **pools}
    budgets["project"] = (await make(keys["owner"], "/budgets", body, "project"))["id"]
    until = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    for role in ("owner", "finance"):
        body = {"reason": "The provider is down.", "until": until}
        await make(keys[role], f"/budgets/{budgets['project']}/emergency", body, role)
    policy = {"subject": {"type": "organization"}, "free_first": "off"}
    persons = {"approval_above": str(ONE_PERSON), "two_persons_above": str(TWO_PERSONS)}
    await operator.put(keys["owner"], "/payment-policies", {**policy, **persons})
    return Studio(org_id, project_id, agents, budgets, keys)


async def _lose_answers(
    findings: Findings, stack: Stack, client: RetryingClient, orders: Orders, plans: Sequence[OrderPlan]
) -> None:
    """Kill the server after it has committed a request and before it stores or sends the answer."""
    places, org_id = [place for _, place in LOST], orders.studios[0].org_id
    for plan, place in zip(plans, places, strict=True):
        await orders.play(client, plan, range(place))
    url = stack.postgres.url(database="bursar")
    holding, keeping = await asyncpg.connect(url), await asyncpg.connect(url)
    try:
        before = await keeping.fetchval("SELECT count(*) FROM purchase_entries")
        async with keeping.transaction():
            async with holding.transaction():
                await holding.execute("SELECT FROM purchase_orders WHERE org_id = $1 FOR UPDATE", org_id)
                await holding.execute("SELECT FROM ledger.balances WHERE org_id = $1 FOR UPDATE", org_id)
                asked = [
                    asyncio.create_task(client.command(orders.request(plan, place)[0]))
                    for plan, place in zip(plans, places, strict=True)
                ]
                await _until(holding, f"SELECT count(*) FROM ({BLOCKED})", len(plans))
                # They have their keys. From now on no answer is kept.
                await keeping.execute("LOCK TABLE idempotency_keys IN SHARE MODE")
            await _until(holding, "SELECT count(*) FROM purchase_entries", before + len(plans))
            await stack.kill("server")
            await keeping.execute(f"SELECT pg_terminate_backend(pid) FROM ({BLOCKED})")
    finally:
        await asyncio.gather(holding.close(), keeping.close())
    await stack.wait_ready("server")
    answers, wrong = await asyncio.gather(*asked), list[str]()
    for plan, place, answer in zip(plans, places, answers, strict=True):
        try:
            orders.take(plan, place, answer)
            await orders.play(client, plan, range(place + 1, len(plan.story.steps) + 1))
        except NoResponse as error:
            wrong.append(str(error))
    findings.check(f"{len(plans)} answers lost after the commit, and given as planned when asked again", wrong)


async def _until(connection: asyncpg.Connection, query: str, number: int) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while await connection.fetchval(query) < number:
        if time.monotonic() > deadline:
            raise TimeoutError(query)
        await asyncio.sleep(0.01)


async def _count(
    findings: Findings,
    connection: asyncpg.Connection,
    studios: Sequence[Studio],
    orders: Orders,
    plans: Sequence[OrderPlan],
) -> None:
    """Compare orders, log, alerts and budgets with the plans."""
    of = [studio.org_id for studio in studios]
    rows = await connection.fetch(
        "SELECT id, status, pool, amount_minor, spent_minor, refunded_minor FROM purchase_orders"
        " WHERE org_id = ANY ($1)",
        of,
    )
    found = {row["id"]: tuple(row)[1:] for row in rows}
    ended = {
        order_id: (plan.status, plan.story.pool, *(100 * n for n in (plan.amount, plan.paid, plan.refunded)))
        for order_id, plan in orders.made.items()
    }
    wrong = [f"{order_id} was asked for by nobody" for order_id in found.keys() - ended.keys()]
    wrong += [
        f"{orders.made[order_id]}: is {found.get(order_id)}, planned {planned}"
        for order_id, planned in ended.items()
        if found.get(order_id) != planned
    ]
    wrong += [] if len(found) == len(plans) else [f"{len(plans)} were planned"]
    findings.check(f"{len(rows)} orders ended as planned", wrong)
    await _logs(findings, connection, orders, of)
    await _budgets(findings, connection, studios, plans)


async def _logs(findings: Findings, connection: asyncpg.Connection, orders: Orders, of: Sequence[str]) -> None:
    logged: dict[str, list[tuple[str, str]]] = {}
    for row in await connection.fetch(
        "SELECT order_id, transaction_type, status FROM purchase_entries WHERE org_id = ANY ($1) ORDER BY id", of
    ):
        logged.setdefault(row[0], []).append((row[1].removeprefix("purchase_"), row[2]))
    wrong = [
        f"{plan}: the log has {logged.get(order_id)}, planned {plan.entries()}"
        for order_id, plan in orders.made.items()
        if logged.get(order_id) != plan.entries()
    ]
    findings.check(f"{sum(map(len, logged.values()))} entries of the log, one for each fact", wrong)
    asking = await connection.fetch(
        "SELECT subject FROM alerts WHERE org_id = ANY ($1) AND kind = 'approval_waiting' AND status <> 'resolved'", of
    )
    waiting = {order_id for order_id, plan in orders.made.items() if plan.status == "needs_approval"}
    findings.check(
        f"{len(asking)} alerts ask for an approval, one for each order that waits",
        [f"{each} in one of both only" for each in waiting ^ {row["subject"] for row in asking}],
    )


async def _budgets(
    findings: Findings, connection: asyncpg.Connection, studios: Sequence[Studio], plans: Sequence[OrderPlan]
) -> None:
    columns = ("held", "spent", "forced", "refunded", "uses_spent")
    planned: dict[tuple[int, str, str, str], Counter[str]] = {}
    for plan in plans:
        if any(plan.counts().values()):
            for window in plan.windows():
                planned.setdefault((plan.studio, *window), Counter()).update(plan.counts())
    counted = {}
    for number, studio in enumerate(studios):
        for name, budget_id in studio.budgets.items():
            for row in await connection.fetch(
                'SELECT "window", pool, sum(held) AS held, sum(spent) AS spent, sum(forced) AS forced,'
                " sum(refunded) AS refunded, sum(uses_spent) AS uses_spent"
                ' FROM ledger.counters WHERE control_id = $1 GROUP BY "window", pool',
                uuid_of(budget_id),
            ):
                counted[(number, name, row["window"], row["pool"])] = tuple(int(row[column]) for column in columns)
    wrong = []
    for place in sorted(planned.keys() | counted.keys()):
        dollars = planned.get(place, Counter[str]())
        expected = tuple(dollars[column] * (1 if column == "uses_spent" else 100) for column in columns)
        if counted.get(place, (0,) * len(columns)) != expected:
            wrong.append(f"{place}: {columns} are {counted.get(place)}, planned {expected}")
    findings.check(
        f"{len(planned)} windows and pools of budgets have what was planned, and nothing else is held", wrong
    )


async def _runs(findings: Findings, stack: Stack, orders: Orders, *, may_miss: int) -> None:
    """Wait for the end of the run of every order that was decided; the runs of those that wait are open."""
    temporal = await Client.connect(stack.temporal.address, namespace=NAMESPACE)
    wrong, ended, missing = list[str](), 0, 0
    for order_id, plan in orders.made.items():
        if not plan.story.waits:
            continue
        handle = temporal.get_workflow_handle(f"purchase-order/{order_id}")
        try:
            if plan.status != "needs_approval":
                async with asyncio.timeout(RUN_END.total_seconds()):
                    await handle.result()
            status = (await handle.describe()).status
        except TimeoutError:
            wrong.append(f"{handle.id} ({plan.told}) does not end")
            continue
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            missing += 1
            continue
        waits = plan.status == "needs_approval"
        expected = WorkflowExecutionStatus.RUNNING if waits else WorkflowExecutionStatus.COMPLETED
        ended += expected is WorkflowExecutionStatus.COMPLETED
        wrong += [] if status is expected else [f"{handle.id} ({plan.told}): {status}"]
    wrong += [f"{missing} orders have no run"] if missing > may_miss else []
    findings.check(f"{ended} runs of decided orders completed; {missing} not started because the server died", wrong)
