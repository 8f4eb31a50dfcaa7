-- Budgets, purchase orders, payment policies and the log of economic events.

