"""Bitcoin through the HTTP API of Esplora (https://github.com/Blockstream/esplora/blob/master/API.md)."""

from datetime import datetime, timedelta
from typing import Any

import httpx2

from domain.common.money import MAX_AMOUNT_MINOR
from providers.chains.base import ChainDeposit, ChainView, Header
from providers.chains.responses import TIMEOUT, Node, field, flag, instant, integer, invalid_response, items, text

_HASH = r"[0-9a-f]{64}"
_MAX_HEIGHT = 10**9
#: Esplora has 25 on a page, and other servers with its API more; pages are followed until one is empty.
_MOST_ON_A_PAGE = 1000
_MAX_PAGES = 40


class EsploraWatcher:
    """Watches Bitcoin. A block is replaced every few weeks, a run of two hardly ever: three confirmations are final."""

    def __init__(
        self,
        client: httpx2.AsyncClient,
        base_url: str,
        *,
        confirmations: int = 3,
        reorg_depth: int = 100,
        timeout: timedelta = TIMEOUT,
    ) -> None:
        """Take the client and the address of the API, such as `https://blockstream.info/api`."""
        self._node = Node(client, base_url, timeout=timeout)
        self.confirmations = confirmations
        self.reorg_depth = max(reorg_depth, confirmations)

    async def tip(self) -> int:
        """Return the height of the newest block."""
        return integer(await self._node.get("/blocks/tip/height"), most=_MAX_HEIGHT)

    async def header(self, height: int) -> Header:
        """Return the hash of the block at a height."""
        return Header(hash=text(await self._node.get(f"/block-height/{height}"), _HASH))

    async def deposits(self, asset: str, address: str, *, since_height: int, since_at: datetime) -> ChainView:
        """Return every output to the address, however old; nothing but BTC arrives there."""
        del asset, since_at
        tip = await self.tip()
        found: dict[tuple[str, int], ChainDeposit] = {}
        page = items(await self._node.get(f"/address/{address}/txs"), _MOST_ON_A_PAGE)
        for _ in range(_MAX_PAGES):
            confirmed = [tx for tx in page if flag(field(field(tx, "status"), "confirmed"))]
            for tx in page:
                found |= {(deposit.tx, deposit.index): deposit for deposit in _received(tx, address)}
            if not confirmed or _height(confirmed[-1]) < since_height:
                return ChainView(tip=tip, scanned=tip, deposits=tuple(found.values()))
            last = text(field(confirmed[-1], "txid"), _HASH)
            page = items(await self._node.get(f"/address/{address}/txs/chain/{last}"), _MOST_ON_A_PAGE)
        raise invalid_response("an address has more transactions than are read")


def _height(tx: Any) -> int:
    return integer(field(field(tx, "status"), "block_height"), most=_MAX_HEIGHT)


def _received(tx: Any, address: str) -> list[ChainDeposit]:
    status = field(tx, "status")
    confirmed = flag(field(status, "confirmed"))
    return [
        ChainDeposit(
            asset="BTC",
            tx=text(field(tx, "txid"), _HASH),
            index=index,
            amount_minor=amount,
            height=_height(tx) if confirmed else None,
            block_hash=text(field(status, "block_hash"), _HASH) if confirmed else None,
            at=instant(integer(field(status, "block_time"), most=2**34)) if confirmed else None,
        )
        for index, output in enumerate(items(field(tx, "vout"), 100_000))
        if field(output, "scriptpubkey_address") == address
        and (amount := integer(field(output, "value"), most=MAX_AMOUNT_MINOR))
    ]
