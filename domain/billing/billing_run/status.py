"""The states of runs of monthly invoices and of invoice items."""

from enum import StrEnum


class BillingRunStatus(StrEnum):
    """Whether every organization was looked at for a month."""

    RUNNING = "running"
    DONE = "done"


class InvoiceItemStatus(StrEnum):
    """Whether something is charged with the next monthly invoice, was, or will not be."""

    OPEN = "open"
    INVOICED = "invoiced"
    REMOVED = "removed"
