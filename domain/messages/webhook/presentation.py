"""The text that the Temporal UI shows for a webhook endpoint's run."""

from domain.common.text import as_markdown
from domain.messages.webhook.agenda import Backlog
from domain.messages.webhook.endpoint import Endpoint


def details(endpoint: Endpoint, backlog: Backlog | None) -> str:
    """Return its status and its backlog, with age and reason, as Markdown."""
    lines = [f"**{endpoint.status.value}** · webhooks of {endpoint.org_id}", ""]
    if endpoint.reason is not None:
        lines.append(f"- {as_markdown(endpoint.reason)}")
    if backlog is None:
        lines.append("- sends due deliveries")
    elif backlog.waiting:
        since = "" if backlog.since is None else f", the oldest since {backlog.since:%Y-%m-%d %H:%M:%S} UTC"
        lines.append(f"- {backlog.waiting} deliveries wait{since}")
        if backlog.why is not None:
            lines.append(f"- last failure: {as_markdown(backlog.why)}")
        if backlog.next_at is not None:
            lines.append(f"- the next try is at {backlog.next_at:%Y-%m-%d %H:%M:%S} UTC")
    else:
        lines.append(f"- nothing waits, as of {backlog.looked_at:%Y-%m-%d %H:%M:%S} UTC")
    lines.append("- signals of operators: `pause`, `resume`, and `skip` with the id of a delivery")
    return "\n".join(lines)
