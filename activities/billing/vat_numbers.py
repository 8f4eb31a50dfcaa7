"""Checks VAT numbers at a register that were never confirmed, or not for a month."""

from temporalio import activity

from contracts.billing.vat_numbers import ConfirmedVatNumbers
from contracts.common.batch import DuePage
from providers.payments.base import ProviderUnavailable
from providers.tax.base import VatNumbers
from repositories.billing import billing_profile as profiles
from runtime.database import Database
from services.billing import billing_profile


class VatNumberActivities:
    """The activity of `VatConfirmationsWorkflow`. No transaction is open during a request to the register."""

    def __init__(self, database: Database, register: VatNumbers | None) -> None:
        self._database, self._register = database, register

    @activity.defn
    async def confirm_vat_numbers(self, message: DuePage) -> ConfirmedVatNumbers:
        """Check numbers at the register, and record the results.

        Effect: the confirmation's reference of each valid number; for each invalid one an alert, and its reference is
            deleted.
        Idempotent by: the time of the confirmation, which is the run's; the alert's key.
        Fails with: nothing that is final; if the register does not answer, the next run retries.
        """
        if self._register is None:
            return ConfirmedVatNumbers(found=0, last=message.after)
        async with self._database.platform() as session:
            found = await profiles.numbers_to_confirm(
                session,
                confirmed_before=message.now - billing_profile.CONFIRMATION_TERM,
                after=message.after,
                limit=message.limit,
            )
        confirmed = refused = 0
        for each in found:
            try:
                answer = await self._register.confirm(each.country, each.vat_id)
            except ProviderUnavailable:
                continue
            async with self._database.platform() as session:
                written = await billing_profile.note_confirmation(session, each, answer, message.now)
            confirmed += written and answer.is_valid
            refused += not answer.is_valid
        last = found[-1].org_id if found else message.after
        return ConfirmedVatNumbers(found=len(found), confirmed=confirmed, refused=refused, last=last)
