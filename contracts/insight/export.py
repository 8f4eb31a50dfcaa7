"""Messages of the run of an export."""

from datetime import datetime

from contracts.common.base import Message


class ExportInput(Message):
    """Starts or continues the run of an export.

    Attributes:
        number: of the next file, from 1.
        rows: the number of rows in finished files.
        settle_until: the earliest beginning of reading; None once it has begun.
    """

    export_id: str
    summary: str
    settle_until: datetime | None = None
    number: int = 1
    rows: int = 0

    def plus(self, done: "WrittenFile") -> "ExportInput":
        """Return the progress after a file; an empty last file does not count, unless it is the only one."""
        written = 1 if done.rows or self.number == 1 else 0
        return self.model_copy(update={"number": self.number + written, "rows": self.rows + done.rows})

    def is_last(self, done: "WrittenFile") -> bool:
        return done.last


class SettleExport(Message):
    """Waits until every transaction that has begun has ended."""

    export_id: str


class SettledExport(Message):
    """Result: `settled` if older transactions have ended; `done` if all files are written and only expiry is due."""

    settled: bool
    done: bool = False


class WriteExportFile(Message):
    export_id: str
    number: int


class WrittenFile(Message):
    """A written file: number of rows, and whether it is the last."""

    rows: int = 0
    last: bool = False


class FinishExport(Message):
    """Writes the manifest; the files are kept until `expires_at`."""

    export_id: str
    now: datetime


class ExpireExport(Message):
    export_id: str
    now: datetime


class ExportResult(Message):
    files: int = 0
    rows: int = 0
