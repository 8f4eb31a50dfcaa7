"""Bitcoin as Esplora reports it: transactions in a mempool or in blocks, and blocks that can be replaced."""

import hashlib
import json
import time
from typing import Any

from dev.sandbox.chains.store import Store

FIRST_HEIGHT = 840_000
_PAGE, _MEMPOOL = 25, 50


class Bitcoin:
    """A chain without proof of work."""

    def __init__(self, store: Store) -> None:
        """Take the state, and begin with one block where there is none."""
        self._store, self._db = store, store.db
        if self._db.execute("SELECT count(*) FROM btc_blocks").fetchone()[0] == 0:
            self._add_block(FIRST_HEIGHT)

    def tip(self) -> int:
        """Return the height of the newest block."""
        return int(self._db.execute("SELECT max(height) FROM btc_blocks").fetchone()[0])

    def block_hash(self, height: int) -> str | None:
        """Return the hash of a block."""
        row = self._db.execute("SELECT hash FROM btc_blocks WHERE height = ?", (height,)).fetchone()
        return None if row is None else str(row["hash"])

    def send(self, outputs: list[tuple[str, int]]) -> str:
        """Put a transaction into the mempool; its first output is the sender's change."""
        number = self._store.next("btc_tx")
        txid = hashlib.sha256(f"tx {self._store.salt} {number}".encode()).hexdigest()
        change = ("bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq", 10_000)
        self._db.execute("INSERT INTO btc_txs VALUES (?, ?, ?, NULL)", (number, txid, json.dumps([change, *outputs])))
        return txid

    def mine(self, blocks: int) -> None:
        """Add blocks; the first holds everything that waits."""
        for _ in range(blocks):
            height = self._add_block(self.tip() + 1)
            self._db.execute("UPDATE btc_txs SET height = ? WHERE height IS NULL", (height,))

    def reorganise(self, depth: int, *, drop: bool) -> None:
        """Replace the newest blocks by empty ones; their transactions wait again, or are lost."""
        tip = self.tip()
        gone = "DELETE FROM btc_txs" if drop else "UPDATE btc_txs SET height = NULL"
        self._db.execute(f"{gone} WHERE height > ?", (tip - depth,))
        self._db.execute("DELETE FROM btc_blocks WHERE height > ?", (tip - depth,))
        for height in range(tip - depth + 1, tip + 1):
            self._add_block(height)

    def transactions(self, address: str, *, after: str | None = None) -> list[dict[str, Any]]:
        """Return a page of an address's transactions, newest first; the first page begins with the mempool."""
        rows = self._db.execute(
            "SELECT * FROM btc_txs ORDER BY height IS NOT NULL, height DESC, number DESC"
        ).fetchall()
        mine = [row for row in rows if address in {output[0] for output in json.loads(row["outputs"])}]
        waiting = [row for row in mine if row["height"] is None]
        confirmed = [row for row in mine if row["height"] is not None]
        if after is None:
            return [self._shape(row) for row in waiting[:_MEMPOOL] + confirmed[:_PAGE]]
        known = [row["txid"] for row in confirmed]
        start = known.index(after) + 1 if after in known else len(known)
        return [self._shape(row) for row in confirmed[start : start + _PAGE]]

    def status(self, txid: str) -> dict[str, Any] | None:
        """Return where a transaction stands."""
        row = self._db.execute("SELECT * FROM btc_txs WHERE txid = ?", (txid,)).fetchone()
        return None if row is None else self._status(row["height"])

    def _add_block(self, height: int) -> int:
        number = self._store.next("btc_block")
        block_hash = hashlib.sha256(f"block {self._store.salt} {number}".encode()).hexdigest()
        self._db.execute("INSERT INTO btc_blocks VALUES (?, ?, ?)", (height, block_hash, int(time.time())))
        return height

    def _status(self, height: int | None) -> dict[str, Any]:
        if height is None:
            return {"confirmed": False}
        block = self._db.execute("SELECT * FROM btc_blocks WHERE height = ?", (height,)).fetchone()
        return {"confirmed": True, "block_height": height, "block_hash": block["hash"], "block_time": block["at"]}

    def _shape(self, row: Any) -> dict[str, Any]:
        outputs = [
            {"scriptpubkey": "", "scriptpubkey_type": "v0_p2wpkh", "scriptpubkey_address": address, "value": value}
            for address, value in json.loads(row["outputs"])
        ]
        return {
            "txid": row["txid"],
            "version": 2,
            "locktime": 0,
            "vin": [],
            "vout": outputs,
            "size": 222,
            "weight": 561,
            "fee": 1000,
            "status": self._status(row["height"]),
        }
