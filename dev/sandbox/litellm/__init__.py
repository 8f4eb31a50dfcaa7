"""A stand-in for a LiteLLM proxy's spend log, which calls of models are read from."""
