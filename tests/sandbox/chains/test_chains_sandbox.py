"""The sandbox of chains: its state survives, its token is one, its faults happen as often as ordered."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest

from dev.sandbox.chains.accounts import BTC_XPUB, ETH_XPUB, TON_ADDRESS
from dev.sandbox.chains.app import build
from dev.sandbox.chains.ethereum import CHAIN_ID, USDC_CONTRACT, Ethereum
from dev.sandbox.chains.store import Store
from dev.sandbox.chains.token import SUPPLY, TRANSFER, transfer_call
from dev.stack.temporal import free_port
from tests.support.cases import for_each

SOMEBODY = "0x9858EfFD232B4033E47d90003D41EC34EcaEda94"
ROOT = Path(__file__).resolve().parents[3]


def padded(address: str) -> str:
    return "0x" + address[2:].lower().rjust(64, "0")


def call(ethereum: Ethereum, data: str, **more: Any) -> int:
    return int(ethereum.call("eth_call", [{"to": USDC_CONTRACT, "data": data, **more}]), 16)


def test_the_token_has_the_scale_of_usdc_and_moves_what_there_is():
    ethereum = Ethereum(Store())
    assert call(ethereum, "0x313ce567") == 6
    assert call(ethereum, "0x18160ddd") == SUPPLY
    ethereum.send("USDC", SOMEBODY, 5_000_000)
    (tx,) = ethereum.mine(1)
    balance = "0x70a08231" + padded(SOMEBODY)[2:]
    assert call(ethereum, balance) == 5_000_000
    receipt = ethereum.call("eth_getTransactionReceipt", [tx])
    (log,) = receipt["logs"]
    assert receipt["status"] == "0x1"
    assert log["address"] == USDC_CONTRACT
    assert log["topics"][::2] == [hex(TRANSFER), padded(SOMEBODY)]
    assert int(log["data"], 16) == 5_000_000
    ethereum.send("USDC", SOMEBODY, SUPPLY)
    (tx,) = ethereum.mine(1)
    receipt = ethereum.call("eth_getTransactionReceipt", [tx])
    assert (receipt["status"], receipt["logs"]) == ("0x0", [])
    assert call(ethereum, balance) == 5_000_000


def test_an_unknown_function_of_the_token_reverts():
    ethereum = Ethereum(Store())
    with pytest.raises(Exception, match="reverted"):
        call(ethereum, "0x" + transfer_call(bytes.fromhex(SOMEBODY[2:]), 1).hex().replace("a9059cbb", "deadbeef", 1))


def test_every_chain_is_the_same_after_a_restart(tmp_path: Path):
    state = tmp_path / "chains.sqlite"
    store = Store(state)
    ethereum = Ethereum(store)
    ethereum.send("ETH", SOMEBODY, 10**18)
    ethereum.mine(4)
    ethereum.send("ETH", SOMEBODY, 1)
    before = [ethereum.call("eth_getBlockByNumber", [hex(number), True]) for number in range(ethereum.tip() + 1)]
    store.close()
    again = Ethereum(Store(state))
    assert [again.call("eth_getBlockByNumber", [hex(number), True]) for number in range(again.tip() + 1)] == before
    again.mine(1)  # what waited still waits
    assert int(again.call("eth_getBalance", [SOMEBODY]), 16) == 10**18 + 1


def test_a_reorganisation_undoes_balances_and_the_orders_can_come_again():
    ethereum = Ethereum(Store())
    ethereum.mine(3)
    ethereum.send("ETH", SOMEBODY, 10**18)
    first = ethereum.mine(2)
    tip = ethereum.tip()
    ethereum.reorganise(2, drop=False)
    assert (ethereum.tip(), ethereum.call("eth_getBalance", [SOMEBODY])) == (tip, "0x0")
    assert ethereum.call("eth_getTransactionReceipt", first) is None
    assert ethereum.mine(1) == first
    ethereum.reorganise(1, drop=True)
    assert ethereum.mine(1) == []


async def test_calls_that_no_node_knows_are_refused_as_json_rpc_does():
    app = build(Store())
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://chains") as client:
        for sent, code in (
            ({"id": 1, "method": "eth_sendTransaction", "params": []}, -32601),
            ({"id": 1, "method": "_transact", "params": []}, -32601),
            ({"id": 1, "method": "eth_getBlockByNumber", "params": []}, -32602),
            ({"id": 1}, -32600),
        ):
            assert (await client.post("/evm", json=sent)).json()["error"]["code"] == code
        assert (await client.post("/evm", content="{")).json()["error"]["code"] == -32700


@for_each(
    "path, body",
    [
        ("btc/deposit", {}),
        ("btc/deposit", {"address": "x", "amount": "0"}),
        ("btc/deposit", {"address": "x", "amount": "1", "asset": "ETH"}),
        ("evm/deposit", {"address": SOMEBODY, "amount": "0.0000000001"}),
        ("evm/deposit", {"address": "x", "amount": "1"}),
        ("ton/deposit", {"address": "x", "amount": "1"}),
        ("ton/reorg", {"depth": 1}),
        ("doge/mine", {}),
        ("faults", {"service": "btc", "kind": "fire"}),
    ],
)
async def test_orders_that_make_no_sense_are_refused(path: str, body: dict[str, Any]):
    app = build(Store())
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://chains") as client:
        answer = await client.post(f"/_control/{path}", json=body)
        assert (answer.status_code, list(answer.json())) == (422, ["error"])


async def test_faults_happen_as_often_as_ordered():
    app = build(Store())
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://chains") as client:
        await client.post("/_control/faults", json={"service": "btc", "kind": "500", "times": 2})
        answers = [(await client.get("/btc/api/blocks/tip/height")).status_code for _ in range(3)]
        assert answers == [500, 500, 200]


def test_it_runs_as_a_process_on_the_loopback_and_continues_where_it_was_killed(tmp_path: Path):
    port = free_port()
    command = [sys.executable, "-m", "dev.sandbox.chains", "--port", str(port), "--data", str(tmp_path)]
    tips: list[dict[str, int]] = []
    with httpx2.Client(base_url=f"http://127.0.0.1:{port}", transport=httpx2.HTTPTransport(retries=8)) as client:
        for ending in (signal.SIGKILL, signal.SIGTERM):
            with subprocess.Popen(command, cwd=ROOT) as process:
                health = client.get("/_control/health", timeout=60).json()
                tips.append(health["tips"])
                for chain in ("btc", "evm", "ton"):
                    client.post(f"/_control/{chain}/mine", json={"blocks": 2}).raise_for_status()
                process.send_signal(ending)
    assert {name: tip - tips[0][name] for name, tip in tips[1].items()} == {"btc": 2, "evm": 2, "ton": 2}
    assert (health["btc_xpub"], health["eth_xpub"], health["ton_address"]) == (BTC_XPUB, ETH_XPUB, TON_ADDRESS)
    assert (health["chain_id"], health["usdc_contract"]) == (CHAIN_ID, USDC_CONTRACT)
