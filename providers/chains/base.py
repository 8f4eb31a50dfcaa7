"""What every watcher of a chain answers: the deposits at an address, and where the chain stands.

A watcher only reads. Whatever a node answers that cannot be understood, or that contradicts itself, is
`ProviderUnavailable`: never a deposit.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainDeposit:
    """Something that arrived at an address.

    Attributes:
        asset, tx, index: what it is known by: the transaction, and the output or log within it.
        amount_minor: minor units of the asset, more than zero.
        height: the block that holds it; None while no block does.
        block_hash: the hash of that block; None on a chain whose blocks are never replaced.
        memo: the comment that came with it, on a chain that has comments.
        at: the time of its block, where the watcher is told without asking further; else its `Header` tells.
    """

    asset: str
    tx: str
    index: int
    amount_minor: int
    height: int | None
    block_hash: str | None
    memo: str | None = None
    at: datetime | None = None

    def confirmations(self, tip: int) -> int:
        """Count the blocks that confirm it, its own included; zero while it is in none."""
        return 0 if self.height is None else max(0, tip - self.height + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """Which block is at a height. `at` is its time, where deposits come without it."""

    hash: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainView:
    """What an address has received, as of a tip.

    Attributes:
        tip: the height of the newest block, read before the deposits: what is counted from it is never too much.
        scanned: every deposit in blocks from the height that was asked for up to this one is in `deposits`. Behind the
            tip when that is more than a watcher reads at a time; whoever asks again from here gets the rest, and gets
            further than the blocks that are read again each time.
        complete: whether nothing up to the tip was left to the next look.
    """

    tip: int
    scanned: int
    deposits: tuple[ChainDeposit, ...]
    complete: bool = True


class Watcher(Protocol):
    """Reads one chain.

    Attributes:
        confirmations: how many blocks, its own included, make a deposit final.
        reorg_depth: how many of the newest blocks are read again each time, because they may still be replaced, or a
            service that lists what arrived be behind; never fewer than `confirmations`.

    Errors of every method:
        ProviderUnavailable: the node did not answer, or not in a way that can be believed.
    """

    confirmations: int
    reorg_depth: int

    async def tip(self) -> int:
        """Return the height of the newest block."""

    async def deposits(self, asset: str, address: str, *, since_height: int, since_at: datetime) -> ChainView:
        """Return what arrived at the address.

        A watcher begins at the height or, on a chain that is indexed by time, at the later of both; the height is 0
        where only the time counts. More may be returned.
        """

    async def header(self, height: int) -> Header | None:
        """Return the header of the block at a height; None on a chain whose blocks are never replaced."""
