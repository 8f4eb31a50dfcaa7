"""`ledger.charge` and later changes of a spend: each answer, each count, and that the books agree."""

import json
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import pytest

from domain.common.accounts import org_credits, org_debt, payment
from domain.common.errors import Conflict, IdempotencyConflict, Invalid, NotFound
from domain.credits.lots import LotSource, LotTerms
from domain.credits.spend.control import LimitTerms
from ledger.gateway import Posting
from ledger.rates import set_credit_rate
from ledger.spending import RESERVATION_TERM, Spending, charge_together
from ledger.spends import ChangeResult, NewSpend, RefusalReason, Spender, SpendOutcome, SpendResult, SpendStatus
from tests.conftest import DatabaseUrls
from tests.support.books import ISSUANCE, NOW, Books, fresh, recognise
from tests.support.cases import for_each
from tests.support.connections import connected, undone
from tests.support.spends import Tenant, department, limits, spend

pytestmark = pytest.mark.db

DAY = timedelta(days=1)


@pytest.fixture
async def tenant(books: Books) -> Tenant:
    return await Tenant.opened(books)


async def test_a_charge_is_posted_counted_and_stored(tenant: Tenant) -> None:
    control = await tenant.control(limits(day=100, month=1000))
    charged = await tenant.charge(30, agent_id="agt_1", key_id="key_1", principal="ada")

    assert (charged.outcome, charged.amount_minor, charged.available_minor) == (SpendOutcome.CHARGED, 30, 999_970)
    assert await tenant.balance() == (999_970, 0)
    for window in ("day", "month"):
        counted = await tenant.counter(control, window)
        assert (counted["spent"], counted["held"], counted["uses_spent"]) == (30, 0, 1)
    row = await tenant.books.connections[0].fetchrow("SELECT * FROM ledger.spends WHERE id = $1", charged.spend_id)
    assert row is not None
    assert (row["status"], row["agent_id"], row["key_id"], row["principal"]) == ("charged", "agt_1", "key_1", "ada")
    assert (row["counted"], row["at"]) == ([30, 30], NOW)
    await tenant.books.assert_proven()


async def test_a_set_that_no_control_counts_is_charged(tenant: Tenant) -> None:
    charged = await tenant.spending.charge_many([spend(amount) for amount in (30, 0, 5)], at=NOW)
    assert [(answer.outcome, answer.available_minor) for answer in charged] == [
        (SpendOutcome.CHARGED, 999_970),
        (SpendOutcome.CHARGED, 999_970),
        (SpendOutcome.CHARGED, 999_965),
    ]
    await tenant.books.assert_proven()


async def test_pitfall_01_a_repeated_charge_is_one_charge_and_has_one_answer(tenant: Tenant) -> None:
    await tenant.control(limits(day=100))
    key = fresh("use")
    first = await tenant.charge(30, key=key)
    again = await tenant.at_once(*(lambda client: client.charge(spend(30, key=key), at=NOW + DAY) for _ in range(8)))
    assert {result.replayed for result in again if isinstance(result, SpendResult)} == {True}
    assert {(r.outcome, r.spend_id, r.available_minor, r.at) for r in again if isinstance(r, SpendResult)} == {
        (first.outcome, first.spend_id, first.available_minor, first.at)
    }
    at_once = fresh("use")
    results = await tenant.at_once(*(lambda client: client.charge(spend(5, key=at_once), at=NOW) for _ in range(16)))
    assert sorted(result.replayed for result in results if isinstance(result, SpendResult)) == [False] + [True] * 15
    assert await tenant.balance() == (999_965, 0)


@pytest.mark.parametrize("other", [{"amount_minor": 31}, {"action": "other"}, {"spender": Spender(agent_id="agt_2")}])
async def test_a_key_of_another_charge_is_refused(tenant: Tenant, other: dict[str, object]) -> None:
    given = {"key": fresh("use"), "action": "api_call", "amount_minor": 30}
    await tenant.spending.charge(NewSpend(**given), at=NOW)
    with pytest.raises(IdempotencyConflict):
        await tenant.spending.charge(NewSpend(**{**given, **other}), at=NOW)
    with pytest.raises(IdempotencyConflict):
        await tenant.spending.authorize(NewSpend(**given), expires_at=NOW + DAY, at=NOW)


async def test_a_refusal_has_the_window_its_rest_and_its_end(tenant: Tenant) -> None:
    control = await tenant.control(limits(day=100, month=1000))
    await tenant.charge(80)
    refused = await tenant.charge(21)
    assert refused.outcome is SpendOutcome.REFUSED
    assert refused.spend_id is None
    why = refused.refusal
    assert why is not None
    assert (why.reason, why.control_id, why.subject_kind, why.subject_id, why.asset, why.window, why.limit) == (
        RefusalReason.LIMIT, control, "organization", tenant.org_id, "CREDIT", "day", 100,
    )  # fmt: skip
    assert (why.remaining, why.resets_at) == (20, NOW + DAY)
    assert await tenant.balance() == (999_920, 0)
    assert (await tenant.counter(control))["spent"] == 80
    assert (await tenant.charge(20)).outcome is SpendOutcome.CHARGED
    assert (await tenant.charge(1, at=NOW + DAY)).outcome is SpendOutcome.CHARGED


async def test_a_refusal_is_final_for_its_key(tenant: Tenant) -> None:
    control = await tenant.control(limits(day=10))
    key = fresh("use")
    first = await tenant.charge(11, key=key)
    await tenant.write(control, limits(day=100).columns())
    again = await tenant.charge(11, key=key, at=NOW + DAY)
    assert again.replayed
    assert (again.outcome, again.refusal, again.at) == (first.outcome, first.refusal, NOW)
    with pytest.raises(IdempotencyConflict):
        await tenant.charge(9, key=key)
    assert (await tenant.charge(11)).outcome is SpendOutcome.CHARGED


async def test_a_spend_beyond_the_credits_is_insufficient_permanently(books: Books) -> None:
    tenant = await Tenant.opened(books, 50)
    control = await tenant.control(limits(day=1000))
    key = fresh("use")
    refused = await tenant.charge(51, key=key)
    assert (refused.outcome, refused.available_minor, refused.refusal) == (SpendOutcome.INSUFFICIENT, 50, None)
    assert (await tenant.counter(control))["spent"] == 0
    await books.issue(await books.org(), 1)
    assert (await tenant.charge(51, key=key)).replayed
    assert (await tenant.charge(50)).available_minor == 0


