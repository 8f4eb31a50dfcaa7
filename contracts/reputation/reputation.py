"""Messages of the nightly batch that decays reputation scores."""

from datetime import date, datetime

from contracts.common.base import Message


class PlanNight(Message):
    """Requests the date due at `now`, or checks `day`."""

    now: datetime
    day: date | None = None


class PlannedNight(Message):
    """The due date, or `why` none is due; with `changes_rate` the rate changes first."""

    day: date | None = None
    why: str = ""
    changes_rate: bool = False


class ChangeRate(Message):
    """Switches to the configured rate from the night of `day` on."""

    day: date


class ChangeRateResult(Message):
    """The new share of evidence left after a night, in ten-thousandths."""

    rate_e4: int


class DecayPages(Message):
    """Decays the agents after `after` for `day`, in up to `pages` pages of `limit`."""

    day: date
    after: str
    limit: int
    pages: int


class DecayPagesResult(Message):
    agents: int
    pages: int
    last: str
    done: bool


class ReputationNight(Message):
    """Progress of a night: the last agent, and the numbers of agents and pages so far."""

    day: date | None = None
    after: str = ""
    limit: int = 2_000
    agents: int = 0
    pages: int = 0
    planned: bool = False

    def plus(self, done: DecayPagesResult) -> "ReputationNight":
        """Return the progress after some pages."""
        return self.model_copy(
            update={"after": done.last, "agents": self.agents + done.agents, "pages": self.pages + done.pages}
        )

    def is_last(self, done: DecayPagesResult) -> bool:
        """Whether this was the last page."""
        return done.done


class ConcludeNight(Message):
    """Closes the night of `day` after its last page."""

    day: date


class NightScoreChange(Message):
    """Overall score of an agent after the night, and its change, in millionths."""

    agent_id: str
    moved_e6: int
    stars_e6: int


class ReputationNightResult(Message):
    """Result of the night of a date over all its runs; `skipped` is the reason for doing nothing.

    Attributes:
        agents: the number of agents done.
        changed: agents with a row of history of the date.
        sudden: agents with a sudden change.
        moves: the largest changes.
        closed_priors: whether this run closed the priors of the next day.
    """

    day: date | None = None
    agents: int = 0
    changed: int = 0
    sudden: int = 0
    moves: tuple[NightScoreChange, ...] = ()
    closed_priors: bool = False
    skipped: str = ""
