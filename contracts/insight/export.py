"""Messages of the run of an export."""

from datetime import datetime

from contracts.common.base import Message


class ExportInput(Message):
    """Starts the run of an export, and its progress when it continues as new.

    Attributes:
        number: of the next file, from 1.
        rows: how many rows are in finished files.
        settle_until: when reading begins at the earliest; None once it has begun.
    """

    export_id: str
    summary: str
    settle_until: datetime | None = None
    number: int = 1
    rows: int = 0

    def plus(self, done: "WrittenFile") -> "ExportInput":
        """Return the progress after a file; a last one without rows is none, unless it is the only one."""
        written = 1 if done.rows or self.number == 1 else 0
        return self.model_copy(update={"number": self.number + written, "rows": self.rows + done.rows})

    def is_last(self, done: "WrittenFile") -> bool:
        return done.last


class SettleExport(Message):
    """Waits until every transaction that has begun by now has ended."""

    export_id: str


class SettledExport(Message):
    """Whether older transactions have ended; `done` says that all files are written, and only their time is awaited."""

    settled: bool
    done: bool = False


class WriteExportFile(Message):
    export_id: str
    number: int


class WrittenFile(Message):
    """How many rows a file has, and whether it is the last."""

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
