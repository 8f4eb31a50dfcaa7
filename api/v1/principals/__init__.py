"""The principals of an organization, and invitations of people."""
