"""Messages of the nightly batch that decays reputation scores."""

from datetime import date, datetime

from contracts.common.base import Message


class PlanNight(Message):
    """Asks which date is due at `now`, or whether `day` can be done."""

    now: datetime
    day: date | None = None


class PlannedNight(Message):
    """The date that is due, or `why` none is; with `changes_rate` rows are brought to a new rate before."""

    day: date | None = None
    why: str = ""
    changes_rate: bool = False


class ChangeRate(Message):
    """Switches to the configured rate from the night of `day` on."""

    day: date


class ChangeRateResult(Message):
    """The share of evidence that a night leaves from then on, in ten-thousandths."""

    rate_e4: int


class DecayPages(Message):
    """Decays for `day` the agents after one, in up to `pages` pages of `limit`."""

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
    """Progress of the batch of a date: the last agent, and the number of agents and pages so far."""

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
    """An agent's overall score after the night, and by how much it moved, as shares in millionths."""

    agent_id: str
    moved_e6: int
    stars_e6: int


class ReputationNightResult(Message):
    """The result of the night of a date over all its runs; `skipped` says why it did nothing.

    Attributes:
        agents: the number of agents done.
        changed: those that have a row of history of the date.
        sudden: those that were flagged.
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
