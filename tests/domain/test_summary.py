"""The parts of a summary: each account in exactly one, and together what the books hold."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, strategies as st

from domain.common import accounts
from domain.payouts.payable import EarningsShare, PayableState
from domain.payouts.summary import FAMILIES, FamilyBalance, SummaryPart, asset_summaries, earnings_by_agent, part_of
from tests.docs.test_chart_of_accounts import every_account

NOW = datetime(2026, 11, 22, tzinfo=UTC)
BELOW_ZERO = {SummaryPart.OWED, SummaryPart.INVOICED}
ASSETS = st.sampled_from(["CREDIT", "USD", "SLOT"])
AMOUNTS = st.integers(0, 10**12)
OF_PAID = [state for state in PayableState if state is not PayableState.GRANTED]


def test_every_account_of_an_organization_feeds_a_part() -> None:
    owned = [one for one in every_account() if one.org_id is not None] + [accounts.agent_sales("{id}", "org")]
    assert {part_of(one.path) for one in owned} == set(SummaryPart)
    assert {"/".join([*one.path.split("/"), ""][0:3:2]) for one in owned} == set(FAMILIES)


@pytest.mark.parametrize("path", ["platform/commission", "org/org_1/else", "agent/agt_1", "escrow/esc_1/more", "org"])
def test_other_paths_feed_none(path: str) -> None:
    with pytest.raises(LookupError):
        part_of(path)


@given(
    st.dictionaries(st.tuples(st.sampled_from(FAMILIES), ASSETS), st.tuples(AMOUNTS, AMOUNTS)),
    st.dictionaries(st.tuples(st.sampled_from(OF_PAID), ASSETS, st.sampled_from("ab")), AMOUNTS),
    AMOUNTS,
)
def test_parts_add_up_to_the_books(
    held: dict[tuple[str, str], tuple[int, int]], paid: dict[tuple[PayableState, str, str], int], expired: int
) -> None:
    shares = [
        EarningsShare(agent_id=agent, asset=asset, state=state, amount_minor=amount, currency=asset, worth_minor=amount)
        for (state, asset, agent), amount in paid.items()
    ]
    standings = [
        FamilyBalance(path=f"agent/{one.agent_id}/earnings/{one.asset}", asset=one.asset, posted_minor=one.amount_minor)
        for one in shares
    ]
    for (family, asset), (free, aside) in held.items():
        root, kind = family.split("/")
        path = f"{root}/x/{kind}" if kind else f"{root}/x"
        part = part_of(path)
        if part is not SummaryPart.EARNINGS:
            sign = -1 if part in BELOW_ZERO else 1
            agent_id = "a" if root == "agent" else None
            standings.append(
                FamilyBalance(
                    path=path, asset=asset, agent_id=agent_id, posted_minor=sign * free + aside, held_minor=aside
                )
            )
    found = {one.asset: one for one in asset_summaries(standings, earnings_by_agent(standings, shares, NOW), expired)}
    assert {asset: one.total for asset, one in found.items()} == {
        asset: sum(one.posted_minor for one in standings if one.asset == asset) for asset in found
    }
    assert set(found) == {one.asset for one in standings}
    assert all(one.owed >= 0 and one.invoiced >= 0 and one.in_escrow >= 0 for one in found.values())


def test_first_pending_earnings_say_until_when() -> None:
    shares = [
        EarningsShare(
            agent_id=agent,
            asset="USD",
            state=PayableState.PENDING,
            amount_minor=5,
            currency="USD",
            worth_minor=5,
            first_in=timedelta(days=days),
        )
        for agent, days in (("a", 3), ("b", 2))
    ]
    standings = [FamilyBalance(path=f"agent/{x}/earnings/USD", asset="USD", agent_id=x, posted_minor=5) for x in "ab"]
    earned = earnings_by_agent(standings, shares, NOW)
    assert [one.pending_until for one in earned] == [NOW + timedelta(days=3), NOW + timedelta(days=2)]
    (usd,) = asset_summaries(standings, earned, 0)
    assert (usd.earnings.pending, usd.earnings.pending_until) == (10, NOW + timedelta(days=2))
