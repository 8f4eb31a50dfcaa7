"""An organization's figures over time: what it spends and earns, and how long its balance lasts."""
