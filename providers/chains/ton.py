"""TON through the HTTP API of TON Center, version 3 (https://docs.ton.org, "TON Index"; tried against 1.2.4's shapes).

All payments share one address and are told apart by their comment. A block of TON's masterchain is agreed on by its
validators before it is published and is not replaced, so one confirmation is final and no deposit is ever taken back.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import httpx2

from domain.common.money import MAX_AMOUNT_MINOR
from providers.chains.addresses import ton_raw
from providers.chains.base import ChainDeposit, ChainView
from providers.chains.responses import TIMEOUT, Node, field, flag, instant, integer, invalid_response, items, text

_MAX_HEIGHT = 2**32
_PAGE = 1000
#: How many pages one look reads before it keeps what it has, and leaves the rest to the next one.
_MAX_PAGES = 50
#: How many pages are read when fewer would lead nowhere; nobody fills so many within minutes.
_MOST_PAGES = 1000
#: What is ahead of a deposit's block must not hide it: our clock, or the block of the masterchain that holds that one.
_SKEW = timedelta(minutes=10)
_MASTERCHAIN: Mapping[str, str | int] = {"workchain": -1, "shard": "8000000000000000"}


class TonWatcher:
    """Watches one account of TON."""

    def __init__(
        self,
        client: httpx2.AsyncClient,
        base_url: str,
        *,
        api_key: str | None = None,
        confirmations: int = 1,
        reread_blocks: int = 200,
        timeout: timedelta = TIMEOUT,
    ) -> None:
        """Take the client and the address of the API without its version, such as `https://toncenter.com`.

        No block is replaced. The newest `reread_blocks` are read again all the same, because the list of transactions
        may come from a server that is behind the one that named the newest block.
        """
        headers: Mapping[str, str] = {"X-API-Key": api_key} if api_key else {}
        self._node = Node(client, base_url, headers=headers, timeout=timeout)
        self.confirmations = confirmations
        self.reorg_depth = max(reread_blocks, confirmations)

    async def tip(self) -> int:
        """Return the number of the newest block of the masterchain."""
        info = await self._node.get("/api/v3/masterchainInfo")
        return integer(field(field(info, "last"), "seqno"), most=_MAX_HEIGHT)

    async def header(self, height: int) -> None:
        """Return nothing: blocks are not replaced."""
        del height

    async def deposits(self, asset: str, address: str, *, since_height: int, since_at: datetime) -> ChainView:
        """Return the transfers of TON to the account from the height and the time on, each with its comment.

        Anybody can send, so there may be more than one look reads: the view is not complete then, and ends at a block
        from which the next look gets further.

        Left out are messages that bounced back to us, that were bounced by us, that came from outside the chain, and
        transactions that are only foreseen. Jettons do not arrive at this address but at a wallet of their own.
        """
        del asset
        tip = await self.tip()
        read = _Reading(ton_raw(address), since_height)
        begin = max(since_at, await self._time(since_height) or since_at) - _SKEW
        query: dict[str, str | int] = {"account": read.account, "limit": _PAGE, "sort": "asc"}
        query["start_utime"] = max(0, int(begin.timestamp()))
        for number in range(_MOST_PAGES):
            answer = await self._node.get("/api/v3/transactions", {**query, "offset": number * _PAGE})
            page = items(field(answer, "transactions"), _PAGE)
            read.add(page)
            if len(page) < _PAGE:
                scanned = max(since_height, read.whole - 1) if read.has_open_end else max(since_height, tip)
                return ChainView(tip=tip, scanned=scanned, deposits=tuple(read.deposits.values()))
            # A look that ends among the blocks that are read again would begin where it began.
            if read.pages >= _MAX_PAGES and since_height < read.whole - 1 <= tip - self.reorg_depth:
                return ChainView(tip=tip, scanned=read.whole - 1, deposits=read.up_to(read.whole - 1), complete=False)
        raise invalid_response("an account has more transactions than are read")

    async def _time(self, height: int) -> datetime | None:
        """Return the time of a block of the masterchain; None where the service has it no longer."""
        if not height:
            return None
        answer = await self._node.get("/api/v3/blocks", {**_MASTERCHAIN, "seqno": height, "limit": 1})
        for block in items(field(answer, "blocks"), 1):
            if integer(field(block, "seqno"), most=_MAX_HEIGHT) != height:
                raise invalid_response("the block is not the requested one")
            return instant(integer(field(block, "gen_utime"), most=2**34))
        return None


class _Reading:
    """What was read of an account so far. Its transactions come in the order of the chain.

    Attributes:
        deposits: those from the height on that was asked for, by transaction.
        pages: how many pages held anything of it.
        whole: the newest block of which something was read; of those before it, everything was.
        has_open_end: whether there are transactions that no block of the masterchain holds yet.
    """

    def __init__(self, account: str, since_height: int) -> None:
        self.account, self._since = account, since_height
        self.deposits: dict[str, ChainDeposit] = {}
        self.pages, self.whole, self.has_open_end = 0, 0, False
        self._newest = 0
        self._first: set[str] = set()

    def add(self, page: Sequence[Any]) -> None:
        """Take the next page."""
        if page:
            first = _hash(field(page[0], "hash"))
            if first in self._first:
                raise invalid_response("a page comes again")
            self._first.add(first)
        for tx in page:
            self._place(tx)
            deposit = _received(tx, self.account)
            if deposit is not None and (deposit.height is None or deposit.height >= self._since):
                self.deposits[deposit.tx] = deposit
        self.pages += self._newest >= self._since

    def up_to(self, height: int) -> tuple[ChainDeposit, ...]:
        """Return the deposits in blocks up to a height."""
        return tuple(each for each in self.deposits.values() if each.height is not None and each.height <= height)

    def _place(self, tx: Any) -> None:
        if field(tx, "emulated") is True:
            return
        height = _height(tx)
        if height is None:
            self.has_open_end = True
            return
        if height < self._newest:
            raise invalid_response("transactions are out of order")
        self._newest = height
        if not self.has_open_end:
            self.whole = height


def _height(tx: Any) -> int | None:
    height = field(tx, "mc_block_seqno")
    return None if height is None else integer(height, least=1, most=_MAX_HEIGHT)


def _received(tx: Any, raw: str) -> ChainDeposit | None:
    message = field(tx, "in_msg")
    if message is None or field(message, "source") is None or field(tx, "emulated") is True:
        return None
    if flag(field(message, "bounced")) or any(
        field(out, "bounced") is True for out in items(field(tx, "out_msgs"), 1000)
    ):
        return None
    if text(field(message, "destination"), r"-?[0-9]+:[0-9A-Fa-f]{64}").upper() != raw:
        raise invalid_response("a transaction belongs to another account")
    amount = integer(field(message, "value"), most=MAX_AMOUNT_MINOR)
    if amount == 0:
        return None
    return ChainDeposit(
        asset="TON",
        tx=_hash(field(tx, "hash")),
        index=0,
        amount_minor=amount,
        height=_height(tx),
        block_hash=None,
        memo=_comment(message),
        at=instant(integer(field(tx, "now"), most=2**34)),
    )


def _hash(value: Any) -> str:
    """Write a transaction's hash in hexadecimal, as explorers do; the API writes base 64."""
    try:
        raw = base64.b64decode(text(value, r"[A-Za-z0-9+/_-]{43}=").translate(str.maketrans("-_", "+/")), validate=True)
    except binascii.Error:
        raise invalid_response("a hash is not base 64") from None
    return raw.hex()


def _comment(message: Any) -> str | None:
    content = field(message, "message_content")
    decoded = field(content, "decoded") if content is not None else None
    if decoded is None or field(decoded, "type") != "text_comment":
        return None
    comment = field(decoded, "comment")
    return comment if isinstance(comment, str) else None
