"""Nodes that answer wrongly, on purpose or not: nothing they say becomes a deposit, and nothing crashes."""

import asyncio
import copy
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from dev.sandbox.chains.accounts import TON_ADDRESS
from providers.chains.base import Watcher
from providers.chains.esplora import EsploraWatcher
from providers.chains.evm import TRANSFER_TOPIC, EvmWatcher
from providers.chains.responses import Node
from providers.chains.ton import TonWatcher
from providers.payments.base import ProviderUnavailable
from tests.support.cases import for_each
from tests.support.chains import answering

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
BTC = "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu"
ETH = "0x9858EfFD232B4033E47d90003D41EC34EcaEda94"
USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
HASH, OTHER = "0x" + "ab" * 32, "0x" + "cd" * 32

STATUS = {"confirmed": True, "block_height": 90, "block_hash": "ab" * 32, "block_time": 1_700_000_000}
TX = {"txid": "cd" * 32, "vout": [{"scriptpubkey_address": BTC, "value": 5000}], "status": STATUS}
LOG: dict[str, Any] = {
    "address": USDC,
    "topics": [TRANSFER_TOPIC, "0x" + "0" * 64, "0x" + ETH[2:].lower().rjust(64, "0")],
    "data": "0x" + f"{5000:064x}",
    "logIndex": "0x1",
    "transactionHash": OTHER,
    "blockHash": HASH,
    "blockNumber": "0x5a",
    "removed": False,
}
BLOCK = {
    "number": "0x5a",
    "hash": HASH,
    "parentHash": OTHER,
    "timestamp": "0x6553f100",
    "transactions": [{"hash": OTHER, "to": ETH, "value": hex(5000 * 10**9)}],
}
RECEIPT = {"status": "0x1", "blockHash": HASH}
TRANSFER = {
    "hash": "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=",
    "now": 1_700_000_000,
    "mc_block_seqno": 90,
    "in_msg": {
        "source": "0:" + "AB" * 32,
        "destination": "0:" + "00" * 32,
        "value": "5000",
        "bounced": False,
        "message_content": {"decoded": {"type": "text_comment", "comment": "abc"}},
    },
    "out_msgs": [],
}
#: What the two endpoints of TON Center about blocks answer.
MASTERCHAIN = {"last": {"seqno": 100}, "blocks": [{"seqno": 90, "gen_utime": "1600000000"}]}
LISTS = ("/api/v3/transactions",)
Answer = Callable[[str, Any], Any]


def served(answer: Answer) -> httpx2.AsyncClient:
    """A client of a node that answers paths, or methods of JSON-RPC, as the function says."""

    def respond(request: httpx2.Request) -> httpx2.Response:
        if request.method == "GET":
            return httpx2.Response(200, text=json.dumps(answer(request.url.path, dict(request.url.params))))
        sent = json.loads(request.content)
        calls = sent if isinstance(sent, list) else [sent]
        results = [
            {"jsonrpc": "2.0", "id": call["id"], "result": answer(call["method"], call["params"])} for call in calls
        ]
        return httpx2.Response(200, text=json.dumps(results if isinstance(sent, list) else results[0]))

    return answering(respond)


def bitcoin(tx: Any) -> tuple[Watcher, str, str]:
    def answer(path: str, _params: Any) -> Any:
        return 100 if "tip" in path else [] if "chain" in path else [tx]

    return EsploraWatcher(served(answer), "http://node"), "BTC", BTC


def token(log: Any) -> tuple[Watcher, str, str]:
    answers = {"eth_chainId": "0x1", "eth_blockNumber": "0x64", "eth_getLogs": [log]}
    return EvmWatcher(served(lambda method, _: answers[method]), "http://node", usdc_contract=USDC), "USDC", ETH


def coin(block: Any, receipt: Any = RECEIPT) -> tuple[Watcher, str, str]:
    answers = {
        "eth_chainId": "0x1",
        "eth_blockNumber": "0x5a",
        "eth_getBlockByNumber": block,
        "eth_getTransactionReceipt": receipt,
    }
    return EvmWatcher(served(lambda method, _: answers[method]), "http://node", usdc_contract=USDC), "ETH", ETH


