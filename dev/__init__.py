"""The embedded stack, stand-ins for providers and measurements; the product never imports them."""
