"""Nightly runs that divide a project's budget: the proposals, their evidence, and the changes when applied."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.credits import credit_price
from domain.common.errors import Conflict, Invalid
from domain.common.ids import uuid_of
from domain.common.money import CREDIT
from domain.credits.spend.control import MAX_LEVELS
from domain.returns.allocation import ONE_E6, PROPOSAL_VALID_FOR, AllocationMode, ShareBounds
from ledger.controls import Controls
from models.returns.allocation import Allocation
from repositories.returns import allocation as allocations
from runtime.database import Database, driver_connection
from services.books import exchange_rate
from services.returns import allocation
from services.returns.allocation import AllocationRequest
from tests.api.purchasing import budget
from tests.support.lots import buy
from tests.support.proving import broken, prove
from tests.support.returns import MATURES, NIGHT, NOW, Team, at, buys
from tests.support.rows import Rows, rows_of

pytestmark = pytest.mark.db

#: The last day that is matured on the night.
LAST = date(2026, 2, 24)
DAY = timedelta(days=1)


@pytest.fixture
async def rows(fresh_database_urls: Any) -> AsyncIterator[Rows]:
    async with rows_of(fresh_database_urls) as found:
        yield found


@pytest.fixture
def database(fresh_database: Database) -> Database:
    return fresh_database


def proposed(row: Allocation | str) -> Allocation:
    assert isinstance(row, Allocation)
    return row


def new(row: Allocation, team: Team) -> dict[str, int]:
    names = {each: name for name, each in team.agents.items()}
    return {names[line.agent_id]: line.new_minor for line in allocation.lines_of(row)}


async def test_budget_moves_to_earning_agents_once_accepted(db: Database, database: Database, rows: Rows) -> None:
    team = await Team.of(database, "ada", "bob")
    await team.give(ada=50, bob=50)
    await team.cost(rows, "ada", LAST, 100)
    await team.cost(rows, "bob", LAST, 100)
    await team.brought(rows, "ada", LAST, 300)
    # None of this counts: it may be refunded still, nobody has confirmed it, or it was taken back.
    await team.brought(rows, "bob", LAST + DAY, 9_000)
    await team.brought(rows, "bob", LAST, 9_000, status="reported", confirmed_at=None, confirmed_by=None)
    await team.brought(rows, "bob", LAST, 9_000, status="reversed", reversed_minor=900_000)
    await team.set()
    row = proposed(await team.night())
    assert (row.status, row.total_minor, row.reinvested_minor) == ("proposed", 10_000, 0)
    assert row.answer_by == at(NIGHT) + PROPOSAL_VALID_FOR
    assert new(row, team) == {"ada": 6_000, "bob": 4_000}
    assert await team.days() == {"ada": 5_000, "bob": 5_000, "project": 10_000}
    assert proposed(await team.night()).id == row.id
    for _ in range(2):
        assert (await team.accept(row)).status == "applied"
    assert await team.days() == {"ada": 6_000, "bob": 4_000, "project": 10_000}
    assert await team.versions("ada") == [
        (1, "owner", None),
        (2, team.owner.qualified(), f"Allocation {row.id} of {NIGHT}"),
    ]
    setting = await team.setting()
    assert (setting.next_night, setting.next_at) == (NIGHT + DAY, datetime(2026, 3, 12, tzinfo=NOW.tzinfo))


async def test_unaccepted_allocation_expires_without_change(db: Database) -> None:
    team = await Team.of(db, "ada", "bob")
    await team.give(ada=80, bob=20)
    await team.set()
    row = proposed(await team.night())
    over = at(NIGHT) + PROPOSAL_VALID_FOR
    with pytest.raises(Conflict) as late:
        await team.accept(row, now=over)
    assert late.value.error_code == "allocation.expired"
    for now, status in ((over - timedelta(seconds=1), "proposed"), (over, "expired")):
        async with db.platform() as session:
            assert (await allocation.expire(session, row.id, now=now)).status == status
    assert await team.days() == {"ada": 8_000, "bob": 2_000, "project": 10_000}
    with pytest.raises(Conflict):
        await team.accept(row, now=at(NIGHT))


async def test_proposal_of_a_past_day_cannot_be_accepted(db: Database) -> None:
    team = await Team.of(db, "ada")
    await team.set()
    # Its run was late: nobody worked at night.
    row = proposed(await team.night(now=at(NIGHT) + timedelta(hours=20)))
    over = at(NIGHT + DAY) - timedelta(minutes=5)
    assert row.answer_by == over
    with pytest.raises(Conflict):
        await team.accept(row, now=over)


async def test_manual_change_after_the_proposal_is_kept(db: Database) -> None:
    async def cut(team: Team) -> None:
        await change(db, team, await team.control("ada"), {"amounts": [100]})

    async def cut_project(team: Team) -> None:
        await change(db, team, team.budget_id, {"amounts": [5_000]})

    async def close(team: Team) -> None:
        await change(db, team, await team.control("ada"), {"status": "closed"})

    async def open_(team: Team) -> None:
        await team.give(bob=1)

    async def switch_off(team: Team) -> None:
        await team.set(AllocationMode.OFF)

    for decide, code in (
        *((each, "allocation.stale") for each in (cut, cut_project, close, open_)),
        (switch_off, "allocation.expired"),
    ):
        team = await Team.of(db, "ada", "bob")
        await team.give(ada=50)
        await team.set()
        row = proposed(await team.night())
        await decide(team)
        there = await team.days()
        with pytest.raises(Conflict) as refused:
            await team.accept(row)
        assert (decide.__name__, refused.value.error_code) == (decide.__name__, code)
        assert await team.days() == there


async def lower(database: Database, team: Team) -> None:
    """Put the project's budget below the largest allowed number of others."""
    above = None
    for number in range(MAX_LEVELS - 1):
        made = await budget(database, team.org_id, ("run", f"level-{number}"), pools={"parent_id": above}, week=900)
        above = str(uuid_of(made))
    await change(database, team, team.budget_id, {"parent_id": above})


