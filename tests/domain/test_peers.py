"""Comparison with others: a member learns its own quarter, and no figure of another member."""

from fractions import Fraction

from hypothesis import given, strategies as st

from domain.insight.peers import (
    SENTENCES,
    PeerMember,
    PeerMetric,
    PeerReason,
    owner_groups,
    quarter_of,
    rank_members,
    sentence_of,
)


def group(*values: int | None, orgs: list[str] | None = None) -> list[PeerMember]:
    return [
        PeerMember(
            member_id=f"m{number}",
            org_id=orgs[number] if orgs else f"o{number}",
            value=None if value is None else Fraction(value),
            weight=value or 0,
        )
        for number, value in enumerate(values)
    ]


def quarters(members: list[PeerMember], *traits: tuple[str, str]) -> list[int | PeerReason | None]:
    found = rank_members(members, owner_groups({member.org_id for member in members}, traits))
    assert [(each.member_id, each.org_id) for each in found] == [(each.member_id, each.org_id) for each in members]
    return [each.quarter or each.reason for each in found]


def test_eight_members_fill_four_quarters():
    assert quarters(group(10, 11, 12, 13, 14, 15, 16, 17)) == [1, 1, 2, 2, 3, 3, 4, 4]


def test_seven_members_are_too_few_and_members_without_figures_do_not_count():
    assert set(quarters(group(*[10] * 7))) == {PeerReason.TOO_FEW}
    assert quarters(group(*[10] * 7, None)) == [PeerReason.TOO_FEW] * 7 + [PeerReason.NOT_COUNTED]


def test_group_dominated_by_one_member_is_not_shown():
    assert PeerReason.DOMINATED not in quarters(group(30, *[10] * 7))
    assert set(quarters(group(31, *[10] * 7))) == {PeerReason.DOMINATED}


def test_organizations_of_one_owner_count_once_and_share_their_weight():
    members = group(*range(10, 22))
    five = [("o0", "card"), ("o1", "card"), ("o1", "tax"), ("o2", "tax"), ("o3", "card"), ("o4", "card")]
    assert PeerReason.TOO_FEW not in quarters(members, *five[:1])
    assert set(quarters(members[:11], *five)) == {PeerReason.TOO_FEW}
    assert set(quarters(group(*[10] * 12), *five)) == {PeerReason.DOMINATED}
    # Agents of one organization are of one hand by themselves.
    assert set(quarters(group(*[10] * 9, orgs=["o1"] * 3 + [f"o{n}" for n in range(2, 8)]))) == {PeerReason.TOO_FEW}


def test_many_organizations_of_one_owner_cannot_infer_others_figures():
    probes = [PeerMember(member_id=f"p{n:02}", org_id="mine", value=Fraction(n), weight=1) for n in range(90)]
    found = quarters([*group(*range(10, 90, 8)), *probes])[10:]
    assert [each for each in found if each is not PeerReason.NOT_COUNTED] == [4]


def test_other_organizations_of_its_owner_do_not_move_a_member():
    alone = quarters(group(*range(10, 20)))
    members = [*group(*range(10, 20)), PeerMember(member_id="x", org_id="x", value=Fraction(1), weight=1)]
    assert quarters(members, ("o0", "card"), ("x", "card"))[:10] == alone


@given(pairs=st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("123456")), max_size=12))
def test_owners_are_the_connected_components(pairs: list[tuple[str, str]]):
    found = owner_groups("abcdef", pairs)
    parts = [{org} for org in "abcdef"]
    for trait in "123456":
        sharing = {org for org, other in pairs if other == trait}
        joined = [part for part in parts if part & sharing]
        if joined:
            parts = [part for part in parts if not part & sharing] + [set().union(*joined)]
    assert all(
        (found[one] == found[other]) == any({one, other} <= part for part in parts) for one in found for other in found
    )


@given(values=st.lists(st.integers(1, 1000), min_size=7, max_size=30), more=st.integers(1, 10**6))
def test_quarter_does_not_reveal_the_distance_of_a_figure(values: list[int], more: int):
    others = [Fraction(value) for value in values]
    top = max(others)
    before = quarter_of(top + 1, others)
    raised = [value + more if value == top else value for value in others]
    mine = Fraction(0)
    assert quarter_of(mine, raised) == quarter_of(mine, others) == 1
    assert before == 4


@given(
    values=st.lists(st.integers(90, 110), min_size=20, max_size=60),
    victim=st.integers(90, 110),
    mine=st.integers(90, 110),
)
def test_one_member_moves_another_by_one_quarter_at_most(values: list[int], victim: int, mine: int):
    others = [Fraction(value) for value in values]
    before, after = quarter_of(Fraction(mine), others), quarter_of(Fraction(mine), [*others, Fraction(victim)])
    assert abs(before - after) <= 1


def test_every_result_has_a_sentence():
    said = [sentence_of(metric, quarter) for metric in PeerMetric for quarter in (1, 2, 3, 4)] + list(
        SENTENCES.values()
    )
    assert set(SENTENCES) == set(PeerReason)
    assert len(set(said)) == len(said)
    assert all(each.endswith(".") for each in said)
