"""The library: agents that an organization has bought, giving them back, and letting them end."""
