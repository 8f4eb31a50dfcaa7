"""Backtests: what a rule would have done to decisions, with the facts that they saw. Pure."""

import heapq
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from domain.risk.act import Label, Outcome
from domain.risk.facts import Facts
from domain.risk.rule import UNAVAILABLE, Compiled, outcome_with

#: A rule that changes more takes two operators: a share of decisions in percent, or a number of organizations.
LARGE_PERCENT, LARGE_ORGANIZATIONS = 1, 10
MOST_NAMED = 20
_STOPPED = frozenset({Outcome.REVIEW, Outcome.BLOCK})


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A stored decision, with the facts that the rule names. `value_minor` is as in `models.risk.decision`."""

    decision_id: str
    org_id: str | None
    outcome: Outcome
    rule: str | None
    facts: Facts
    currency: str
    value_minor: int
    label: Label | None


@dataclass(slots=True)
class Backtest:
    """The effect of a rule, as decisions are added.

    Attributes:
        rule: that is tested as if it had been on.
        decisions: how many were added.
        changed: those that would have had another outcome; the further attributes are about these.
        newly_stopped: those that were reviewed or blocked only with the rule.
        newly_allowed: those that were reviewed or blocked only without the rule.
        value_minor: by the currency of the act.
        samples: the ids of the newest.
    """

    rule: Compiled
    decisions: int = 0
    matching: int = 0
    changed: int = 0
    newly_stopped: int = 0
    newly_allowed: int = 0
    organizations: Counter[str] = field(default_factory=Counter)
    value_minor: Counter[str] = field(default_factory=Counter)
    labels: Counter[Label] = field(default_factory=Counter)
    samples: list[str] = field(default_factory=list)
    is_cut: bool = False

    def add(self, decisions: Iterable[Decided]) -> None:
        """Add decisions of the rule's points."""
        for each in decisions:
            self.decisions += 1
            # A decision that took too long saw no facts, and all of them would be 0.
            if each.rule != UNAVAILABLE and self.rule.matches(each.facts):
                self._match(each)

    def _match(self, each: Decided) -> None:
        self.matching += 1
        outcome = outcome_with(each.outcome, each.rule, self.rule.rule)
        if outcome is each.outcome:
            return
        self.changed += 1
        self.newly_stopped += outcome in _STOPPED and each.outcome not in _STOPPED
        self.newly_allowed += outcome not in _STOPPED and each.outcome in _STOPPED
        self.value_minor[each.currency] += each.value_minor
        if len(self.samples) < MOST_NAMED or each.decision_id > self.samples[-1]:
            self.samples = heapq.nlargest(MOST_NAMED, [*self.samples, each.decision_id])
        if each.org_id is not None:
            self.organizations[each.org_id] += 1
        if each.label is not None:
            self.labels[each.label] += 1

    def most_affected(self) -> list[tuple[str, int]]:
        """Return the organizations with most changed decisions, and their number."""
        return heapq.nsmallest(MOST_NAMED, self.organizations.items(), key=lambda each: (-each[1], each[0]))

    @property
    def is_large(self) -> bool:
        """Return whether a second operator has to switch the rule on."""
        return self.changed * 100 > self.decisions * LARGE_PERCENT or len(self.organizations) > LARGE_ORGANIZATIONS
