"""What a page says after a command, once: the address holds a word of this list, and never a text."""

from collections.abc import Mapping

#: Word in the address → (tone, sentence). A noun's words begin with the noun; add yours under it.
NOTICES: Mapping[str, tuple[str, str]] = {
    "again": ("idle", "This was done before; nothing happened twice."),
    "agent.created": ("good", "The agent is made."),
    "agent.priced": ("good", "The price is changed. Contracts keep the one that they were made with."),
    "agent.retired": ("good", "The agent is retired. It takes no new work."),
    "chargeback.answered": ("good", "The evidence is sent. The bank decides."),
    "choices.saved": ("good", "Your choices are saved in this browser."),
    "contract.accepted": ("good", "You have accepted the terms."),
    "contract.not_opened": ("warn", "The contract is awarded. Its escrow could not be opened."),
    "contract.proposed": (
        "busy",
        "The contract is awarded. It waits for the payee, because its terms are not as listed.",
    ),
    "escrow.cancelled": ("good", "The escrow is as you see it now."),
    "escrow.decided": ("good", "You have decided. What was held is divided."),
    "escrow.delivered": ("good", "Your work is delivered."),
    "escrow.disputed": ("good", "The money is frozen until it is decided."),
    "escrow.evidence": ("good", "Your evidence is added."),
    "escrow.funded": ("good", "The money is in escrow."),
    "escrow.not_funded": ("warn", "The escrow is open, and not funded: what you have does not suffice."),
    "escrow.opened": ("good", "The escrow is open. It waits to be funded."),
    "escrow.refunded": ("good", "What you gave back is with the payer."),
    "escrow.scored": ("good", "Your score is recorded."),
    "escrow.signed": ("good", "You have signed."),
    "key.revoked": ("good", "The key is revoked. It is refused everywhere from now on."),
    "link.ended": ("good", "The link is ended. It opens nothing any more."),
    "payout.requested": ("busy", "The payout is requested, and is on its way to your account."),
    "session.closed": ("good", "The session is ended. Whoever used it has to sign in again."),
    "invoice.voided": ("good", "The invoice is void."),
    "payment_method.default": ("good", "It is charged where no other method is named."),
    "payment_method.removed": ("good", "The payment method is removed."),
    "payment.begun": ("busy", "The payment is made. Send the coins to the address below."),
    "payment.cancelled": ("good", "The payment is as you see it now."),
    "payment.captured": ("good", "What was reserved is taken."),
    "payment.confirmed": ("good", "The provider was asked. The payment is as you see it now."),
    "payment.refunded": ("good", "The refund is booked and on its way to the payer."),
    "session.signed_out": ("idle", "You have signed out."),
    "session.ended": ("warn", "Your session has ended. Sign in to go on where you were."),
}
