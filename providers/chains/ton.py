"""TON through the HTTP API of TON Center, version 3 (https://docs.ton.org, "TON Index"; tried against 1.2.4's shapes).

All payments share one address and are told apart by their comment. A block of TON's masterchain is agreed on by its
validators before it is published and is not replaced, so one confirmation is final and no deposit is ever taken back.
"""

import base64
import binascii
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import httpx2

from domain.money import MAX_AMOUNT_MINOR
from providers.chains.addresses import ton_raw
from providers.chains.answers import TIMEOUT, Node, bad, field, flag, instant, integer, items, text
from providers.chains.base import ChainDeposit, ChainView

_MAX_HEIGHT = 2**32
_PAGE = 1000
_MAX_PAGES = 50
#: A clock of ours that is ahead of the chain's must not hide a deposit.
_SKEW = timedelta(minutes=10)


class TonWatcher:
    """Watches one account of TON."""

    def __init__(
        self,
        client: httpx2.AsyncClient,
        base_url: str,
        *,
        api_key: str | None = None,
        confirmations: int = 1,
        timeout: timedelta = TIMEOUT,
    ) -> None:
        """Take the client and the address of the API without its version, such as `https://toncenter.com`."""
        headers: Mapping[str, str] = {"X-API-Key": api_key} if api_key else {}
        self._node = Node(client, base_url, headers=headers, timeout=timeout)
        self.confirmations = confirmations
        self.reorg_depth = 0

    async def tip(self) -> int:
        """Return the number of the newest block of the masterchain."""
        info = await self._node.get("/api/v3/masterchainInfo")
        return integer(field(field(info, "last"), "seqno"), most=_MAX_HEIGHT)

    async def header(self, height: int) -> None:
        """Return nothing: blocks are not replaced."""
        del height

    async def deposits(self, asset: str, address: str, *, since_height: int, since_at: datetime) -> ChainView:
        """Return every transfer of TON to the account since the time, each with its comment.

        Left out are messages that bounced back to us, that were bounced by us, that came from outside the chain, and
        transactions that are only foreseen. Jettons do not arrive at this address but at a wallet of their own.
        """
        del asset
        tip = await self.tip()
        raw = ton_raw(address)
        query: dict[str, str | int] = {"account": raw, "limit": _PAGE, "sort": "asc"}
        query["start_utime"] = max(0, int((since_at - _SKEW).timestamp()))
        found: dict[str, ChainDeposit] = {}
        for number in range(_MAX_PAGES):
            answer = await self._node.get("/api/v3/transactions", {**query, "offset": number * _PAGE})
            page = items(field(answer, "transactions"), _PAGE)
            found |= {deposit.tx: deposit for tx in page if (deposit := _received(tx, raw))}
            if len(page) < _PAGE:
                return ChainView(tip=tip, scanned=since_height, deposits=tuple(found.values()))
        raise bad("an account has more transactions than are read")


def _received(tx: Any, raw: str) -> ChainDeposit | None:
    message = field(tx, "in_msg")
    if message is None or field(message, "source") is None or field(tx, "emulated") is True:
        return None
    if flag(field(message, "bounced")) or any(
        field(out, "bounced") is True for out in items(field(tx, "out_msgs"), 1000)
    ):
        return None
    if text(field(message, "destination"), r"-?[0-9]+:[0-9A-Fa-f]{64}").upper() != raw:
        raise bad("a transaction belongs to another account")
    amount = integer(field(message, "value"), most=MAX_AMOUNT_MINOR)
    if amount == 0:
        return None
    height = field(tx, "mc_block_seqno")
    return ChainDeposit(
        asset="TON",
        tx=_hash(field(tx, "hash")),
        index=0,
        amount_minor=amount,
        height=None if height is None else integer(height, least=1, most=_MAX_HEIGHT),
        block_hash=None,
        memo=_comment(message),
        at=instant(integer(field(tx, "now"), most=2**34)),
    )


def _hash(value: Any) -> str:
    """Write a transaction's hash in hexadecimal, as explorers do; the API writes base 64."""
    try:
        raw = base64.b64decode(text(value, r"[A-Za-z0-9+/_-]{43}=").translate(str.maketrans("-_", "+/")), validate=True)
    except binascii.Error:
        raise bad("a hash is not base 64") from None
    return raw.hex()


def _comment(message: Any) -> str | None:
    content = field(message, "message_content")
    decoded = field(content, "decoded") if content is not None else None
    if decoded is None or field(decoded, "type") != "text_comment":
        return None
    comment = field(decoded, "comment")
    return comment if isinstance(comment, str) else None
