"""The product's nights and events in memory: the rows that SQL will keep, and `domain.reputation` on them."""

from datetime import date, timedelta

from domain.reputation.evidence import PROVEN_E6, RATE_E4, Evidence, Priors, add, catch_up, newcomer_evidence
from domain.reputation.prior import initial_prior, learned_e6, lowest, priors
from domain.reputation.weights import GivenEvidence, saturated


class Market:
    """A dimension: the rows of all who are scored, what each counterparty has given, and the marketplace's past."""

    def __init__(self, day: date, rate_e4: int = RATE_E4) -> None:
        self.today = day
        self.rate_e4 = rate_e4
        self.rows: dict[str, Evidence] = {}
        self.given: dict[tuple[str, str], GivenEvidence] = {}
        #: Of newcomers and of the proven: the evidence until yesterday, and that of today.
        self.past = [initial_prior(day), initial_prior(day)]
        self.lessons = [[0, 0], [0, 0]]
        self.priors_of = {day: self._priors(day)}

    def _priors(self, day: date) -> Priors:
        return priors(self.past[0], self.past[1], day, self.rate_e4)

    @property
    def priors(self) -> Priors:
        return self.priors_of[self.today]

    def sleep(self, day: date) -> None:
        """Take the nights until a day; what has come in teaches the priors of the days after it."""
        if day > self.today:
            taught = zip(self.past, self.lessons, strict=True)
            self.past = [past.add(good, bad, self.today, self.rate_e4) for past, (good, bad) in taught]
            self.lessons = [[0, 0], [0, 0]]
        while self.today < day:
            self.today += timedelta(days=1)
            self.priors_of[self.today] = self._priors(self.today)

    def row(self, who: str) -> Evidence:
        """Return a row as of today; a newcomer's starts today."""
        row = self.rows.get(who)
        if row is None:
            return newcomer_evidence(self.today, self.priors)
        nights = (self.today - row.through).days
        if nights:
            passed = [self.priors_of[self.today - timedelta(days=ago)] for ago in range(nights)]
            row = self.rows[who] = catch_up(row, self.today, lowest(passed))
        return row

    def take(self, who: str, by: str, good_e6: int, bad_e6: int, rater_e6: int) -> None:
        """Add weighted evidence about one from another of this standing."""
        row = self.row(who)
        given = self.given.get((by, who)) or GivenEvidence(0, 0, self.today)
        good, bad, self.given[by, who] = saturated(given, good_e6, bad_e6, self.today, rater_e6, self.rate_e4)
        lessons = self.lessons[row.earned_e6 >= PROVEN_E6]
        lessons[0] += learned_e6(row, good, self.rate_e4)
        lessons[1] += learned_e6(row, bad, self.rate_e4)
        self.rows[who] = add(row, good, bad, day=self.today, priors=self.priors, rate_e4=self.rate_e4)
