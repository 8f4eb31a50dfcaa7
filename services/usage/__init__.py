"""Recording, rating and charging of usage."""
