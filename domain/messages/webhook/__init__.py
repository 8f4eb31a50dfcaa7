"""Webhooks out: where they may be sent (`address`), what an answer means (`delivery`), and endpoints."""