async def test_an_organization_without_an_account_has_nothing_to_spend(books: Books) -> None:
    tenant = Tenant(books, fresh("org"))
    assert (await tenant.charge(1)).outcome is SpendOutcome.INSUFFICIENT
    assert (await tenant.charge(0)).outcome is SpendOutcome.CHARGED


async def test_the_first_thousand_refusals_of_a_window_keep_a_row_and_later_keys_are_free(books: Books) -> None:
    tenant = await Tenant.opened(books)
    control = await tenant.control(limits(day=0))
    spends = [spend(1) for _ in range(1005)]
    answers = await tenant.spending.charge_many(spends, at=NOW)
    assert {answer.outcome for answer in answers} == {SpendOutcome.REFUSED}
    connection = books.connections[0]
    rows = await connection.fetchval("SELECT count(*) FROM ledger.refusals WHERE control_id = $1", control)
    counted = await connection.fetchval("SELECT number FROM ledger.refusal_counts WHERE control_id = $1", control)
    assert (rows, counted) == (1000, 1005)

    await tenant.write(control, limits(day=10).columns())
    kept, free = await tenant.spending.charge(spends[0], at=NOW), await tenant.spending.charge(spends[-1], at=NOW)
    assert (kept.outcome, kept.replayed, free.outcome, free.replayed) == (
        SpendOutcome.REFUSED, True, SpendOutcome.CHARGED, False,
    )  # fmt: skip


async def test_a_thousand_refusals_for_one_reason_hide_none_for_another(books: Books) -> None:
    tenant = await Tenant.opened(books)
    control = await tenant.control(limits(day=0))
    await tenant.spending.charge_many([spend(1) for _ in range(1001)], at=NOW)
    await tenant.write(control, {"status": "frozen"})
    await tenant.charge(1)
    reasons = await books.connections[0].fetch(
        "SELECT reason, count(*)::integer AS number FROM ledger.refusals WHERE control_id = $1 GROUP BY reason", control
    )
    assert {row["reason"]: row["number"] for row in reasons} == {"limit": 1000, "frozen": 1}


async def test_every_node_above_the_spender_is_counted_and_may_refuse(
    tenant: Tenant, owner: asyncpg.Connection
) -> None:
    root = await department(owner, tenant.org_id, "root")
    team = await department(owner, tenant.org_id, "team", root)
    controls = {
        "organization": await tenant.control(limits(day=1000)),
        "root": await tenant.control(limits(day=500), subject=("department", root)),
        "agent": await tenant.control(limits(day=100), subject=("agent", "agt_1")),
        "project": await tenant.control(limits(day=90), subject=("project", "prj_1")),
        "run": await tenant.control(limits(day=80), subject=("run", "run_1")),
    }
    controls["key"] = await tenant.control(limits(day=70), subject=("key", "key_1"), parent=controls["agent"])
    other = await tenant.control(limits(day=1), subject=("agent", "agt_2"))

    charged = await tenant.charge(60, department_id=team, project_id="prj_1", run_id="run_1", key_id="key_1")
    assert charged.outcome is SpendOutcome.CHARGED
    assert {name: (await tenant.counter(control))["spent"] for name, control in controls.items()} == dict.fromkeys(
        controls, 60
    )
    assert (await tenant.counter(other))["spent"] == 0
    refused = await tenant.charge(45, key_id="key_2", agent_id="agt_1")
    assert refused.refusal is not None
    assert refused.refusal.control_id == controls["agent"]
    await tenant.books.assert_proven()


async def test_an_unknown_department_is_refused_because_it_would_have_no_limit(
    tenant: Tenant, owner: asyncpg.Connection
) -> None:
    foreign = await department(owner, fresh("org"), "foreign")
    for named in (foreign, "dep_none"):
        with pytest.raises(Invalid, match="no department"):
            await tenant.charge(1, department_id=named)


async def test_a_limit_of_zero_is_nothing_an_absent_one_counts_and_a_soft_one_lets_through(tenant: Tenant) -> None:
    await tenant.control(limits(day=0), subject=("run", "closed"))
    counted = await tenant.control(limits(day=None, uses=10), subject=("run", "counted"))
    soft = await tenant.control(limits(day=10, hard=False), subject=("run", "soft"))
    refused = await tenant.charge(1, run_id="closed")
    assert refused.refusal is not None
    assert refused.refusal.remaining == 0
    for run, control in (("counted", counted), ("soft", soft)):
        assert (await tenant.charge(500, run_id=run)).outcome is SpendOutcome.CHARGED
        assert (await tenant.counter(control))["spent"] == 500
    # Nothing at all fits into nothing.
    assert (await tenant.charge(0, run_id="closed")).outcome is SpendOutcome.CHARGED


async def test_uses_caps_and_frozen_controls_refuse_and_say_so(tenant: Tenant) -> None:
    uses = await tenant.control(limits(day=100, uses=2))
    for _ in range(2):
        await tenant.charge(1)
    refused = await tenant.charge(1)
    assert refused.refusal is not None
    assert (refused.refusal.reason, refused.refusal.limit, refused.refusal.remaining) == (RefusalReason.USES, 2, 0)

    await tenant.write(uses, LimitTerms(per_spend_minor=7).columns())
    assert (await tenant.charge(7)).outcome is SpendOutcome.CHARGED
    refused = await tenant.charge(8)
    assert refused.refusal is not None
    assert (refused.refusal.reason, refused.refusal.limit, refused.refusal.window) == (RefusalReason.PER_SPEND, 7, None)

    await tenant.write(uses, {"status": "frozen"})
    refused = await tenant.charge(1)
    assert refused.refusal is not None
    assert (refused.refusal.reason, refused.refusal.resets_at) == (RefusalReason.FROZEN, None)
    await tenant.write(uses, {"status": "closed"})
    assert (await tenant.charge(8)).outcome is SpendOutcome.CHARGED


