"""Usage events: what was consumed, by whom, and what adds up from them."""
