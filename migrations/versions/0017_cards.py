"""The tables and functions of the area `cards`."""

from migrations import baseline, scripts

revision, down_revision = baseline.revisions(__file__)


def upgrade() -> None:
    """Run the file beside this one."""
    scripts.run(baseline.areas()[revision])