async def test_of_several_refusing_controls_the_one_that_refuses_longest_is_returned(tenant: Tenant) -> None:
    await tenant.control(limits(hour=1, month=1, day=1))
    refused = await tenant.charge(2)
    assert refused.refusal is not None
    assert refused.refusal.window == "month"


async def test_a_limit_lowered_below_its_use_leaves_zero_and_still_allows_releases(tenant: Tenant) -> None:
    control = await tenant.control(limits(day=100))
    reserved = await tenant.reserve(60)
    await tenant.charge(30)
    await tenant.write(control, limits(day=10).columns())
    refused = await tenant.charge(1)
    assert refused.refusal is not None
    assert (refused.refusal.remaining, refused.refusal.limit) == (0, 10)
    # What costs nothing fits into nothing.
    many = await tenant.spending.charge_many([spend(0), spend(1), spend(0)], at=NOW)
    assert [answer.outcome for answer in many] == [SpendOutcome.CHARGED, SpendOutcome.REFUSED, SpendOutcome.CHARGED]
    await tenant.spending.release(key=fresh("r"), spend_id=reserved, at=NOW)
    assert await tenant.counter(control) == {"held": 0, "spent": 30, "refunded": 0, "forced": 0, "uses_spent": 3}


# Reservations


async def test_a_reservation_is_captured_in_parts_and_the_last_releases_the_rest(tenant: Tenant) -> None:
    control = await tenant.control(limits(day=100))
    reserved = await tenant.reserve(60)
    assert await tenant.balance() == (1_000_000, 60)
    assert (await tenant.counter(control))["held"] == 60

    first = await tenant.spending.settle(key=fresh("c"), spend_id=reserved, amount_minor=20, more=True, at=NOW)
    assert (first.status, first.captured_minor, first.held_minor, first.released_minor) == (
        SpendStatus.RESERVED, 20, 40, 0,
    )  # fmt: skip
    assert await tenant.balance() == (999_980, 40)
    last = await tenant.spending.settle(key=fresh("c"), spend_id=reserved, amount_minor=15, at=NOW)
    assert (last.status, last.captured_minor, last.held_minor, last.released_minor, last.available_minor) == (
        SpendStatus.CAPTURED, 35, 0, 25, 999_965,
    )  # fmt: skip
    assert await tenant.balance() == (999_965, 0)
    assert await tenant.counter(control) == {"held": 0, "spent": 35, "refunded": 0, "forced": 0, "uses_spent": 1}
    await tenant.books.assert_proven()


async def test_a_hold_counts_in_the_window_in_which_it_was_taken(tenant: Tenant) -> None:
    control = await tenant.control(limits(day=100))
    late = NOW + DAY - timedelta(minutes=1)
    reserved = await tenant.reserve(100, at=late)
    after = NOW + DAY + timedelta(minutes=1)
    assert (await tenant.charge(100, at=after)).outcome is SpendOutcome.CHARGED
    await tenant.spending.settle(key=fresh("c"), spend_id=reserved, amount_minor=70, at=after)
    before_midnight, after_midnight = await tenant.counter(control), await tenant.counter(control, at=after)
    assert (before_midnight["spent"], before_midnight["held"], after_midnight["spent"]) == (70, 0, 100)
    await tenant.spending.refund(key=fresh("r"), spend_id=reserved, amount_minor=10, at=after)
    assert (await tenant.counter(control))["refunded"] == 10


@pytest.mark.parametrize("act", ["settle", "release", "extend"])
async def test_an_ended_reservation_is_neither_captured_nor_released_nor_extended(tenant: Tenant, act: str) -> None:
    async def again(reserved: UUID, at: object) -> ChangeResult:
        more = {"expires_at": NOW + DAY} if act == "extend" else {}
        changed: ChangeResult = await getattr(tenant.spending, act)(key=fresh(act), spend_id=reserved, at=at, **more)
        return changed

    captured, released, expired = [await tenant.reserve(10) for _ in range(3)]
    await tenant.spending.settle(key=fresh("c"), spend_id=captured, at=NOW)
    await tenant.spending.release(key=fresh("r"), spend_id=released, at=NOW)
    for ended in (captured, released):
        with pytest.raises(Conflict, match="already captured or voided"):
            await again(ended, NOW)
    late = NOW + 2 * DAY
    if act != "release":
        with pytest.raises(Conflict, match="expired"):
            await again(expired, late)
    await tenant.books.ledger.expire_holds(now=late)
    with pytest.raises(Conflict, match="expired"):
        await again(expired, late)
    charged = await tenant.charge(1)
    assert charged.spend_id is not None
    with pytest.raises(Conflict, match="already captured or voided"):
        await again(charged.spend_id, NOW)
    with pytest.raises(NotFound):
        await again(UUID(int=7), NOW)
    await tenant.books.assert_proven()


async def test_an_extension_keeps_the_spend_its_counters_and_its_window(tenant: Tenant) -> None:
    control = await tenant.control(limits(day=100))
    reserved = await tenant.reserve(40, until=timedelta(hours=1))
    await tenant.spending.settle(key=fresh("c"), spend_id=reserved, amount_minor=10, more=True, at=NOW)
    extended = await tenant.spending.extend(key=fresh("e"), spend_id=reserved, expires_at=NOW + DAY, at=NOW)
    assert (extended.status, extended.amount_minor, extended.held_minor, extended.expires_at) == (
        SpendStatus.RESERVED, 30, 30, NOW + DAY,
    )  # fmt: skip
    assert await tenant.balance() == (999_990, 30)
    captured = await tenant.spending.settle(key=fresh("c"), spend_id=reserved, at=NOW + DAY - timedelta(seconds=1))
    assert (captured.captured_minor, captured.status) == (40, SpendStatus.CAPTURED)
    assert await tenant.counter(control) == {"held": 0, "spent": 40, "refunded": 0, "forced": 0, "uses_spent": 1}
    await tenant.books.assert_proven()


