"""The HTTP API: what a client may ask, who may ask it, and how every refusal is answered."""
