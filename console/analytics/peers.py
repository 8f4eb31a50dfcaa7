"""What the page of the comparison with others shows: in which quarter of its group the organization stands."""

from collections.abc import Mapping
from dataclasses import dataclass

from console.analytics.view import tabs
from console.format import Moment, Prefs, moment, month
from console.forms import FormState
from console.gateway import Answer
from console.sections import unanswered
from console.widgets import Failed, FormPage, Tab
from domain.insight.peers import MemberKind, PeerMetric

#: What organizations are compared by; agents are on their own pages.
METRICS = tuple(each for each in PeerMetric if each.of is MemberKind.ORGANIZATION)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    label: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Peers(FormPage):
    """The page. `agreed` is since when it is compared; `action` is empty for who may not agree or withdraw."""

    tabs: tuple[Tab, ...]
    month: str
    rows: tuple[Standing, ...]
    agreed: Moment | None
    failed: Failed | None


def page(answers: Mapping[str, Answer], form: FormState, prefs: Prefs, base: str, *, may_agree: bool) -> Peers:
    """Return the page for what `GET /analytics/peers` answered to each of `METRICS`."""
    first = answers[METRICS[0].value]
    agreed = first.body["agreed_at"] if first.ok else None
    return Peers(
        title="Analytics",
        tabs=tabs(base, "/analytics/peers"),
        month=month(first.body["month"], prefs) if first.ok else "",
        rows=tuple(
            Standing(label=f"{each.words[:1].upper()}{each.words[1:]}", sentence=answers[each.value].body["sentence"])
            for each in METRICS
            if answers[each.value].ok
        ),
        agreed=moment(agreed, prefs) if agreed else None,
        action=f"{base}/analytics/peers/consent" if may_agree else "",
        form=form,
        failed=unanswered("Comparison", first, f"{base}/analytics/peers"),
    )