async def test_an_extension_is_later_than_before_and_within_the_term(tenant: Tenant) -> None:
    reserved = await tenant.reserve(10, until=timedelta(hours=2))
    for wrong in (NOW + timedelta(hours=2), NOW + RESERVATION_TERM + timedelta(seconds=1)):
        with pytest.raises(Invalid):
            await tenant.spending.extend(key=fresh("e"), spend_id=reserved, expires_at=wrong, at=NOW)
    with pytest.raises(Invalid):
        await tenant.spending.authorize(spend(1), expires_at=NOW + RESERVATION_TERM + timedelta(seconds=1), at=NOW)
    # It may be extended for as long as a new one may be made.
    later = NOW + timedelta(hours=1)
    ends = later + RESERVATION_TERM
    assert (
        await tenant.spending.extend(key=fresh("e"), spend_id=reserved, expires_at=ends, at=later)
    ).expires_at == ends


@pytest.mark.parametrize("amount", [0, 11, -1])
async def test_a_capture_is_at_most_the_held_amount(tenant: Tenant, amount: int) -> None:
    reserved = await tenant.reserve(10)
    with pytest.raises(Invalid):
        await tenant.spending.settle(key=fresh("c"), spend_id=reserved, amount_minor=amount, at=NOW)


async def test_changes_are_done_once_for_their_key_and_answered_the_same(tenant: Tenant) -> None:
    reserved, other = await tenant.reserve(50), await tenant.reserve(50)
    keys = [fresh("k") for _ in range(4)]

    async def act(number: int, spend_id: UUID) -> ChangeResult:
        spending, key = tenant.spending, keys[number]
        if number == 0:
            return await spending.extend(key=key, spend_id=spend_id, expires_at=NOW + DAY, at=NOW)
        if number == 1:
            return await spending.settle(key=key, spend_id=spend_id, amount_minor=20, more=True, at=NOW)
        if number == 2:
            return await spending.release(key=key, spend_id=spend_id, at=NOW)
        return await spending.refund(key=key, spend_id=spend_id, amount_minor=5, at=NOW)

    first = [await act(number, reserved) for number in range(4)]
    again = [await act(number, reserved) for number in range(4)]
    assert [change.replayed for change in again] == [True] * 4
    assert [replayed(change) for change in first] == [replayed(change) for change in again]
    for number in range(4):
        with pytest.raises(IdempotencyConflict):
            await act(number, other)
    assert await tenant.balance() == (999_985, 50)


def replayed(change: ChangeResult) -> list[object]:
    return [getattr(change, name) for name in change.__slots__ if name != "replayed"]


async def test_expired_reservations_are_swept_with_their_counters(tenant: Tenant) -> None:
    control = await tenant.control(limits(day=100, uses=5))
    untouched, touched = await tenant.reserve(30), await tenant.reserve(30)
    await tenant.spending.settle(key=fresh("c"), spend_id=touched, amount_minor=12, more=True, at=NOW)
    assert await tenant.books.ledger.expire_holds(now=NOW + DAY) >= 2
    rows = await tenant.books.connections[0].fetch(
        "SELECT status, captured, released FROM ledger.spends WHERE id = ANY ($1) ORDER BY captured",
        [untouched, touched],
    )
    assert [tuple(row) for row in rows] == [("expired", 0, 30), ("captured", 12, 18)]
    assert await tenant.counter(control) == {"held": 0, "spent": 12, "refunded": 0, "forced": 0, "uses_spent": 1}
    await tenant.books.assert_proven()


# Refunds, and what cannot be refused


async def test_a_refund_is_returned_to_the_credits_and_the_window_and_never_exceeds_the_spend(
    tenant: Tenant,
) -> None:
    control = await tenant.control(limits(day=100))
    charged = await tenant.charge(100)
    assert charged.spend_id is not None
    part = await tenant.spending.refund(key=fresh("r"), spend_id=charged.spend_id, amount_minor=30, at=NOW)
    assert (part.status, part.refunded_minor) == (SpendStatus.CHARGED, 30)
    assert (await tenant.charge(30)).outcome is SpendOutcome.CHARGED
    with pytest.raises(Conflict) as refused:
        await tenant.spending.refund(key=fresh("r"), spend_id=charged.spend_id, amount_minor=71, at=NOW)
    assert refused.value.error_code == "spend.refunded"
    rest = await tenant.spending.refund(key=fresh("r"), spend_id=charged.spend_id, at=NOW)
    assert (rest.status, rest.amount_minor) == (SpendStatus.REFUNDED, 70)
    with pytest.raises(Conflict):
        await tenant.spending.refund(key=fresh("r"), spend_id=charged.spend_id, at=NOW)
    assert await tenant.counter(control) == {"held": 0, "spent": 130, "refunded": 100, "forced": 0, "uses_spent": 2}
    assert await tenant.balance() == (999_970, 0)
    await tenant.books.assert_proven()


async def test_a_forced_spend_ignores_limits_and_becomes_a_debt_beyond_the_credits(books: Books) -> None:
    tenant = await Tenant.opened(books, 50)
    control = await tenant.control(limits(day=10))
    key = fresh("use")
    forced = await tenant.spending.force(spend(80, key=key), at=NOW)
    assert (forced.outcome, forced.available_minor) == (SpendOutcome.CHARGED, 0)
    assert (await tenant.spending.force(spend(80, key=key), at=NOW)).replayed
    assert await tenant.counter(control) == {"held": 0, "spent": 0, "refunded": 0, "forced": 80, "uses_spent": 1}
    assert await debt_of(tenant) == -30
    assert forced.spend_id is not None
    await tenant.spending.refund(key=fresh("r"), spend_id=forced.spend_id, amount_minor=40, at=NOW)
    assert (await debt_of(tenant), await tenant.balance()) == (0, (10, 0))
    await tenant.spending.force(spend(5), at=NOW)
    assert await tenant.balance() == (5, 0)
    await books.assert_proven()


async def debt_of(tenant: Tenant) -> int:
    return int(
        await tenant.books.connections[0].fetchval(
            "SELECT posted FROM ledger.balances b JOIN ledger.accounts a ON a.id = b.account_id WHERE a.path = $1",
            f"org/{tenant.org_id}/debt/CREDIT",
        )
    )


# Limits in money


