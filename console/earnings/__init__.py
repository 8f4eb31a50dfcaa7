"""What an organization earns with its agents, and how it is paid out."""
