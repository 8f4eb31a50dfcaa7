"""The schema as it stands, until the first release writes it down."""

from migrations import baseline, scripts

revision: str = baseline.revision()
down_revision: str | None = None


def upgrade() -> None:
    """Make all tables, and what protects them."""
    scripts.run(baseline.sql())
