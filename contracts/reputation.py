"""Messages of the batch that takes the night of every score."""

from datetime import date, datetime

from contracts.base import Message


class PlanNight(Message):
    """Asks which night to take at `now`; with a `day`, whether that one can be."""

    now: datetime
    day: date | None = None


class PlannedNight(Message):
    """The date of the night to take, or `why` there is none; `changes_rate` when rows are written anew before it."""

    day: date | None = None
    why: str = ""
    changes_rate: bool = False


class ChangeRate(Message):
    """Asks to have the rate that is set hold from the night of `day` on."""

    day: date


class ChangedRate(Message):
    """What a night leaves from then on, in ten-thousandths."""

    rate_e4: int


class TakeNight(Message):
    """Asks to take the night of `day` for the agents after one, in so many `pages` of `limit`."""

    day: date
    after: str
    limit: int
    pages: int


class TookNight(Message):
    """How many agents were taken in how many pages, the last of them, and whether none follows."""

    agents: int
    pages: int
    last: str
    done: bool


class ReputationNight(Message):
    """Where the batch of a date stands: the last agent taken, and how many were, in how many pages."""

    day: date | None = None
    after: str = ""
    limit: int = 2_000
    agents: int = 0
    pages: int = 0
    planned: bool = False

    def plus(self, done: TookNight) -> "ReputationNight":
        """Return where it stands after some pages."""
        return self.model_copy(
            update={"after": done.last, "agents": self.agents + done.agents, "pages": self.pages + done.pages}
        )

    def is_last(self, done: TookNight) -> bool:
        """Tell whether no page follows."""
        return done.done


class ConcludeNight(Message):
    """Asks to close the night of `day`, whose pages were all taken."""

    day: date


class NightMove(Message):
    """An agent's overall score after the night, and by how much it moved, as shares in millionths."""

    agent_id: str
    moved_e6: int
    stars_e6: int


class ReputationNightResult(Message):
    """What the night of a date did, however often it ran; `skipped` says why it did nothing.

    Attributes:
        agents: whose night was taken.
        changed: those that have a row of history of the date.
        sudden: those that were flagged.
        moves: who moved most.
        closed_priors: whether this run closed the priors of the next day.
    """

    day: date | None = None
    agents: int = 0
    changed: int = 0
    sudden: int = 0
    moves: tuple[NightMove, ...] = ()
    closed_priors: bool = False
    skipped: str = ""
