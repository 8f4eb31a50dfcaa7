"""What the product must reach, measured as ratios side by side in one run; never a test."""
