"""The picture of an agent, and the logo of an organization."""
