"""What usage costs: one vector of what a call used, prices of models and of meters, exact arithmetic between them."""
