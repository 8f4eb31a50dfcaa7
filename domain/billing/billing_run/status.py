"""The states of runs of monthly invoices and of invoice items."""

from enum import StrEnum


class BillingRunStatus(StrEnum):
    """Status of a month's run: `done` once every organization was processed."""

    RUNNING = "running"
    DONE = "done"


class InvoiceItemStatus(StrEnum):
    """Status of a one-time item: to be charged with the next monthly invoice, charged, or removed."""

    OPEN = "open"
    INVOICED = "invoiced"
    REMOVED = "removed"
