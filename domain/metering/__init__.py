"""The cost of usage: the usage of a call as one vector, prices of models and meters, and exact arithmetic."""
