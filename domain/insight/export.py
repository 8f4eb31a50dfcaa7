"""Exports: which rows can be exported, who may, and how long the files are kept. Pure."""

from datetime import timedelta
from enum import StrEnum

from domain.common.access import Permission


class Dataset(StrEnum):
    """What can be exported."""

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
    """How the rows are written."""

    CSV = "csv"
    JSONL = "jsonl"


class ExportStatus(StrEnum):
    """How far an export is."""

    #: Waits for the transactions that were open when it was ordered.
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    #: The files were deleted.
    EXPIRED = "expired"


#: The most rows of one file.
ROWS_PER_FILE = 1_000_000
#: How long the files of an export that is done are kept.
FILES_KEPT_FOR = timedelta(days=7)
#: What a transaction may take from choosing the time of a row to its first write.
WRITE_DELAY = timedelta(seconds=5)
#: How many exports somebody may have that are not expired, and how many an organization, or the platform.
MOST_KEPT, MOST_OF_ALL = 20, 100
MEDIA_TYPES = {ExportFormat.CSV: "text/csv; charset=utf-8", ExportFormat.JSONL: "application/jsonl"}

#: What the lists of these datasets ask for beyond `READ_BILLING`, which every export asks for.
_FURTHER = {Dataset.AUDIT: Permission.READ_AUDIT}


def permissions_of(dataset: Dataset) -> tuple[Permission, ...]:
    """Return the permissions that exporting a dataset, and reading its files, takes."""
    further = _FURTHER.get(dataset)
    return (Permission.READ_BILLING,) if further is None else (Permission.READ_BILLING, further)


def storage_path(export_id: str, name: str, sha256: str) -> str:
    """Return where a file is kept: by its content, so that a late second attempt replaces nothing that is recorded."""
    return f"{export_id}/{sha256[:16]}-{name}"


def file_name(dataset: str, number: int, form: str) -> str:
    """Return the name of a file of an export; numbers begin at 1."""
    return f"{dataset}-{number}.{form}"
