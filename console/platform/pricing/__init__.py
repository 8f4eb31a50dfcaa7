"""Rules of prices: what each says, tried on past quotes before it holds."""