def ton(transfer: Any) -> tuple[Watcher, str, str]:
    def answer(path: str, _params: Any) -> Any:
        return MASTERCHAIN if path not in LISTS else {"transactions": [transfer]}

    return TonWatcher(served(answer), "http://node"), "TON", "0:" + "00" * 32


NODES: dict[str, tuple[Callable[[Any], tuple[Watcher, str, str]], Any]] = {
    "bitcoin": (bitcoin, TX),
    "token": (token, LOG),
    "coin": (coin, BLOCK),
    "ton": (ton, TRANSFER),
}
#: Values that a member of an answer may have instead of the right one.
WRONG: list[Any] = [
    None,
    True,
    -1,
    10**30,
    1.5,
    "",
    "0x",
    "0xzz",
    "-5",
    "1e3",
    "٣",
    [],
    {},
    [[]],
    "x" * 100,
    "0x" + "f" * 64,
]


def members(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """List the ways to every value within an answer."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in inner:
        yield (*path, name)
        yield from members(each, (*path, name))


def changed(value: Any, path: tuple[Any, ...], to: Any) -> Any:
    whole = copy.deepcopy(value)
    place = whole
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = to
    return whole


async def look(node: tuple[Watcher, str, str]) -> list[int]:
    watcher, asset, address = node
    view = await watcher.deposits(asset, address, since_height=90, since_at=LONG_AGO)
    return [deposit.amount_minor for deposit in view.deposits]


@pytest.mark.parametrize("name", NODES)
async def test_the_right_answer_is_a_deposit(name: str):
    make, answer = NODES[name]
    assert await look(make(answer)) == [5000]


@pytest.mark.parametrize("name", NODES)
async def test_no_wrong_value_anywhere_makes_more_of_a_deposit_or_crashes(name: str):
    make, answer = NODES[name]
    refused = 0
    for path in members(answer):
        for wrong in WRONG:
            try:
                amounts = await look(make(changed(answer, path, wrong)))
            except ProviderUnavailable:
                refused += 1
            else:
                assert amounts in ([], [5000]), (path, wrong)
    assert refused > len(WRONG)


@for_each("name", NODES)
@for_each("answer", [None, 5, "deposit", [], [5], {"transactions": 5}, {"amount": 5000}])
async def test_an_answer_of_another_shape_is_refused_or_empty(name: str, answer: Any):
    make, _ = NODES[name]
    with suppress(ProviderUnavailable):
        assert await look(make(answer)) == []


async def test_two_outputs_of_one_transaction_to_one_address_are_two_deposits():
    outputs = [{"scriptpubkey_address": BTC, "value": value} for value in (3, 0, 4)]
    watcher, asset, address = bitcoin(TX | {"vout": [*outputs, {"value": 9}]})
    view = await watcher.deposits(asset, address, since_height=90, since_at=LONG_AGO)
    assert [(deposit.index, deposit.amount_minor) for deposit in view.deposits] == [(0, 3), (2, 4)]


async def test_a_reverted_transfer_is_no_deposit():
    assert await look(coin(BLOCK, {"status": "0x0", "blockHash": HASH})) == []


async def test_a_receipt_from_another_block_is_refused():
    with pytest.raises(ProviderUnavailable):
        await look(coin(BLOCK, {"status": "0x1", "blockHash": OTHER}))


async def test_a_removed_log_is_no_deposit():
    assert await look(token(LOG | {"removed": True})) == []


@pytest.mark.parametrize(
    "change", [{"address": ETH}, {"topics": [OTHER, HASH, LOG["topics"][2]]}, {"topics": [*LOG["topics"][:2], HASH]}]
)
async def test_a_log_of_another_token_event_or_receiver_is_refused(change: dict[str, Any]):
    with pytest.raises(ProviderUnavailable):
        await look(token(LOG | change))


async def test_blocks_that_do_not_follow_each_other_are_refused():
    def answer(method: str, params: Any) -> Any:
        if method == "eth_getBlockByNumber":
            return BLOCK | {"number": params[0], "hash": f"0x{int(params[0], 16):064x}"}
        return {"eth_chainId": "0x1", "eth_blockNumber": "0x64"}[method]

    watcher = EvmWatcher(served(answer), "http://node", usdc_contract=USDC)
    with pytest.raises(ProviderUnavailable):
        await look((watcher, "ETH", ETH))


async def test_a_transfer_that_was_bounced_back_is_no_deposit():
    assert await look(ton(TRANSFER | {"out_msgs": [{"bounced": True}]})) == []


async def test_a_transfer_that_is_only_foreseen_is_no_deposit():
    assert await look(ton(TRANSFER | {"emulated": True})) == []


async def test_a_transfer_of_another_account_is_refused():
    watcher, asset, _ = ton(TRANSFER)
    with pytest.raises(ProviderUnavailable):
        await look((watcher, asset, TON_ADDRESS))


async def test_pages_without_an_end_are_given_up():
    def bitcoin_page(path: str, _params: Any) -> Any:
        return 100 if "tip" in path else [TX]

    with pytest.raises(ProviderUnavailable):
        await look((EsploraWatcher(served(bitcoin_page), "http://node"), "BTC", BTC))

    def ton_page(path: str, _params: Any) -> Any:
        return MASTERCHAIN if path not in LISTS else {"transactions": [TRANSFER] * 1000}

    with pytest.raises(ProviderUnavailable):
        await look((TonWatcher(served(ton_page), "http://node"), "TON", "0:" + "00" * 32))


async def test_a_block_of_ton_that_was_not_asked_for_is_refused():
    def answer(path: str, _params: Any) -> Any:
        other = {"seqno": 91, "gen_utime": "1700000000"}
        return {"transactions": []} if path in LISTS else MASTERCHAIN | {"blocks": [other]}

    with pytest.raises(ProviderUnavailable):
        await look((TonWatcher(served(answer), "http://node"), "TON", "0:" + "00" * 32))


async def test_transactions_of_ton_that_go_back_are_refused():
    later = TRANSFER | {"hash": TRANSFER["hash"].replace("q6", "r6", 1), "mc_block_seqno": 91}

    def answer(path: str, _params: Any) -> Any:
        return {"transactions": [later, TRANSFER]} if path in LISTS else MASTERCHAIN

    with pytest.raises(ProviderUnavailable):
        await look((TonWatcher(served(answer), "http://node"), "TON", "0:" + "00" * 32))


def tokens_by_block(least: int, *, most: int) -> tuple[Callable[..., Any], list[tuple[int, int]]]:
    """A node with `least` transfers of nothing in each of ten blocks and one that counts, and what it was asked."""
    asked: list[tuple[int, int]] = []
    empty = LOG | {"data": "0x" + "0" * 64}

    def answer(method: str, params: Any) -> Any:
        if method != "eth_getLogs":
            return {"eth_chainId": "0x1", "eth_blockNumber": "0x63"}[method]
        first, last = int(params[0]["fromBlock"], 16), int(params[0]["toBlock"], 16)
        asked.append((first, last))
        found = [empty | {"blockNumber": hex(each)} for each in range(first, last + 1) for _ in range(least)]
        found += [LOG] if first <= 90 <= last else []
        return found[:most]

    return answer, asked


async def test_many_transfers_of_nothing_do_not_hide_a_payment():
    answer, asked = tokens_by_block(2_000, most=30_000)
    watcher = EvmWatcher(served(answer), "http://node", usdc_contract=USDC)
    assert await look((watcher, "USDC", ETH)) == [5000]
    assert asked == [(90, 99), (90, 94), (90, 92), (93, 94), (95, 99)]


async def test_a_block_with_more_transfers_than_a_range_may_hold_is_read():
    answer, _ = tokens_by_block(10_001, most=10**6)
    watcher = EvmWatcher(served(answer), "http://node", usdc_contract=USDC)
    view = await watcher.deposits("USDC", ETH, since_height=90, since_at=LONG_AGO)
    assert [deposit.amount_minor for deposit in view.deposits] == [5000]
    assert (view.scanned, view.complete) == (99, True)


async def test_a_node_that_refuses_a_range_is_asked_for_less_and_one_that_is_away_is_not():
    asked: list[int] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        call = json.loads(request.content)
        body: dict[str, Any] = {"jsonrpc": "2.0", "id": 0}
        if call["method"] != "eth_getLogs":
            return httpx2.Response(
                200, json=body | {"result": "0x63" if call["method"] == "eth_blockNumber" else "0x1"}
            )
        first, last = (int(call["params"][0][name], 16) for name in ("fromBlock", "toBlock"))
        asked.append(last - first + 1)
        if last > first:
            return httpx2.Response(200, json=body | {"error": {"code": -32005, "message": "more than 10000 results"}})
        return httpx2.Response(200, json=body | {"result": [LOG] if first == 90 else []})

    watcher = EvmWatcher(answering(answer), "http://node", usdc_contract=USDC)
    assert await look((watcher, "USDC", ETH)) == [5000]
    assert asked.count(1) == 10
    asked.clear()
    away = EvmWatcher(answering(lambda _: httpx2.Response(503)), "http://node", usdc_contract=USDC)
    with pytest.raises(ProviderUnavailable):
        await look((away, "USDC", ETH))
    assert asked == []


BODIES = [
    b"",
    b"\xff\xfe",
    b"[" * 100_000,
    b"NaN",
    b'{"a": Infinity}',
    b"1" * 10_000,
    b'{"result": ',
    b"<html>down for maintenance</html>",
]


@for_each("body", BODIES)
async def test_what_is_no_json_is_refused(body: bytes):
    node = Node(answering(lambda _: httpx2.Response(200, content=body)), "http://node")
    with pytest.raises(ProviderUnavailable):
        await node.get("/")


async def test_an_answer_without_an_end_is_cut_off():
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield b" " * 1000

    client = answering(lambda _: httpx2.Response(200, content=endless()))
    with pytest.raises(ProviderUnavailable) as refused:
        await Node(client, "http://node", max_bytes=10_000).get("/")
    assert refused.value.code == "chain.bad_answer"
    assert sent == 11


async def test_an_answer_that_never_comes_is_unavailable():
    async def never() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    client = answering(lambda _: httpx2.Response(200, content=never()))
    with pytest.raises(ProviderUnavailable) as refused:
        await Node(client, "http://node", timeout=timedelta(milliseconds=10)).get("/")
    assert refused.value.code == "chain.timeout"


@pytest.mark.parametrize(
    "batch",
    [
        [],
        [{"id": 0, "result": BLOCK}],
        [{"id": 0, "result": BLOCK}, {"id": 0, "result": BLOCK}],
        [{"id": 0, "result": BLOCK}, {"id": 1, "error": {"code": -32005, "message": "limit"}}],
        [{"id": 0, "result": BLOCK}, {"id": "1", "result": BLOCK}],
        [{"id": number, "result": BLOCK} for number in range(3)],
    ],
)
async def test_a_batch_that_is_not_complete_is_refused(batch: list[Any]):
    client = answering(lambda _: httpx2.Response(200, json=batch))
    watcher = EvmWatcher(client, "http://node", usdc_contract=USDC)
    with pytest.raises(ProviderUnavailable):
        await watcher._calls([("eth_getBlockByNumber", ["0x59", True]), ("eth_getBlockByNumber", ["0x5a", True])])


async def test_answers_of_a_batch_are_put_in_order():
    client = answering(lambda _: httpx2.Response(200, json=[{"id": 1, "result": "b"}, {"id": 0, "result": "a"}]))
    watcher = EvmWatcher(client, "http://node", usdc_contract=USDC)
    assert await watcher._calls([("one", []), ("two", [])]) == ["a", "b"]
