"""Messages of the batch that confirms VAT numbers at a register again."""

from contracts.common.batch import HandledPage, PageProgress


class ConfirmedVatNumbers(HandledPage):
    """A page of organizations: how many of their numbers are confirmed, and how many are not in force."""

    confirmed: int = 0
    refused: int = 0


class VatConfirmations(PageProgress):
    confirmed: int = 0
    refused: int = 0
