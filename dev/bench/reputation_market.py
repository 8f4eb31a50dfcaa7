"""The product's nights and events in memory: the rows that SQL will keep, and `domain.reputation` on them."""

from datetime import date, timedelta

from domain.reputation.evidence import RATE_E4, Evidence, add, catch_up, start
from domain.reputation.prior import lesson_e6, opened, prior_e6
from domain.reputation.weights import Given, saturated


class Market:
    """One dimension: the rows of all who are scored, what each counterparty has given, and the marketplace's past."""

    def __init__(self, day: date, rate_e4: int = RATE_E4) -> None:
        self.today = day
        self.rate_e4 = rate_e4
        self.rows: dict[str, Evidence] = {}
        self.given: dict[tuple[str, str], Given] = {}
        self.past = opened(day)
        self.lessons = [0, 0]
        #: The prior of every day so far.
        self.priors = {day: prior_e6(self.past, day, rate_e4)}

    @property
    def prior(self) -> int:
        return self.priors[self.today]

    def sleep(self, day: date) -> None:
        """Take the nights until a day; what has come in teaches the prior of the days after it."""
        if day > self.today:
            self.past = self.past.add(self.lessons[0], self.lessons[1], self.today, self.rate_e4)
            self.lessons = [0, 0]
        while self.today < day:
            self.today += timedelta(days=1)
            self.priors[self.today] = prior_e6(self.past, self.today, self.rate_e4)

    def row(self, who: str) -> Evidence:
        """Return a row as of today; a newcomer's starts today."""
        row = self.rows.get(who)
        if row is None:
            return start(self.today, self.prior)
        nights = (self.today - row.through).days
        if nights:
            lowest = min(self.priors[self.today - timedelta(days=ago)] for ago in range(nights))
            row = self.rows[who] = catch_up(row, self.today, lowest)
        return row

    def take(self, who: str, by: str, good_e6: int, bad_e6: int, rater_e6: int) -> None:
        """Add weighted evidence about one from another of this standing."""
        row = self.row(who)
        given = self.given.get((by, who)) or Given(0, 0, self.today)
        good, bad, self.given[by, who] = saturated(given, good_e6, bad_e6, self.today, rater_e6, self.rate_e4)
        self.lessons[0] += lesson_e6(row, good, self.rate_e4)
        self.lessons[1] += lesson_e6(row, bad, self.rate_e4)
        self.rows[who] = add(row, good, bad, day=self.today, prior_e6=self.prior, rate_e4=self.rate_e4)
