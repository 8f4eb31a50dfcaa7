"""Ethereum and its like through JSON-RPC: plain transfers of ETH, and one ERC-20 token.

A node lists the logs of a token by receiver, but not the transfers of ETH. Those are found in the blocks themselves:
each block is read once for all addresses and cached, and blocks are linked by parent hash, so a scan never mixes two
forks. ETH that a contract pays out (an "internal transaction") is not listed in blocks and is not found.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx2

from domain.common.money import MAX_AMOUNT_MINOR
from providers.chains.base import ChainDeposit, ChainView, Header
from providers.chains.responses import TIMEOUT, Node, field, instant, invalid_response, items, quantity, text
from providers.payments.base import ProviderUnavailable

_HASH = r"0x[0-9a-f]{64}"
_ADDRESS = r"0x[0-9a-fA-F]{40}"
_MAX_HEIGHT = 2**53
#: How many logs one answer may hold; a block has no room for more than the second.
_MAX_LOGS = 10_000
_MAX_LOGS_OF_A_BLOCK = 100_000
#: Errors of nodes for a range of blocks with too many logs.
_TOO_MUCH = frozenset({"chain.refused", "chain.bad_answer"})
#: The ledger counts ETH in gwei. Amounts are rounded down, and transfers below one gwei are ignored.
WEI_PER_GWEI = 10**9
#: keccak-256 of `Transfer(address,address,uint256)`, the event of ERC-20.
TRANSFER_TOPIC = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"


@dataclass(frozen=True, slots=True)
class _Block:
    """A cached block: its hash and parent, and its transfers in wei."""

    number: int
    hash: str
    parent: str
    transfers: dict[str, list[tuple[str, int]]]


class EvmWatcher:
    """Watches an EVM chain. Twelve blocks are the customary depth since the chain finalizes within about 64."""

    def __init__(
        self,
        client: httpx2.AsyncClient,
        rpc_url: str,
        *,
        usdc_contract: str,
        chain_id: int = 1,
        confirmations: int = 12,
        reorg_depth: int = 64,
        blocks_per_call: int = 600,
        blocks_per_request: int = 10,
        log_blocks_per_request: int = 1000,
        timeout: timedelta = TIMEOUT,
    ) -> None:
        """Take the client and the node's address.

        Args:
            client: closed by the caller.
            rpc_url: where JSON-RPC is posted to; batches must be allowed.
            usdc_contract: the token's address on this chain.
            chain_id: of the chain that is meant; a node of another one is not believed.
            confirmations: how many blocks make a deposit final.
            reorg_depth: how many blocks are read again each time.
            blocks_per_call: the most blocks that one look at an address reads; more are left to the next look.
            blocks_per_request: how many blocks go into one batch.
            log_blocks_per_request: the widest range of blocks that the node lists logs of.
            timeout: of each request.
        """
        self._node = Node(client, rpc_url, timeout=timeout)
        self._usdc = usdc_contract.lower()
        self._chain_id = chain_id
        self._chain_checked = False
        self.confirmations = confirmations
        self.reorg_depth = max(reorg_depth, confirmations)
        # One scan must read more blocks than are read again each time.
        self._blocks_per_call = max(blocks_per_call, 2 * self.reorg_depth)
        self._batch = blocks_per_request
        self._log_range = log_blocks_per_request
        self._blocks: OrderedDict[int, _Block] = OrderedDict()
        self._scanning = asyncio.Lock()

    async def tip(self) -> int:
        """Return the number of the newest block."""
        if not self._chain_checked:
            if quantity(await self._call("eth_chainId", []), most=_MAX_HEIGHT) != self._chain_id:
                raise ProviderUnavailable("The node belongs to another chain.", code="chain.wrong_chain")
            self._chain_checked = True
        return quantity(await self._call("eth_blockNumber", []), most=_MAX_HEIGHT)

    async def header(self, height: int) -> Header:
        """Return the hash and the time of the block at a height; logs do not tell the time."""
        block = await self._call("eth_getBlockByNumber", [hex(height), False])
        return Header(hash=text(field(block, "hash"), _HASH), at=_time(block))

    async def deposits(self, asset: str, address: str, *, since_height: int, since_at: datetime) -> ChainView:
        """Return transfers to the address from the height on, as far as one look reads."""
        del since_at
        tip = await self.tip()
        since = max(0, since_height)
        if since > tip:
            return ChainView(tip=tip, scanned=tip, deposits=())
        if asset == "USDC":
            last = min(tip, since + max(self._log_range * 20, self._blocks_per_call) - 1)
            found = await self._tokens(address, since, last)
        else:
            last = min(tip, since + self._blocks_per_call - 1)
            found = await self._coins(address.lower(), since, last)
        return ChainView(tip=tip, scanned=last, deposits=tuple(found), complete=last == tip)

    async def _tokens(self, address: str, first: int, last: int) -> list[ChainDeposit]:
        found: dict[tuple[str, int], ChainDeposit] = {}
        topic = "0x" + address[2:].lower().rjust(64, "0")
        for begin in range(first, last + 1, self._log_range):
            async for start, end, logs in self._logs(topic, begin, min(last, begin + self._log_range - 1)):
                self._add_tokens(found, topic, start, end, logs)
        return list(found.values())

    async def _logs(self, topic: str, first: int, last: int) -> AsyncIterator[tuple[int, int, list[Any]]]:
        """List the token's logs range by range. A range that holds too much for one answer is halved.

        Anybody can fill blocks with transfers to an address, even of zero, so the limit must not hide other
        deposits.
        """
        ranges = [(first, last)]
        while ranges:
            start, end = ranges.pop()
            wanted = {"address": self._usdc, "topics": [TRANSFER_TOPIC, None, topic]}
            try:
                logs = await self._call("eth_getLogs", [{**wanted, "fromBlock": hex(start), "toBlock": hex(end)}])
                found = items(logs, _MAX_LOGS if start < end else _MAX_LOGS_OF_A_BLOCK)
            except ProviderUnavailable as error:
                if start == end or error.code not in _TOO_MUCH:
                    raise
                middle = (start + end) // 2
                ranges += [(middle + 1, end), (start, middle)]
            else:
                yield start, end, found

    def _add_tokens(
        self, found: dict[tuple[str, int], ChainDeposit], topic: str, start: int, end: int, logs: Sequence[Any]
    ) -> None:
        for log in logs:
            topics = items(field(log, "topics"), 4)
            if field(log, "removed") is True:
                continue
            if text(field(log, "address"), _ADDRESS).lower() != self._usdc or len(topics) != 3:
                raise invalid_response("a log does not belong to the token")
            if topics[0] != TRANSFER_TOPIC or topics[2] != topic:
                raise invalid_response("a log is not a transfer to the address")
            deposit = self._token_deposit(log)
            if not start <= (deposit.height or 0) <= end:
                raise invalid_response("a log is outside of the requested blocks")
            if deposit.amount_minor:
                found[deposit.tx, deposit.index] = deposit

    @staticmethod
    def _token_deposit(log: Any) -> ChainDeposit:
        return ChainDeposit(
            asset="USDC",
            tx=text(field(log, "transactionHash"), _HASH),
            index=quantity(field(log, "logIndex"), most=10**6),
            amount_minor=quantity(text(field(log, "data"), r"0x[0-9a-f]{64}"), most=MAX_AMOUNT_MINOR),
            height=quantity(field(log, "blockNumber"), most=_MAX_HEIGHT),
            block_hash=text(field(log, "blockHash"), _HASH),
        )

    async def _coins(self, address: str, first: int, last: int) -> list[ChainDeposit]:
        async with self._scanning:  # everyone who asks at once shares the blocks of the first
            blocks = await self._chain(first, last)
        sent = [(block, tx, wei) for block in blocks for tx, wei in block.transfers.get(address, ())]
        found = []
        for block, tx, wei in sent:
            receipt = await self._call("eth_getTransactionReceipt", [tx])
            if text(field(receipt, "blockHash"), _HASH) != block.hash:
                raise invalid_response("a block was replaced while it was being read")
            if quantity(field(receipt, "status"), most=1) == 1 and wei >= WEI_PER_GWEI:
                amount = wei // WEI_PER_GWEI
                if amount > MAX_AMOUNT_MINOR:
                    raise invalid_response("an amount exceeds the token's supply")
                found.append(
                    ChainDeposit(
                        asset="ETH", tx=tx, index=0, amount_minor=amount, height=block.number, block_hash=block.hash
                    )
                )
        return found

    async def _chain(self, first: int, last: int) -> list[_Block]:
        """Return the blocks of a range, each the parent of the next; only those not yet known are fetched."""
        chain: list[_Block] = []
        number, expected = last, (await self.header(last)).hash
        while number >= first:
            block = self._blocks.get(number)
            if block is None or block.hash != expected:
                await self._fetch(range(max(first, number - self._batch + 1), number + 1))
                block = self._blocks[number]
                if block.hash != expected:
                    raise invalid_response("blocks were replaced while they were being read")
            self._blocks.move_to_end(number)
            chain.append(block)
            number, expected = number - 1, block.parent
        while len(self._blocks) > 2 * self._blocks_per_call:
            self._blocks.popitem(last=False)
        return chain

    async def _fetch(self, numbers: Sequence[int]) -> None:
        blocks = await self._calls([("eth_getBlockByNumber", [hex(number), True]) for number in numbers])
        for number, raw in zip(numbers, blocks, strict=True):
            block = _block(raw)
            if block.number != number:
                raise invalid_response("the block is not the requested one")
            self._blocks[number] = block

    async def _call(self, method: str, params: list[Any]) -> Any:
        return (await self._calls([(method, params)]))[0]

    async def _calls(self, calls: Sequence[tuple[str, list[Any]]]) -> list[Any]:
        """Call several methods in one batch, a single one without, and return the results in their order."""
        requests = [
            {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
            for number, (method, params) in enumerate(calls)
        ]
        answer = await self._node.post(requests[0] if len(requests) == 1 else requests)
        answers = [answer] if len(requests) == 1 else items(answer, len(requests))
        results: dict[int, Any] = {}
        for each in answers:
            if field(each, "error") is not None:
                raise ProviderUnavailable("The node rejected a call.", code="chain.refused")
            number = field(each, "id")
            if not isinstance(number, int) or field(each, "result") is None:
                raise invalid_response("a result is missing")
            results[number] = each["result"]
        if set(results) != set(range(len(requests))):
            raise invalid_response("a batch is not complete")
        return [results[number] for number in range(len(requests))]


def _time(block: Any) -> datetime:
    return instant(quantity(field(block, "timestamp"), most=2**34))


def _block(raw: Any) -> _Block:
    transfers: dict[str, list[tuple[str, int]]] = {}
    for tx in items(field(raw, "transactions"), 100_000):
        to = field(tx, "to")
        wei = quantity(field(tx, "value"), most=2**256)
        if to is not None and wei:
            receiver = text(to, _ADDRESS).lower()
            transfers.setdefault(receiver, []).append((text(field(tx, "hash"), _HASH), wei))
    return _Block(
        quantity(field(raw, "number"), most=_MAX_HEIGHT),
        text(field(raw, "hash"), _HASH),
        text(field(raw, "parentHash"), _HASH),
        transfers,
    )