async def test_limits_in_money_count_at_the_rate_of_the_time_rounded_against_the_spender(tenant: Tenant) -> None:
    asset = "JPY"
    control = await tenant.control(limits(day=10), asset=asset)
    connection = tenant.books.connections[0]
    refused = await tenant.charge(1)
    assert refused.refusal is not None
    assert refused.refusal.reason is RefusalReason.RATE

    async def rate(asset_minor: int, starts: timedelta, ends: timedelta | None) -> None:
        await set_credit_rate(
            connection, asset=asset, credit_minor=100, asset_minor=asset_minor, starts_at=NOW + starts,
            ends_at=None if ends is None else NOW + ends,
        )  # fmt: skip

    await rate(1, timedelta(0), timedelta(hours=1))
    reserved = await tenant.reserve(401)
    assert (await tenant.counter(control))["held"] == 5
    await rate(2, timedelta(minutes=1), timedelta(hours=2))
    await tenant.spending.settle(key=fresh("c"), spend_id=reserved, amount_minor=101, more=True, at=NOW)
    counted = await tenant.counter(control)
    assert (counted["spent"], counted["held"]) == (2, 3)
    await tenant.spending.settle(key=fresh("c"), spend_id=reserved, amount_minor=300, at=NOW)
    assert (await tenant.counter(control))["spent"] == 5
    await tenant.spending.refund(key=fresh("r"), spend_id=reserved, amount_minor=150, at=NOW)
    assert (await tenant.counter(control))["refunded"] == 1

    assert (await tenant.charge(300, at=NOW + timedelta(minutes=1))).outcome is SpendOutcome.CHARGED
    assert (await tenant.counter(control))["spent"] == 11
    late = await tenant.charge(1, at=NOW + timedelta(hours=3))
    assert late.refusal is not None
    assert late.refusal.reason is RefusalReason.RATE
    await tenant.spending.force(spend(100), at=NOW + timedelta(hours=3))
    assert (await tenant.counter(control))["forced"] == 2
    await tenant.books.assert_proven()


async def test_a_fully_refunded_capture_counts_as_zero_in_money(tenant: Tenant) -> None:
    control, asset = await tenant.control(limits(day=10), asset="JPY"), "JPY"
    await set_credit_rate(
        tenant.books.connections[0], asset=asset, credit_minor=100, asset_minor=1, starts_at=NOW, ends_at=None
    )
    reserved = await tenant.reserve(401)
    await tenant.spending.settle(key=fresh("c"), spend_id=reserved, amount_minor=101, more=True, at=NOW)
    for amount in (50, 51):
        await tenant.spending.refund(key=fresh("r"), spend_id=reserved, amount_minor=amount, at=NOW)
    assert await tenant.counter(control) == {"held": 3, "spent": 2, "refunded": 2, "forced": 0, "uses_spent": 1}
    await tenant.spending.settle(key=fresh("c"), spend_id=reserved, amount_minor=150, at=NOW)
    assert await tenant.counter(control) == {"held": 0, "spent": 4, "refunded": 1, "forced": 0, "uses_spent": 1}
    await tenant.spending.refund(key=fresh("r"), spend_id=reserved, at=NOW)
    assert await tenant.counter(control) == {"held": 0, "spent": 4, "refunded": 4, "forced": 0, "uses_spent": 1}


# Batches


async def test_a_batch_has_the_results_of_charging_its_items_in_turn(books: Books) -> None:
    tenant, model = await Tenant.opened(books, 1000), await Tenant.opened(books, 1000)
    for of in (tenant, model):
        await of.control(limits(day=500, uses=40))
        await of.control(limits(day=100), subject=("agent", "a"))
        await of.control(LimitTerms(per_spend_minor=30), subject=("agent", "b"))
    items = [
        spend(amount, agent_id=agent)
        for amount, agent in [(10, "a"), (20, "b"), (31, "b"), (60, "a"), (50, "a"), (30, "a"), (0, "c"), (7, "d")] * 9
    ]
    batch = await tenant.spending.charge_many(items, at=NOW)
    single = [await model.spending.charge(item, at=NOW) for item in items]
    assert [comparable(answer) for answer in batch] == [comparable(answer) for answer in single]
    assert await tenant.balance() == await model.balance()
    again = await tenant.spending.charge_many(items, at=NOW + DAY)
    assert [comparable(answer) for answer in again] == [comparable(answer) for answer in batch]
    assert all(answer.replayed for answer in again)
    await books.assert_proven()


def comparable(answer: SpendResult) -> tuple[object, ...]:
    why = answer.refusal
    return answer.outcome, answer.amount_minor, answer.available_minor, answer.at, why and (
        why.reason, why.subject_id if why.subject_kind != "organization" else "org", why.window, why.limit,
        why.remaining, why.resets_at,
    )  # fmt: skip


async def test_a_batch_that_fits_is_charged_in_one_statement_and_counts_every_spender(tenant: Tenant) -> None:
    control = await tenant.control(limits(day=1000, month=2000))
    agent = await tenant.control(limits(day=500), subject=("agent", "a"))
    items = [spend(2, agent_id=agent_id) for agent_id in ("a", "b")] * 1 + [spend(3, agent_id="a"), spend(0)]
    answers = await tenant.spending.charge_many(items, at=NOW)
    assert [answer.available_minor for answer in answers] == [999_998, 999_996, 999_993, 999_993]
    assert (await tenant.counter(control))["spent"] == (await tenant.counter(control, "month"))["spent"] == 7
    assert (await tenant.counter(control))["uses_spent"] == 4
    assert (await tenant.counter(agent))["spent"] == 5
    assert await tenant.spending.charge_many([], at=NOW) == []
    await tenant.books.assert_proven()


async def test_a_repeated_key_in_a_batch_is_charged_once_and_a_key_of_another_spend_is_a_conflict(
    tenant: Tenant,
) -> None:
    known, twice = spend(5), spend(7)
    await tenant.spending.charge(known, at=NOW)
    other = spend(6, key=known.key)
    answers = await tenant.spending.charge_many([twice, other, twice, known], at=NOW)
    assert [(answer.outcome, answer.replayed) for answer in answers] == [
        (SpendOutcome.CHARGED, False), (SpendOutcome.CONFLICT, True),
        (SpendOutcome.CHARGED, True), (SpendOutcome.CHARGED, True),
    ]  # fmt: skip
    assert answers[0].spend_id == answers[2].spend_id
    assert await tenant.balance() == (999_988, 0)


# Tenants