async def test_refused_run_gives_its_reason_and_the_next_run_follows(db: Database) -> None:
    team = await Team.of(db, "ada", "bob")
    await team.give(ada=80)
    await team.set(AllocationMode.AUTO)
    await lower(db, team)
    assert await team.night() == f"There can be at most {MAX_LEVELS} levels of controls."
    # Nothing of it is there.
    assert await team.days() == {"ada": 8_000, "project": 10_000}
    assert (await team.setting()).next_night == NIGHT + DAY
    with pytest.raises(Invalid):
        await team.set(AllocationMode.PROPOSE)
    await team.set(AllocationMode.OFF)


async def test_automatic_run_stays_due_when_its_budget_changes_meanwhile(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    team = await Team.of(db, "ada", "bob")
    await team.give(ada=80)
    await team.set(AllocationMode.AUTO)
    add = allocations.add

    async def late(session: AsyncSession, row: Allocation) -> Allocation:
        await change(db, team, await team.control("ada"), {"amounts": [100]})
        return await add(session, row)

    monkeypatch.setattr(allocations, "add", late)
    assert "was changed" in str(await team.night())
    setting = await team.setting()
    assert (setting.next_night, setting.next_at) == (NIGHT, datetime(2026, 3, 11, tzinfo=NOW.tzinfo))
    monkeypatch.undo()
    assert proposed(await team.night()).status == "applied"


async def test_automatic_run_applies_and_opens_missing_budgets(db: Database) -> None:
    team = await Team.of(db, "ada", "bob")
    await team.give(ada=50)
    await team.set(AllocationMode.AUTO)
    row = proposed(await team.night())
    assert (row.status, row.applied_by) == ("applied", "allocation")
    # A share begins as large as an equal one.
    assert new(row, team) == {"ada": 5_000, "bob": 5_000}
    assert await team.days() == {"ada": 5_000, "bob": 5_000, "project": 10_000}
    async with db.platform() as session:
        query = text("SELECT parent_id FROM ledger.controls WHERE subject_id = :id")
        parent = (await session.execute(query, {"id": team.agents["bob"]})).scalar_one()
    assert parent == uuid_of(team.budget_id)


async def test_open_work_and_reputation_count(database: Database, rows: Rows) -> None:
    team = await Team.of(database, "ada", "bob", "cy")
    await team.give(ada=30, bob=30, cy=30)
    hired = {"agent_id": team.agents["ada"], "payee_org_id": team.org_id, "currency": "USD", "funded_minor": 4_000}
    await rows.add("escrows", id="esc_1", contract_id="ctr_1", org_id="org_client", status="funded", **hired)
    # Of milestones, the one under review is done.
    state = {
        "terms": {"milestones": [{"name": "a", "amount_minor": 700}, {"name": "b", "amount_minor": 300}]},
        "delivery": {"milestone": "a"},
    }
    in_part = hired | {"agent_id": team.agents["bob"], "funded_minor": 1_000, "state": json.dumps(state)}
    await rows.add("escrows", id="esc_4", contract_id="ctr_4", org_id="org_client", status="delivered", **in_part)
    # The organization's own work, and work that is done, are not open work.
    own = hired | {"agent_id": team.agents["cy"]}
    await rows.add("escrows", id="esc_2", contract_id="ctr_2", org_id=team.org_id, status="funded", **own)
    await rows.add("escrows", id="esc_3", contract_id="ctr_3", org_id="org_client", status="delivered", **own)
    await rows.add("reputation_agents", agent_id=team.agents["bob"], night_low_e6=700_000, board="public")
    await team.set()
    lines = {line.agent_id: line for line in allocation.lines_of(proposed(await team.night()))}
    found = {name: lines[each].terms for name, each in team.agents.items()}
    assert {name: terms.task_minor for name, terms in found.items()} == {"ada": 4_000, "bob": 300, "cy": 0}
    assert {name: terms.performance_e6 for name, terms in found.items()} == {"ada": 0, "bob": 700_000, "cy": 0}
    parts = {name: lines[each].new_minor for name, each in team.agents.items()}
    assert sum(parts.values()) == 10_000
    assert parts["cy"] < min(parts["ada"], parts["bob"])
    # With what it cost of each dollar that it earned, the same work costs a quarter.
    await team.cost(rows, "ada", LAST, 25)
    await team.brought(rows, "ada", LAST, 100)
    later = {line.agent_id: line for line in allocation.lines_of(proposed(await team.night(NIGHT + DAY)))}
    assert later[team.agents["ada"]].terms.task_minor == 1_000


async def test_open_work_in_credits_counts_the_price_paid_for_held_credits(database: Database, rows: Rows) -> None:
    team = await Team.of(database, "ada")
    state = {"terms": {"milestones": [{"name": "a", "amount_minor": 700}]}, "delivery": {"milestone": "a"}}
    hired = {"agent_id": team.agents["ada"], "payee_org_id": team.org_id, "currency": CREDIT, "funded_minor": 1_000}
    hired |= {"state": json.dumps(state), "status": "delivered"}
    await rows.add("escrows", id="esc_5", contract_id="ctr_5", org_id="org_client", **hired)
    await rows.change("INSERT INTO ledger.accounts (path, asset, kind, stripes, org_id, id) OVERRIDING SYSTEM VALUE "
                      "VALUES ('escrow/esc_5', 'CREDIT', 'liability', 1, 'org_client', 25600256)")  # fmt: skip
    for paid, asset in ((200, "USD"), (0, None), (100, "ISK")):
        await rows.add("ledger.lots", account_id=25_600_256, amount=500, remaining=400, paid=paid, costed=paid // 5,
                       paid_asset=asset, is_open=True)  # fmt: skip
    await rate(rows)
    await team.set()
    row = proposed(await team.night())
    [line] = allocation.lines_of(row)
    # 300 of 1,000 credits are still to be worked for, and 1.60 USD was paid for all. Kronur have no rate.
    assert (line.terms.task_minor, row.left_out) == (48, ["ISK"])


async def test_frozen_and_expired_agents_get_nothing(db: Database) -> None:
    team = await Team.of(db, "ada", "bob", "cy", "dan")
    await team.give(ada=25, bob=25, cy=25, dan=25)
    begins, noon = at(NIGHT) - timedelta(minutes=5), at(NIGHT) - timedelta(minutes=5) + DAY / 2
    for name, wanted in (
        ("bob", {"status": "frozen"}),
        ("cy", {"ends_at": begins.isoformat()}),
        ("dan", {"ends_at": noon.isoformat()}),
    ):
        await change(db, team, await team.control(name), wanted)
    await team.set(AllocationMode.AUTO)
    row = proposed(await team.night())
    lines = {line.agent_id: line for line in allocation.lines_of(row)}
    assert set(lines) == {team.agents["ada"], team.agents["dan"]}
    assert lines[team.agents["dan"]].terms.time_e6 == ONE_E6 // 2
    assert new(row, team) == {"ada": 6_000, "dan": 4_000}
    assert (await team.days())["bob"] == 2_500


async def test_agents_with_an_exhausted_longer_window_get_nothing(db: Database) -> None:
    team = await Team.of(db, "ada", "bob", "cy", "dan", "eve")
    for name, windows in (
        ("ada", {"day": 25, "lifetime": 1}),
        ("bob", {"lifetime": 1}),
        ("cy", {"day": 1, "hour": 1, "week": 70}),
        ("dan", {"day": 25, "month": 1}),
    ):
        await budget(db, team.org_id, ("agent", team.agents[name]), **windows)
    for name, wanted in (
        ("ada", {"amounts": [2_500, 0]}),
        ("bob", {"amounts": [0]}),
        ("cy", {"amounts": [0, 0, 7_000]}),
        ("dan", {"uses": [None, 0]}),
    ):
        await change(db, team, await team.control(name), wanted)
    await team.set()
    assert set(new(proposed(await team.night()), team)) == {"cy", "eve"}


async def change(database: Database, team: Team, control_id: str, wanted: dict[str, Any]) -> None:
    async with database.platform() as session:
        await Controls(await driver_connection(session)).write(
            org_id=team.org_id, control_id=uuid_of(control_id), expected_version=None, wanted=wanted,
            by="owner", reason=None, command_id=f"freeze-{control_id}", at=NOW,
        )  # fmt: skip


async def test_allocation_keeps_pools_and_other_windows_of_a_budget(db: Database) -> None:
    team = await Team.of(db, "ada", "bob")
    pools = {"pools_of": "day", "reserve": 1_000, "emergency": 500}
    await budget(db, team.org_id, ("agent", team.agents["ada"]), pools=pools, day=65, week=200)
    await team.give(bob=50)
    await team.set(AllocationMode.AUTO, floor_e4=0)
    await team.execute("UPDATE agents SET retired_at = now(), retired_by = 'x' WHERE id = :id", id=team.agents["bob"])
    row = proposed(await team.night())
    # It had 50 to operate with, and is the only one now.
    assert new(row, team) == {"ada": 10_000}
    assert (await team.days())["ada"] == 11_500
    async with db.platform() as session:
        query = text("SELECT windows, amounts, reserve FROM ledger.controls WHERE subject_id = :id")
        stored = (await session.execute(query, {"id": team.agents["ada"]})).one()
    assert tuple(stored) == (["day", "week"], [11_500, 20_000], 1_000)


async def test_agent_that_left_before_acceptance_gets_nothing(db: Database) -> None:
    team = await Team.of(db, "ada", "bob")
    await team.set()
    row = proposed(await team.night())
    await team.execute("UPDATE agents SET project_id = NULL WHERE id = :id", id=team.agents["bob"])
    await team.accept(row)
    assert await team.days() == {"ada": 5_000, "project": 10_000}


async def test_allocation_never_exceeds_the_project_budget(db: Database) -> None:
    team = await Team.of(db, "ada", "bob", day=60)
    await team.set(AllocationMode.AUTO, daily=100, reinvest_bps=5_000)
    assert proposed(await team.night()).total_minor == 6_000


async def test_profit_is_reinvested_and_later_reversals_lower_the_next_run(database: Database, rows: Rows) -> None:
    team = await Team.of(database, "ada")
    await money(rows, team)
    await team.set(AllocationMode.AUTO, reinvest_bps=2_500)
    # What matured before the share was set is not reinvested.
    await team.brought(rows, "ada", LAST - DAY, 8_000)
    await team.cost(rows, "ada", LAST, 15)
    await team.cost(rows, None, LAST, 5)
    first = await team.brought(rows, "ada", LAST, 100)
    row = proposed(await team.night())
    assert (row.reinvested_minor, row.total_minor) == (2_000, 12_000)
    assert await team.days() == {"ada": 12_000, "project": 12_000}
    # The next day earns 100, but the 100 of the day before were refunded meanwhile.
    await team.brought(rows, "ada", LAST + DAY, 100)
    await rows.change("UPDATE revenue_events SET status = 'reversed', reversed_minor = 6000 WHERE id = $1", first)
    row = proposed(await team.night(NIGHT + DAY))
    assert row.reinvested_minor == 2_500 - 1_500
    # Without profit the window is what it was.
    row = proposed(await team.night(NIGHT + 2 * DAY))
    assert row.reinvested_minor == 0
    assert await team.days() == {"ada": 10_000, "project": 10_000}
    # Nothing is added that is not there.
    await team.brought(rows, "ada", LAST + 3 * DAY, 100)
    await rows.change("UPDATE ledger.balances SET posted = 10700 WHERE account_id = 25600000")
    assert proposed(await team.night(NIGHT + 3 * DAY)).reinvested_minor == 700


async def test_profit_of_an_agent_whose_costs_have_no_rate_is_not_reinvested(database: Database, rows: Rows) -> None:
    team = await Team.of(database, "ada", "bob")
    await money(rows, team)
    await team.set(reinvest_bps=2_500)
    for name in ("ada", "bob"):
        await team.brought(rows, name, LAST, 100)
    await team.cost(rows, "ada", LAST, 9_000, "ISK")
    row = proposed(await team.night())
    assert (row.reinvested_minor, row.left_out) == (2_500, ["ISK"])


async def test_credits_for_reinvestment_count_at_the_price_paid_for_them(database: Database, rows: Rows) -> None:
    team = await Team.of(database, "ada")
    await money(rows, team)
    await rows.change("UPDATE ledger.balances SET posted = 10000 WHERE account_id = 25600000")
    await buy(database, team.org_id, "100", 299, at=NOW)
    await team.set(reinvest_bps=2_500)
    await team.brought(rows, "ada", LAST, 100)
    row = proposed(await team.night())
    assert (row.reinvested_minor, row.priced_at) == (299, {"amount": "0.0299", "currency": "USD"})


async def test_reinvested_amount_is_removed_when_its_day_ends(database: Database, rows: Rows) -> None:
    team = await Team.of(database, "ada")
    await money(rows, team)
    await team.set(reinvest_bps=2_500)
    await team.brought(rows, "ada", LAST, 100)
    await team.accept(proposed(await team.night()))
    assert (await team.days())["project"] == 12_500
    for _ in range(2):
        # The day's own run comes again.
        proposed(await team.night())
        assert (await team.days())["project"] == 12_500
    # Nobody accepts what the next night proposes, and what a person sets then stays.
    row = proposed(await team.night(NIGHT + DAY))
    assert (row.total_minor, row.reinvested_minor) == (10_000, 0)
    assert (await team.days())["project"] == 10_000
    await change(database, team, team.budget_id, {"amounts": [12_500]})
    await team.night(NIGHT + 2 * DAY)
    assert (await team.days())["project"] == 12_500


async def test_reinvested_amount_is_removed_at_once_when_reinvestment_is_switched_off(
    database: Database, rows: Rows
) -> None:
    team = await Team.of(database, "ada")
    await money(rows, team)
    await team.set(AllocationMode.AUTO, reinvest_bps=2_500)
    await team.brought(rows, "ada", LAST, 100)
    await team.night()
    assert (await team.days())["project"] == 12_500
    await team.set(AllocationMode.OFF)
    assert (await team.days())["project"] == 10_000


async def test_nothing_is_reinvested_without_a_daily_limit(database: Database, rows: Rows) -> None:
    team = await Team.of(database, "ada", week=900)
    await money(rows, team)
    await team.set(reinvest_bps=2_500)
    await team.brought(rows, "ada", LAST, 100)
    assert proposed(await team.night()).total_minor == 10_000


async def test_projects_do_not_reinvest_the_same_money(database: Database, rows: Rows) -> None:
    team = await Team.of(database, "ada")
    other = await team.other("bob")
    await money(rows, team)
    for each, name in ((team, "ada"), (other, "bob")):
        await each.set(reinvest_bps=2_500)
        await each.brought(rows, name, LAST, 100)
    # Both days of 100, and 30 more.
    await rows.change("UPDATE ledger.balances SET posted = 23000 WHERE account_id = 25600000")
    first, second = await asyncio.gather(team.night(), other.night())
    assert sorted([proposed(first).reinvested_minor, proposed(second).reinvested_minor]) == [500, 2_500]
    # What expired is free again.
    for each in (team, other):
        async with database.platform() as session:
            await allocations.expire(session, each.project_id)
    row = proposed(await other.night(NIGHT + DAY))
    assert row.reinvested_minor == 2_500
    await other.accept(row)
    assert proposed(await team.night(NIGHT + DAY)).reinvested_minor == 500


async def test_credits_reinvest_no_more_than_was_paid_for_them(database: Database, rows: Rows) -> None:
    team = await Team.of(database, "ada")
    other = await team.other("bob")
    async with database.platform() as session:
        await exchange_rate.store_price(session, credit_price("0.10", "USD"), NOW - 60 * DAY)
    await rows.change("UPDATE ledger.controls SET asset = 'CREDIT' WHERE subject_id = $1", other.project_id)
    await buys(database, team.org_id, 3_000, 12_000)
    await team.set(reinvest_bps=2_500)
    async with database.platform() as session:
        bounds = ShareBounds()
        wanted = AllocationRequest(
            mode=AllocationMode.PROPOSE, currency=CREDIT, daily_minor=250 * 10**6, bounds=bounds, reinvest_bps=0
        )
        await allocation.set_allocation(session, team.owner, team.org_id, other.project_id, wanted, now=NOW)
    await team.brought(rows, "ada", LAST, 400)
    # 100.00 would be due. Without a day of 250 credits of another project, credits for 110.00 are left: 10.00 more than
    # the day has without it, and not 190.00.
    assert proposed(await team.night()).reinvested_minor == 1_000


async def money(rows: Rows, team: Team) -> None:
    await rows.change("INSERT INTO ledger.accounts (path, asset, kind, stripes, org_id, id) "
                      "OVERRIDING SYSTEM VALUE VALUES ($1, 'USD', 'liability', 1, $2, 25600000)",
                      f"org/{team.org_id}/cash/USD", team.org_id)  # fmt: skip
    await rows.add("ledger.balances", account_id=25_600_000, asset="USD", stripe=0, posted=1_000_000)
    await rate(rows)


async def rate(rows: Rows) -> None:
    await rows.add("ledger.rates", base=CREDIT, quote="USD", base_minor=1_000_000, quote_minor=1,
                   starts_at=datetime(2026, 1, 1, tzinfo=NOW.tzinfo), source="operator")  # fmt: skip


async def test_runs_with_nothing_to_divide_give_a_reason(db: Database) -> None:
    team = await Team.of(db)
    await team.set()
    assert await team.night() == "the project has no agents that can spend"
    assert await team.night(NIGHT, now=at(NIGHT + DAY)) == f"the day {NIGHT} is not now"
    assert (await team.setting()).next_night == NIGHT + DAY
    other = await Team.of(db, "ada")
    await other.set()
    await change(db, other, other.budget_id, {"status": "frozen"})
    assert "no active budget" in str(await other.night())
    await other.set(AllocationMode.OFF)
    assert await other.night() == "it is switched off"


async def test_run_stays_due_until_the_day_begins_in_every_budgets_time_zone(db: Database) -> None:
    team = await Team.of(db, "ada")
    await team.set()
    row = proposed(await team.night())
    await team.set(AllocationMode.OFF)
    await team.set()
    await change(db, team, team.budget_id, {"status": "closed"})
    await budget(db, team.org_id, ("project", team.project_id), pools={"zone": "America/New_York"}, day=100)
    begins = datetime(2026, 3, 11, 4, tzinfo=NOW.tzinfo)
    for each, night, follows in (
        # It was allocated in the zone of the budget before.
        (at(NIGHT), NIGHT, NIGHT),
        (begins, NIGHT, NIGHT + DAY),
        (begins, NIGHT + DAY, NIGHT + DAY),
        (begins + DAY, NIGHT + DAY, NIGHT + 2 * DAY),
    ):
        made = await team.night(night, now=each)
        assert (made if isinstance(made, str) else made.night) == (
            f"the day {night} is not now" if (each, night) == (begins, NIGHT + DAY) else night
        )
        setting = await team.setting()
        assert (setting.next_night, setting.next_at) == (follows, datetime(2026, 3, follows.day, 4, tzinfo=NOW.tzinfo))
    assert proposed(await team.night()).id == row.id


async def test_verify_finds_allocations_that_were_altered(
    database: Database, rows: Rows, fresh_database_urls: Any
) -> None:
    team = await Team.of(database, "ada", "bob")
    pools = {"pools_of": "day", "reserve": 1_000, "emergency": 500}
    await budget(database, team.org_id, ("agent", team.agents["ada"]), pools=pools, day=95, week=200)
    await team.give(bob=20)
    await team.set(AllocationMode.AUTO)
    row = proposed(await team.night())
    await prove(fresh_database_urls, allocations.INVARIANTS)
    for damage in (
        "total_minor = total_minor + 1",
        "lines = jsonb_set(jsonb_set(lines, '{0,new_minor}', lines #> '{1,new_minor}'), "
        "'{1,new_minor}', lines #> '{0,new_minor}')",
        "status = 'expired', applied_at = NULL, applied_by = NULL",
    ):
        kept = "CREATE TABLE kept AS SELECT total_minor, lines, status, applied_at, applied_by FROM allocations"
        await rows.change(kept)
        await rows.change(f"UPDATE allocations SET {damage} WHERE id = $1", row.id)
        assert len(await broken(fresh_database_urls, allocations.INVARIANTS)) == 1, damage
        await rows.change("UPDATE allocations SET (total_minor, lines, status, applied_at, applied_by) = "
                          "(SELECT * FROM kept)")  # fmt: skip
        await rows.change("DROP TABLE kept")


async def test_a_project_without_a_budget_is_not_divided(db: Database) -> None:
    team = Team(db)
    with pytest.raises(Conflict) as refused:
        await team.set()
    assert refused.value.error_code == "allocation.no_budget"


async def test_settings_are_set_once_and_apply_from_the_next_run(db: Database) -> None:
    team = await Team.of(db, "ada")
    first = await team.set(reinvest_bps=100)
    assert (first.next_night, first.reinvests_from) == (NIGHT, NIGHT)
    again = await team.set(reinvest_bps=100, now=NOW + timedelta(hours=1))
    assert again.updated_at == first.updated_at
    later = await team.set(reinvest_bps=200, now=NOW + timedelta(hours=2))
    assert (later.next_night, later.reinvests_from) == (NIGHT, NIGHT)
    off = await team.set(AllocationMode.OFF, now=NOW + timedelta(hours=3))
    assert off.next_at is None
    assert MATURES.days == 14
