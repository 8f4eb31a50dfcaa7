"""An Ethereum node: a real EVM, a token on it, and the JSON-RPC methods that a watcher of payments calls.

What is to be sent waits as an order and becomes a signed transaction in the next block, so that a restart and a
reorganisation leave it in the queue. The same orders in the same sequence make the same transaction hashes.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dev.sandbox.chains.accounts import CHAIN_ID as CHAIN_ID, USDC_CONTRACT as USDC_CONTRACT
from dev.sandbox.chains.store import KeyValues, Store
from dev.sandbox.chains.token import creation_code, transfer_call
from providers.chains.addresses import checksummed

_GENESIS_AT = 1_700_000_000
_GAS_PRICE = 10**10


@contextmanager
def _recursion_limit_kept() -> Iterator[None]:
    """Put the recursion limit back, which py-evm and its curves raise a hundredfold when they are imported.

    With such a limit a deeply nested JSON text overflows the stack and ends the process, instead of being refused.
    """
    limit = sys.getrecursionlimit()
    yield
    sys.setrecursionlimit(limit)


class RpcError(Exception):
    """A call that is refused, with the code of JSON-RPC."""

    def __init__(self, code: int, message: str) -> None:
        """Keep both."""
        super().__init__(message)
        self.code, self.message = code, message


class Ethereum:
    """A chain with one rich account."""

    def __init__(self, store: Store) -> None:
        """Continue the chain that the state holds, or begin one and create the token."""
        with _recursion_limit_kept():  # here, because py-evm takes seconds to import
            from eth.db.atomic import AtomicDB
            from eth.db.backends.memory import MemoryDB
            from eth_tester import EthereumTester, PyEVMBackend

        self._store, self._db = store, store.db
        parameters = PyEVMBackend.generate_genesis_params({"timestamp": _GENESIS_AT})
        backend = PyEVMBackend(genesis_parameters=parameters)
        # eth-tester makes its chain in memory; the same chain is opened again over a database that stays.
        chain_class = type(backend.chain)
        chain_class.chain_id = CHAIN_ID
        values: Any = KeyValues(store)  # a mapping is all that it has to be
        database = AtomicDB(MemoryDB(values))
        fresh = not values
        if fresh:
            state = PyEVMBackend.generate_genesis_state(num_accounts=1, overrides={"balance": 10**30})
            backend.chain = chain_class.from_genesis(database, parameters, state)
        else:
            backend.chain = chain_class(database)
        self._backend = backend
        self._tester = EthereumTester(backend, auto_mine_transactions=False)
        self._rich = self._tester.get_accounts()[0]
        if fresh:
            self._transact({"data": creation_code()}, 0)
            self._tester.mine_block()

    def tip(self) -> int:
        """Return the number of the newest block."""
        return int(self._tester.get_block_by_number("latest")["number"])

    def send(self, asset: str, address: str, amount: int) -> int:
        """Order a transfer: wei, or the token's minor units."""
        number, receiver = self._store.next("evm_order"), checksummed(address)
        self._db.execute("INSERT INTO evm_orders VALUES (?, ?, ?, ?, NULL)", (number, asset, receiver, str(amount)))
        return number

    def mine(self, blocks: int) -> list[str]:
        """Add blocks; the first holds everything that waits. Returns the hashes of the transactions."""
        orders = self._db.execute("SELECT * FROM evm_orders WHERE height IS NULL ORDER BY number").fetchall()
        hashes = []
        self._db.execute("BEGIN")
        for nonce, order in enumerate(orders, self._tester.get_nonce(self._rich)):
            receiver, amount = bytes.fromhex(order["address"][2:]), int(order["amount"])
            transfer: dict[str, Any] = {"to": receiver, "value": amount}
            if order["asset"] == "USDC":
                transfer = {"to": bytes.fromhex(USDC_CONTRACT[2:]), "data": transfer_call(receiver, amount)}
            hashes.append(self._transact(transfer, nonce))
        self._tester.mine_blocks(blocks)
        first = self.tip() - blocks + 1
        self._db.execute("UPDATE evm_orders SET height = ? WHERE height IS NULL", (first,))
        self._db.execute("COMMIT")
        return hashes

    def reorganise(self, depth: int, *, drop: bool) -> None:
        """Replace the newest blocks by empty ones; their transactions are ordered again, or lost."""
        target = self.tip() - depth
        self._db.execute("BEGIN")
        self._backend.revert_to_snapshot(self._backend.chain.get_canonical_block_by_number(target).hash)
        gone = "DELETE FROM evm_orders" if drop else "UPDATE evm_orders SET height = NULL"
        self._db.execute(f"{gone} WHERE height > ?", (target,))
        self._tester.mine_blocks(depth)
        self._db.execute("COMMIT")

    def call(self, method: str, params: list[Any]) -> Any:
        """Answer one call of JSON-RPC."""
        from eth_tester.exceptions import BlockNotFound, TransactionFailed, TransactionNotFound

        answer = getattr(self, f"_{method}", None)
        if answer is None or not method.startswith(("eth_", "net_", "web3_")):
            raise RpcError(-32601, f"the method {method} does not exist")
        try:
            return answer(*params)
        except (BlockNotFound, TransactionNotFound):
            return None
        except TransactionFailed as failed:
            raise RpcError(3, f"execution reverted: {failed}") from None
        except (TypeError, ValueError, KeyError, AttributeError) as wrong:
            raise RpcError(-32602, f"invalid parameters: {wrong}") from None

    def _transact(self, transaction: dict[str, Any], nonce: int) -> str:
        """Sign a transaction and put it into the block that is being made."""
        sender = bytes.fromhex(self._rich[2:])
        terms = {"from": sender, "nonce": nonce, "gas": 1_000_000, "gas_price": _GAS_PRICE}
        return "0x" + str(self._backend.send_transaction({**terms, **transaction}).hex())

    def _eth_chainId(self) -> str:
        return hex(CHAIN_ID)

    def _net_version(self) -> str:
        return str(CHAIN_ID)

    def _web3_clientVersion(self) -> str:
        return "bursar-sandbox/eth-tester"

    def _eth_blockNumber(self) -> str:
        return hex(self.tip())

    def _eth_getBalance(self, address: str, block: str = "latest") -> str:
        return hex(self._tester.get_balance(address, self._number(block)))

    def _eth_call(self, call: dict[str, Any], block: str = "latest") -> str:
        sender = call.get("from", self._rich)
        wanted = {"from": sender, "to": call["to"], "data": call.get("data", "0x"), "gas": 1_000_000}
        return str(self._tester.call({**wanted, "gas_price": _GAS_PRICE}, self._number(block)))

    def _eth_getBlockByNumber(self, block: str, full: bool) -> dict[str, Any] | None:
        number = self._number(block)
        if isinstance(number, int) and number > self.tip():
            return None
        raw = self._tester.get_block_by_number(number, full_transactions=full)
        transactions = [_transaction(tx) if full else tx for tx in raw["transactions"]]
        return {
            "number": hex(raw["number"]),
            "hash": raw["hash"],
            "parentHash": raw["parent_hash"],
            "timestamp": hex(raw["timestamp"]),
            "gasUsed": hex(raw["gas_used"]),
            "transactions": transactions,
        }

    def _eth_getTransactionReceipt(self, tx: str) -> dict[str, Any] | None:
        raw = self._tester.get_transaction_receipt(tx)
        # After a reorganisation the index still knows transactions of the blocks that were replaced.
        if raw["block_number"] is None or raw["block_number"] > self.tip():
            return None
        block = self._tester.get_block_by_number(raw["block_number"])
        if block["hash"] != raw["block_hash"] or tx not in block["transactions"]:
            return None
        return {
            "transactionHash": raw["transaction_hash"],
            "blockHash": raw["block_hash"],
            "blockNumber": hex(raw["block_number"]),
            "status": hex(raw["status"]),
            "gasUsed": hex(raw["gas_used"]),
            "logs": [_log(log) for log in raw["logs"]],
        }

    def _eth_getLogs(self, wanted: dict[str, Any]) -> list[dict[str, Any]]:
        first, last = (self._number(wanted.get(name, "latest")) for name in ("fromBlock", "toBlock"))
        last = min(last, self.tip()) if isinstance(last, int) else last
        logs = self._tester.get_logs(first, last, wanted.get("address"), wanted.get("topics"))
        return [_log(log) for log in logs]

    @staticmethod
    def _number(block: str) -> int | str:
        return int(block, 16) if block.startswith("0x") else block


def _transaction(raw: dict[str, Any]) -> dict[str, Any]:
    return {
        "hash": raw["hash"],
        "from": raw["from"],
        "to": raw["to"] or None,
        "value": hex(raw["value"]),
        "nonce": hex(raw["nonce"]),
        "blockHash": raw["block_hash"],
        "blockNumber": hex(raw["block_number"]),
        "input": raw["data"],
    }


def _log(raw: dict[str, Any]) -> dict[str, Any]:
    return {
        "address": raw["address"],
        "topics": list(raw["topics"]),
        "data": raw["data"],
        "logIndex": hex(raw["log_index"]),
        "transactionHash": raw["transaction_hash"],
        "transactionIndex": hex(raw["transaction_index"]),
        "blockHash": raw["block_hash"],
        "blockNumber": hex(raw["block_number"]),
        "removed": False,
    }
