"""Rings: small groups in which money or ratings circle. Pure.

Candidates are nested: pairs of neighbours are joined in the order of their similarity (Jaccard, of neighbourhoods with
the node itself), so each join makes a group. A group's score is its closed flow times the smallest inside share of a
member, so that trades with others lower the score of the group only as far as they outweigh those inside.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

#: A flow in one direction, such as cents or ratings, by source and target.
Flows = Mapping[tuple[str, str], int]

SMALLEST, LARGEST = 3, 8
WHOLE_E4 = 10_000


@dataclass(frozen=True, slots=True)
class Ring:
    """A group in which flows circle.

    Attributes:
        members: in order.
        closed: the directed pairs of members whose flow circles: over members, the smaller of the numbers of members
            that it pays and that pay it.
        closed_flow: the same in the unit of the flows.
        inside_e4: the smallest share of a member's flows that stays inside, in ten-thousandths.
    """

    members: tuple[str, ...]
    closed: int
    closed_flow: int
    inside_e4: int

    @property
    def score_e4(self) -> int:
        """The closed pairs times the inside share, in ten-thousandths."""
        return self.closed * self.inside_e4

    @property
    def group(self) -> str:
        """The name of its case. The first member names it, because a ring may grow from night to night."""
        return f"ring:{self.members[0]}"


def rings(flows: Flows, circling: Flows, *, by_amount: bool) -> list[Ring]:
    """Return disjoint rings of 3 to 8 members by falling score.

    Args:
        flows: all of them.
        circling: those between members of a strongly connected component: no other can circle.
        by_amount: whether the inside share is that of amounts; otherwise of pairs, whatever their amounts.
    """
    counted = flows if by_amount else dict.fromkeys(flows, 1)
    total: dict[str, int] = defaultdict(int)
    for (source, target), amount in counted.items():
        total[source] += amount
        total[target] += amount
    found = [_ring(group, circling, counted, total) for group in _candidates(circling)]
    taken: set[str] = set()
    best = []
    for ring in sorted(found, key=lambda each: (-each.score_e4, each.members)):
        if ring.closed and taken.isdisjoint(ring.members):
            taken.update(ring.members)
            best.append(ring)
    return best


def _candidates(circling: Flows) -> Iterable[frozenset[str]]:
    near: dict[str, set[str]] = defaultdict(set)
    for source, target in circling:
        near[source] |= {source, target}
        near[target] |= {source, target}
    pairs = {(min(pair), max(pair)) for pair in circling}
    similar = []
    for one, other in pairs:
        common = len(near[one] & near[other])
        similar.append((-common * WHOLE_E4 // (len(near[one]) + len(near[other]) - common), one, other))
    group_of: dict[str, frozenset[str]] = {}
    found: dict[frozenset[str], None] = {}
    for _, one, other in sorted(similar):
        first, second = (group_of.get(each, frozenset({each})) for each in (one, other))
        if first is second or len(joined := first | second) > LARGEST:
            continue
        group_of.update(dict.fromkeys(joined, joined))
        if len(joined) >= SMALLEST:
            found[joined] = None
    return found


def _ring(group: frozenset[str], circling: Flows, counted: Flows, total: Mapping[str, int]) -> Ring:
    pairs = [(one, other) for one in group for other in group if (one, other) in circling]
    closed = closed_flow = 0
    inside_e4 = WHOLE_E4
    for member in group:
        paid = [pair for pair in pairs if pair[0] == member]
        received = [pair for pair in pairs if pair[1] == member]
        closed += min(len(paid), len(received))
        closed_flow += min(sum(circling[pair] for pair in paid), sum(circling[pair] for pair in received))
        inside = sum(counted[pair] for pair in (*paid, *received))
        inside_e4 = min(inside_e4, inside * WHOLE_E4 // total[member])
    return Ring(tuple(sorted(group)), closed, closed_flow, inside_e4)
