"""The outside world behind Protocols. Only here is a vendor's SDK imported."""