async def test_a_tenant_charges_reserves_settles_releases_and_extends_its_own(
    database_urls: DatabaseUrls, books: Books
) -> None:
    tenant = await Tenant.opened(books, 1000)
    async with connected(database_urls.tenant) as connection:
        mine = Spending(connection, tenant.org_id)
        charged = await mine.charge(spend(10))
        assert (charged.outcome, charged.available_minor) == (SpendOutcome.CHARGED, 990)
        batch = await mine.charge_many([spend(10), spend(2000)])
        assert [answer.outcome for answer in batch] == [SpendOutcome.CHARGED, SpendOutcome.INSUFFICIENT]
        now = await connection.fetchval("SELECT now()")
        reserved = await mine.authorize(spend(10), expires_at=now + timedelta(hours=1))
        assert reserved.spend_id is not None
        await mine.extend(key=fresh("e"), spend_id=reserved.spend_id, expires_at=now + timedelta(hours=2))
        await mine.settle(key=fresh("c"), spend_id=reserved.spend_id, amount_minor=1, more=True)
        released = await mine.release(key=fresh("r"), spend_id=reserved.spend_id)
        assert (released.status, released.available_minor) == (SpendStatus.CAPTURED, 979)
        assert await connection.fetchval("SELECT public.bursar_org()") is None
        theirs = Spending(connection, (await Tenant.opened(books, 1)).org_id)
        with pytest.raises(NotFound):
            await theirs.release(key=fresh("r"), spend_id=reserved.spend_id)
        for call in (
            mine.charge(spend(1), at=NOW),
            mine.force(spend(1), at=NOW),
            mine.refund(key=fresh("r"), spend_id=charged.spend_id or UUID(int=7), at=NOW),
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await call
    await books.assert_proven()


async def test_organizations_charged_together_share_a_transaction_and_never_wait_for_each_other(
    database_urls: DatabaseUrls, books: Books
) -> None:
    one, poor, knowing, busy, limited, last = [await Tenant.opened(books, amount) for amount in (9, 1, 9, 9, 9, 9)]
    repeated = spend(2)
    await knowing.spending.charge(repeated)
    await limited.control(limits(day=1))
    connection, owner = await asyncpg.connect(database_urls.tenant), await asyncpg.connect(database_urls.owner)
    spends = [(tenant.org_id, spend(2)) for tenant in (one, poor, busy, limited, last)]
    try:
        async with owner.transaction():
            await owner.execute("SELECT FROM ledger.balances WHERE org_id = $1 FOR UPDATE", busy.org_id)
            answers = await charge_together(connection, [*spends, (knowing.org_id, repeated)])
        transactions = await owner.fetch(
            "SELECT DISTINCT xmin FROM ledger.spends WHERE org_id = ANY ($1)", [one.org_id, last.org_id]
        )
        assert await connection.fetchval("SELECT public.bursar_org()") is None
    finally:
        await connection.close()
        await owner.close()
    left = [answer and (answer.outcome, answer.available_minor) for answer in answers]
    assert left == [(SpendOutcome.CHARGED, 7), None, None, None, (SpendOutcome.CHARGED, 7), None]
    assert len(transactions) == 1
    balances = [await tenant.balance() for tenant in (one, poor, busy, limited, last, knowing)]
    assert balances == [(7, 0), (1, 0), (9, 0), (9, 0), (7, 0), (7, 0)]
    assert (await one.charge(2, key=spends[0][1].key)).replayed
    await books.assert_proven()


async def test_a_transaction_charges_only_the_organizations_that_it_was_set_to(
    database_urls: DatabaseUrls, books: Books
) -> None:
    one, other = await Tenant.opened(books, 100), await Tenant.opened(books, 100)
    async with connected(database_urls.tenant) as connection:
        for named in ("", one.org_id, f"{other.org_id},{one.org_id}"):
            async with connection.transaction():
                await connection.execute("SELECT set_config('bursar.org_id', $1, true)", named)
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    async with connection.transaction():
                        await connection.fetch(
                            "SELECT ledger.charge_together($1, $2, $2, $3, $3, $4, $4, $4, $4, $4, $4, $5)",
                            [one.org_id, other.org_id], ["k", "l"], [1, 1], [None, None], [None, None],
                        )  # fmt: skip
        async with connection.transaction():
            await Spending(connection, one.org_id).charge(spend(1))
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                async with connection.transaction():
                    await charge_together(connection, [(other.org_id, spend(1))])
    assert (await one.balance(), await other.balance()) == ((99, 0), (100, 0))


async def test_a_transaction_set_to_one_organization_charges_no_other(
    database_urls: DatabaseUrls, books: Books
) -> None:
    one, other = await Tenant.opened(books, 100), await Tenant.opened(books, 100)
    async with connected(database_urls.tenant) as connection:
        async with undone(connection):
            await Spending(connection, one.org_id).charge(spend(1))
            with pytest.raises(Invalid):
                await Spending(connection, other.org_id).charge(spend(1))
        with pytest.raises(asyncpg.PostgresError, match="works for none"):
            await connection.fetch("SELECT ledger.charge('k', 'a', 1, 1)")
    assert (await one.balance(), await other.balance()) == ((100, 0), (100, 0))


async def test_two_organizations_may_choose_one_key(books: Books) -> None:
    key = fresh("use")
    for tenant in (await Tenant.opened(books, 100), await Tenant.opened(books, 100)):
        assert not (await tenant.charge(1, key=key)).replayed


@pytest.mark.parametrize("table", ["counters", "spends", "spend_changes", "refusals", "refusal_counts"])
async def test_a_tenant_sees_its_own_rows_only_and_writes_none(
    database_urls: DatabaseUrls, books: Books, table: str
) -> None:
    tenants = [await Tenant.opened(books, 100), await Tenant.opened(books, 100)]
    for tenant in tenants:
        await tenant.control(limits(day=50))
        reserved = await tenant.reserve(10)
        await tenant.spending.release(key=fresh("r"), spend_id=reserved, at=NOW)
        await tenant.charge(60)
    async with connected(database_urls.tenant) as connection:
        assert await connection.fetch(f"SELECT org_id FROM ledger.{table}") == []
        async with connection.transaction():
            await connection.execute("SELECT set_config('bursar.org_id', $1, true)", tenants[0].org_id)
            rows = await connection.fetch(f"SELECT org_id FROM ledger.{table}")
        assert {row["org_id"] for row in rows} == {tenants[0].org_id}
        for statement in ("DELETE FROM ledger.{}", "UPDATE ledger.{} SET org_id = 'x'"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement.format(table))


@for_each(
    "statement",
    [
        "DELETE FROM ledger.spends",
        "UPDATE ledger.spends SET amount = 1",
        "UPDATE ledger.counters SET starts_at = now()",
        "DELETE FROM ledger.counters",
        "UPDATE ledger.spend_changes SET amount = 1",
        "DELETE FROM ledger.refusals",
        "UPDATE ledger.refusals SET amount = 1",
        "UPDATE ledger.rates SET quote_minor = 1",
    ],
)
async def test_stored_spends_are_immutable(owner: asyncpg.Connection, statement: str) -> None:
    with pytest.raises(asyncpg.PostgresError, match="append-only"):
        await owner.execute(statement)


# Lots


async def lot(tenant: Tenant, amount_minor: int, expires_at: datetime | None = None, paid_minor: int = 0) -> UUID:
    """Issue credits as one lot of these terms."""
    number = await tenant.books.connections[0].fetchval("SELECT uuidv7()")
    paid = {"paid": paid_minor, "paid_asset": "USD"} if paid_minor else {}
    if paid_minor:
        await tenant.books.pay(paid_minor)
    ends = {} if expires_at is None else {"expires_at": expires_at.isoformat()}
    await tenant.books.connections[0].fetch(
        "SELECT ledger.post($1, 't', s.id, d.id, $2, NULL, $3, NULL, NULL, $4)"
        " FROM ledger.accounts s, ledger.accounts d"
        " WHERE s.path = 'platform/credit_issuance' AND s.asset = 'CREDIT' AND d.path = $5",
        fresh("issue"),
        amount_minor,
        NOW,
        json.dumps({"source": "promotion", "id": str(number), **ends, **paid}),
        f"org/{tenant.org_id}/credits",
    )
    return UUID(str(number))


async def lots_left(tenant: Tenant, *lots: UUID) -> list[tuple[int, int, int]]:
    """Return each lot's rest, its held part, and its used cost."""
    rows = await tenant.books.connections[0].fetch(
        "SELECT l.remaining, l.held, l.costed FROM unnest($1::uuid[]) WITH ORDINALITY n (id, ord)"
        " JOIN ledger.lots l USING (id) ORDER BY n.ord",
        lots,
    )
    return [tuple(row) for row in rows]


@pytest.mark.parametrize("amounts", [(30, 70, 60), (70, 60, 30)])
async def test_a_charge_takes_its_lots_in_their_order_and_their_cost_with_them(
    books: Books, amounts: tuple[int, ...]
) -> None:
    tenant = await Tenant.opened(books, 1)
    await tenant.charge(1)
    paid, ends = await lot(tenant, 100, paid_minor=33), await lot(tenant, 100, NOW + DAY)
    for amount in amounts:
        assert (await tenant.charge(amount)).outcome is SpendOutcome.CHARGED
    assert await lots_left(tenant, ends, paid) == [(0, 0, 0), (40, 0, 19)]
    await books.assert_proven()


async def test_expired_credits_are_not_spent_before_the_sweep(books: Books) -> None:
    tenant = await Tenant.opened(books, 1)
    await lot(tenant, 100, NOW + DAY)
    refused = await tenant.charge(50, at=NOW + DAY)
    assert (refused.outcome, refused.available_minor) == (SpendOutcome.INSUFFICIENT, 1)
    assert (await tenant.charge(1, at=NOW + DAY)).available_minor == 0
    assert (await tenant.charge(50, at=NOW + DAY - timedelta(microseconds=1))).outcome is SpendOutcome.CHARGED
    answers = await tenant.spending.charge_many([spend(1), spend(1)], at=NOW + DAY)
    assert [answer.outcome for answer in answers] == [SpendOutcome.INSUFFICIENT] * 2
    await books.assert_proven()


async def test_a_reservation_keeps_its_lots_through_captures_and_extensions(books: Books) -> None:
    tenant = await Tenant.opened(books, 1)
    await tenant.charge(1)
    ends = await lot(tenant, 100, NOW + 3 * DAY)
    reserved = await tenant.reserve(60)
    await lot(tenant, 100, NOW + DAY)
    await tenant.spending.settle(key=fresh("c"), spend_id=reserved, amount_minor=20, more=True, at=NOW)
    await tenant.spending.extend(key=fresh("e"), spend_id=reserved, expires_at=NOW + 2 * DAY, at=NOW)
    assert await lots_left(tenant, ends) == [(80, 40, 0)]
    with pytest.raises(Invalid, match="can be extended"):
        await tenant.spending.extend(
            key=fresh("e"), spend_id=reserved, expires_at=NOW + 3 * DAY + timedelta(seconds=1), at=NOW
        )
    await tenant.spending.extend(key=fresh("e"), spend_id=reserved, expires_at=NOW + 3 * DAY, at=NOW)
    await tenant.spending.settle(key=fresh("c"), spend_id=reserved, amount_minor=30, at=NOW)
    assert await lots_left(tenant, ends) == [(50, 0, 0)]
    await books.assert_proven()


async def test_changes_of_a_reservation_keep_its_lots_and_take_no_other_expired_ones(books: Books) -> None:
    """Expired credits cannot be used, even before a late sweep."""
    tenant = await Tenant.opened(books, 1)
    await tenant.charge(1)
    ends = await lot(tenant, 100, NOW + DAY)
    before = await tenant.reserve(90, until=timedelta(minutes=1))
    stays = await lot(tenant, 50)
    reserved = await tenant.reserve(40, until=3 * DAY)
    assert await lots_left(tenant, ends, stays) == [(100, 100, 0), (50, 30, 0)]
    await tenant.spending.release(key=fresh("r"), spend_id=before, at=NOW)
    after = NOW + 2 * DAY
    step = await tenant.spending.settle(key=fresh("c"), spend_id=reserved, amount_minor=4, more=True, at=after)
    assert step.available_minor == 20
    assert await lots_left(tenant, ends, stays) == [(96, 6, 0), (50, 30, 0)]
    await tenant.spending.settle(key=fresh("c"), spend_id=reserved, at=after)
    assert await lots_left(tenant, ends, stays) == [(90, 0, 0), (20, 0, 0)]
    await books.assert_proven()


async def test_a_refund_is_returned_to_the_lots_that_paid(books: Books) -> None:
    tenant = await Tenant.opened(books, 1)
    await tenant.charge(1)
    first, second = await lot(tenant, 50, NOW + DAY, paid_minor=10), await lot(tenant, 50, NOW + 2 * DAY)
    charged, reserved = await tenant.charge(60), await tenant.reserve(30)
    await tenant.spending.settle(key=fresh("c"), spend_id=reserved, amount_minor=10, more=True, at=NOW)
    await tenant.spending.settle(key=fresh("c"), spend_id=reserved, at=NOW)
    assert charged.spend_id is not None
    for spend_id in (charged.spend_id, reserved):
        await tenant.spending.refund(key=fresh("r"), spend_id=spend_id, at=NOW)
    assert await lots_left(tenant, first, second) == [(50, 0, 0), (50, 0, 0)]
    await books.assert_proven()


async def test_a_refund_of_a_debt_is_returned_to_the_lots_that_paid_the_debt(books: Books) -> None:
    """Credits that end pay a debt and come back: they end when they would have."""
    tenant = await Tenant.opened(books, 10)
    forced = await tenant.spending.force(spend(40), at=NOW)
    assert forced.spend_id is not None
    lots = await lot(tenant, 20, NOW + DAY), await lot(tenant, 9, NOW + 2 * DAY, paid_minor=90)
    await books.ledger.post(
        key=fresh("paid"),
        kind="debt.paid",
        source=org_credits(tenant.org_id),
        destination=org_debt(tenant.org_id, "CREDIT"),
        amount_minor=26,
        effective_at=NOW,
    )
    assert await lots_left(tenant, *lots) == [(0, 0, 0), (3, 0, 60)]
    for part in (4, 10, 6, 20):
        await tenant.spending.refund(key=fresh("r"), spend_id=forced.spend_id, amount_minor=part, at=NOW)
        await books.assert_proven()
    # Four were still owed; of what had been paid at once ten came back, and the rest is what has paid the debt.
    assert (await debt_of(tenant), await tenant.balance()) == (0, (39, 0))
    assert await lots_left(tenant, *lots) == [(20, 0, 0), (9, 0, 0)]
    assert await books.ledger.available([org_credits(tenant.org_id)], NOW + 2 * DAY) == [10]


async def test_a_refund_of_a_debt_returns_bought_credits_that_paid_it_on_arrival(books: Books) -> None:
    tenant = await Tenant.opened(books, 10)
    forced = await tenant.spending.force(spend(25), at=NOW)
    assert forced.spend_id is not None
    own, debt = payment("pay_1", "CREDIT", tenant.org_id), org_debt(tenant.org_id, "CREDIT")
    await books.pay(200)
    bought = LotTerms(source=LotSource.PURCHASE, paid_minor=200, paid_asset="USD", payment_id="pay_1")
    wallet = org_credits(tenant.org_id)
    await books.ledger.post_compound(
        key=fresh("bought"),
        kind="payment.received",
        postings=[Posting(ISSUANCE, own, 20, bought), Posting(own, debt, 15), Posting(own, wallet, 5)],
        effective_at=NOW,
    )
    await tenant.spending.refund(key=fresh("r"), spend_id=forced.spend_id, at=NOW)
    assert (await debt_of(tenant), await tenant.balance()) == (0, (30, 0))
    lots = await books.connections[0].fetch(
        "SELECT l.source, l.payment_id, sum(l.remaining)::bigint, sum(l.paid - l.costed)::bigint FROM ledger.lots l"
        " JOIN ledger.accounts a ON a.id = l.account_id WHERE a.path = $1 GROUP BY 1, 2 ORDER BY 1",
        wallet.path,
    )
    assert [tuple(row) for row in lots] == [("adjustment", None, 10, 0), ("purchase", "pay_1", 20, 200)]
    await recognise(books.connections[0])
    await books.assert_proven()


async def test_a_batch_takes_lots_and_their_cost_as_its_items_would_one_by_one(books: Books) -> None:
    taken = []
    for batch in (True, False):
        tenant = await Tenant.opened(books, 1)
        await tenant.charge(1)
        lots = [
            await lot(tenant, 40, NOW + DAY, paid_minor=17),
            await lot(tenant, 1, NOW + 2 * DAY),
            await lot(tenant, 90, paid_minor=1_001),
        ]
        reserved = await tenant.reserve(7)
        items = [spend(amount) for amount in (5, 9, 0, 13, 30, 1, 22)]
        if batch:
            await tenant.spending.charge_many(items, at=NOW)
        else:
            for item in items:
                await tenant.spending.charge(item, at=NOW)
        await tenant.spending.release(key=fresh("r"), spend_id=reserved, at=NOW)
        uses = await books.connections[0].fetch(
            "SELECT u.amount, u.cost FROM ledger.lot_uses u JOIN ledger.spends s USING (transfer_id)"
            " WHERE s.org_id = $1 AND s.amount > 1 ORDER BY s.amount, u.amount, u.cost",
            tenant.org_id,
        )
        taken.append((await lots_left(tenant, *lots), [tuple(row) for row in uses]))
    assert taken[0] == taken[1]
    await books.assert_proven()


@pytest.mark.parametrize("out_of_time", [{"ends_at": NOW}, {"starts_at": NOW + timedelta(days=1)}])
async def test_controls_above_apply_outside_of_a_controls_term(books: Books, out_of_time: dict[str, datetime]) -> None:
    tenant = await Tenant.opened(books)
    above = await tenant.control(limits(day=100), subject=("project", "prj_1"))
    below = await tenant.control(limits(day=1000), subject=("agent", "agt_1"), parent=above)
    await tenant.write(below, {name: at.isoformat() for name, at in out_of_time.items()})
    await tenant.charge(60, agent_id="agt_1")
    assert (await tenant.counter(above))["spent"] == 60
    refused = await tenant.charge(60, agent_id="agt_1")
    assert (refused.outcome, (await tenant.counter(above))["spent"]) == (SpendOutcome.REFUSED, 60)
