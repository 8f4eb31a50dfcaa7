"""The text that the Temporal UI shows for a payout's run."""

from domain.common.money import format_amount
from domain.common.text import as_markdown
from domain.payouts.payout.agenda import WAIT_REASONS
from domain.payouts.payout.state import Payout, PayoutStatus


def summary(payout: Payout) -> str:
    """Return one line with the amount and the payee."""
    return f"{format_amount(payout.amount_minor, payout.currency)} {payout.currency} to {payout.org_id}"


def details(payout: Payout) -> str:
    """Return its status, where the money comes from, and what it waits for, as Markdown."""
    lines = [f"**{payout.status.value}** · {summary(payout)} · {payout.provider} `{payout.account_ref}`", ""]
    for line in payout.lines:
        amount = format_amount(line.amount_minor, line.asset)
        money = format_amount(line.money_minor, payout.currency)
        lines.append(f"- agent `{line.agent_id}`: {amount} {line.asset} for {money} {payout.currency}")
    if payout.transfer_ref is not None:
        lines.append(f"- sent as `{payout.transfer_ref}`")
    if payout.failure is not None:
        lines.append(f"- back in the earnings: {as_markdown(payout.failure)} ({payout.failure_code})")
    if payout.next_at is not None:
        lines.append(f"- {WAIT_REASONS.get(payout.status, 'look again')}, at {payout.next_at:%Y-%m-%d %H:%M:%S} UTC")
    if payout.status is PayoutStatus.WAITING_FOR_FUNDS and payout.gives_up_at is not None:
        lines.append(f"- comes back to the earnings if there is no money by {payout.gives_up_at:%Y-%m-%d} UTC")
    if payout.status is PayoutStatus.UNKNOWN:
        lines.append("- an operator who has looked at the provider ends this with the signal `give_up`")
    return "\n".join(lines)
