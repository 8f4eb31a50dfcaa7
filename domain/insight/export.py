"""Exports: datasets, permissions, and retention of files. Pure."""

from datetime import timedelta
from enum import StrEnum

from domain.common.access import Permission


class Dataset(StrEnum):
    """Dataset of an export."""

    TRANSFERS = "transfers"
    ENTRIES = "entries"
    USAGE = "usage"
    PAYMENTS = "payments"
    ESCROWS = "escrows"
    INVOICES = "invoices"
    REPUTATION = "reputation"
    AUDIT = "audit"
    EVENTS = "events"
    PURCHASES = "purchases"


class ExportFormat(StrEnum):
    """File format of an export."""

    CSV = "csv"
    JSONL = "jsonl"


class ExportStatus(StrEnum):
    """Status of an export."""

    #: Waits for the transactions that were open when it was ordered.
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    #: The files were deleted.
    EXPIRED = "expired"


#: The most rows of one file.
ROWS_PER_FILE = 1_000_000
#: How long the files of a finished export are kept.
FILES_KEPT_FOR = timedelta(days=7)
#: The maximum time between choosing the time of a row and the transaction's first write.
WRITE_DELAY = timedelta(seconds=5)
#: The maximum number of unexpired exports, of a principal and of an organization or the platform.
MOST_KEPT, MOST_OF_ALL = 20, 100
MEDIA_TYPES = {ExportFormat.CSV: "text/csv; charset=utf-8", ExportFormat.JSONL: "application/jsonl"}

#: Permissions of datasets besides `READ_BILLING`, which every export needs.
_FURTHER = {Dataset.AUDIT: Permission.READ_AUDIT}


def permissions_of(dataset: Dataset) -> tuple[Permission, ...]:
    """Return the permissions for exporting a dataset and reading its files."""
    further = _FURTHER.get(dataset)
    return (Permission.READ_BILLING,) if further is None else (Permission.READ_BILLING, further)


def storage_path(export_id: str, name: str, sha256: str) -> str:
    """Return the storage path of a file, by its content: a late second attempt cannot replace a recorded file."""
    return f"{export_id}/{sha256[:16]}-{name}"


def file_name(dataset: str, number: int, form: str) -> str:
    """Return the name of a file of an export; numbers begin at 1."""
    return f"{dataset}-{number}.{form}"
