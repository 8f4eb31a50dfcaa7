"""The automatic top-up: when credits are bought, how many, and what is charged for them."""
