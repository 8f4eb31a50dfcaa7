"""Usage: events that come in, and what adds up from them."""
