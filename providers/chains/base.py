"""Protocol of watchers of blockchains: the deposits at an address, and the height.

A watcher only reads. An invalid or inconsistent response of a node raises `ProviderUnavailable`.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainDeposit:
    """A deposit at an address.

    Attributes:
        asset, tx, index: its identity: the transaction, and the output or log within it.
        amount_minor: minor units of the asset, more than zero.
        height: the height of its block; None before it is in one.
        block_hash: the hash of its block; None on a blockchain whose blocks are never replaced.
        memo: its comment, on a blockchain with comments.
        at: the time of its block, if the node returns it with the deposit; otherwise see `Header`.
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
        """Return the number of confirmations, including its own block; 0 before it is in one."""
        return 0 if self.height is None else max(0, tip - self.height + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """Header of the block at a height. `at` is its time, if deposits do not have it."""

    hash: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainView:
    """Deposits of an address, as of a tip.

    Attributes:
        tip: the height of the newest block, read before the deposits, so that confirmations are never overstated.
        scanned: `deposits` has every deposit from the requested height up to this one. It is below the tip if a watcher
            cannot read everything in one call; the next call continues from here, and always gets beyond the blocks
            that are read again each time.
        complete: whether everything up to the tip was read.
    """

    tip: int
    scanned: int
    deposits: tuple[ChainDeposit, ...]
    complete: bool = True


class Watcher(Protocol):
    """Reads a blockchain.

    Attributes:
        confirmations: the number of blocks, including its own, after which a deposit is final.
        reorg_depth: the number of newest blocks that are read again each time, because they may be replaced, or the
            service's list may lag; at least `confirmations`.

    Errors of every method:
        ProviderUnavailable: the node did not respond, or its response is invalid.
    """

    confirmations: int
    reorg_depth: int

    async def tip(self) -> int:
        """Return the height of the newest block."""

    async def deposits(self, asset: str, address: str, *, since_height: int, since_at: datetime) -> ChainView:
        """Return the deposits at the address.

        A watcher starts at the height, or, on a blockchain that is indexed by time, at the later of both; the height is
        0 if only the time counts. Older deposits may be returned too.
        """

    async def header(self, height: int) -> Header | None:
        """Return the header of the block at a height; None on a blockchain whose blocks are never replaced."""
