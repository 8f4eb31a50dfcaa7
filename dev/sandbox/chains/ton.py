"""TON as TON Center's API v3 reports it: transfers with a comment, in blocks of a masterchain that stay."""

import base64
import hashlib
import time
from typing import Any

from dev.sandbox.chains.store import Store
from providers.chains.addresses import ton_raw

FIRST_SEQNO = 40_000_000
SENDER = "0:" + hashlib.sha256(b"somebody").hexdigest().upper()


class Ton:
    """Accounts that receive."""

    def __init__(self, store: Store) -> None:
        """Take the state."""
        self._store, self._db = store, store.db

    def tip(self) -> int:
        """Return the number of the newest block."""
        return FIRST_SEQNO + self._store.value("ton_block")

    def send(self, address: str, amount: int, comment: str | None, *, bounced: bool = False) -> str:
        """Let a transfer wait for the next block, and return its hash in hexadecimal."""
        number = self._store.next("ton_tx")
        self._db.execute(
            "INSERT INTO ton_txs VALUES (?, ?, ?, ?, ?, NULL, NULL)",
            (number, ton_raw(address), amount, comment, int(bounced)),
        )
        return self._hash(number).hex()

    def mine(self, blocks: int) -> None:
        """Add blocks; the first holds everything that waits."""
        for _ in range(blocks):
            self._store.next("ton_block")
            self._db.execute("UPDATE ton_txs SET seqno = ?, at = ? WHERE seqno IS NULL", (self.tip(), int(time.time())))

    def transactions(
        self, account: str, *, start_utime: int, limit: int, offset: int, ascending: bool
    ) -> list[dict[str, Any]]:
        """Return a page of an account's transactions."""
        rows = self._db.execute(
            "SELECT * FROM ton_txs WHERE account = ? AND seqno IS NOT NULL AND at >= ?"
            f" ORDER BY number {'ASC' if ascending else 'DESC'} LIMIT ? OFFSET ?",
            (ton_raw(account), start_utime, limit, offset),
        )
        return [_shape(row, self._hash(row["number"])) for row in rows]

    def blocks(self, seqno: int) -> list[dict[str, Any]]:
        """Return a block of the masterchain with the time of the last transfer up to it; none before there is one."""
        at = self._db.execute("SELECT max(at) FROM ton_txs WHERE seqno <= ?", (seqno,)).fetchone()[0]
        block = {"workchain": -1, "shard": "8000000000000000", "seqno": seqno, "gen_utime": str(at)}
        return [] if at is None or not FIRST_SEQNO <= seqno <= self.tip() else [block]

    def _hash(self, number: int) -> bytes:
        return hashlib.sha256(f"ton {self._store.salt} {number}".encode()).digest()

    def master(self) -> dict[str, Any]:
        """Return the first and the newest block."""
        block = {"workchain": -1, "shard": "8000000000000000", "root_hash": "", "file_hash": ""}
        return {"last": {**block, "seqno": self.tip()}, "first": {**block, "seqno": FIRST_SEQNO}}


def _shape(row: Any, tx: bytes) -> dict[str, Any]:
    decoded = None if row["comment"] is None else {"type": "text_comment", "comment": row["comment"]}
    body = {"hash": "", "body": "", "decoded": decoded}
    message = {
        "hash": base64.b64encode(hashlib.sha256(tx).digest()).decode(),
        "source": SENDER,
        "destination": row["account"],
        "value": str(row["amount"]),
        "created_lt": str(row["number"] * 1_000_000),
        "created_at": str(row["at"]),
        "opcode": "0x00000000",
        "bounce": False,
        "bounced": bool(row["bounced"]),
        "message_content": body,
    }
    return {
        "account": row["account"],
        "hash": base64.b64encode(tx).decode(),
        "lt": str(row["number"] * 1_000_000 + 1),
        "now": row["at"],
        "mc_block_seqno": row["seqno"],
        "emulated": False,
        "in_msg": message,
        "out_msgs": [],
        "description": {"type": "ord", "aborted": False},
    }
