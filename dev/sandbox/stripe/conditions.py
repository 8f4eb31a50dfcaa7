"""Faults of webhooks and responses, set by the control endpoints until they are cleared."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

from dev.sandbox.stripe.errors import invalid

MODES = (
    "500",
    "429",
    "slow",
    "timeout_before",
    "500_after_commit",
    "timeout_after_commit",
    "close_after_commit",
    "500_stored",
)
AFTER_COMMIT = MODES[4:7]


class Settable:
    """A set of conditions that is read from JSON."""

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Self:
        """Returns the conditions that a body names, the usual ones for the rest.

        Raises:
            Refusal: It names one that there is not.
        """
        known = {each.name for each in fields(cls) if each.init}  # type: ignore[arg-type]
        for name in body:
            if name not in known:
                raise invalid(f"There is no such condition: {name}; there are {', '.join(sorted(known))}.", param=name)
        return cls(**body)


@dataclass
class Chance:
    """Frequency of a fault: a number of next calls, or at random from a seed."""

    share: Any
    seed: int

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)

    def strikes(self) -> bool:
        """Returns whether it happens this time."""
        if isinstance(self.share, int):
            self.share -= 1
            return bool(self.share >= 0)
        return bool(self.dice.random() < self.share)


@dataclass
class Conditions(Settable):
    """Faults of webhook delivery.

    Attributes:
        delay_ms: Each leaves so much later.
        duplicate: Each is sent so many times more.
        reorder: Each leaves at a random moment within this many milliseconds; true means 300.
        drop: The next so many, or this share of all, never leave.
        pause: None leaves until this is taken back.
        seed: Of what is random here.
    """

    delay_ms: int = 0
    duplicate: int = 0
    reorder: int = 0
    drop: Any = 0
    pause: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        self.window_ms = 300 if self.reorder is True else int(self.reorder)
        self.dropping = Chance(self.drop, self.seed)
        self.dice = random.Random(self.seed)

    def departures(self) -> list[int]:
        """Returns after how many milliseconds each copy of a webhook leaves; none when it is dropped."""
        if self.dropping.strikes():
            return []
        return [
            self.delay_ms + (self.dice.randrange(self.window_ms) if self.window_ms else 0)
            for _ in range(1 + self.duplicate)
        ]


@dataclass
class Asking(Settable):
    """Timeout of a real-time authorization webhook.

    Attributes:
        patience_ms: How long.
        lose: The answers to the next so many, or to this share of all, never arrive.
        repeat: Each question is sent so many times more at once; answers that differ are an error.
        seed: Of what is random here.
    """

    patience_ms: int = 2000
    lose: Any = 0
    repeat: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        self.losing = Chance(self.lose, self.seed)


@dataclass
class Fault(Settable):
    """Faults of requests.

    Attributes:
        mode: `500` and `429` are answered before anything is done; `slow` is done after `delay_ms`, `timeout_before` is
            never done and never answered; `500_after_commit`, `timeout_after_commit` and `close_after_commit` are done,
            and then answered with 500, not answered while the client waits, or cut off. `500_stored` is never done, and
            its 500 is what the key remembers.
        path: Only requests whose path begins so.
        method: Only this method.
        times: The next so many, or this share of all of them.
        seed: Of what is random here.
        delay_ms: For `slow`.
    """

    mode: str
    path: str = "/v1/"
    method: str = ""
    times: Any = 1
    seed: int = 0
    delay_ms: int = 100
    chance: Chance = field(init=False)

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise invalid(f"There is no such mode: {self.mode}; there are {', '.join(MODES)}.", param="mode")
        self.chance = Chance(self.times, self.seed)

    def strikes(self, method: str, path: str) -> bool:
        """Returns whether this request is hit."""
        return path.startswith(self.path) and self.method.upper() in ("", method.upper()) and self.chance.strikes()
