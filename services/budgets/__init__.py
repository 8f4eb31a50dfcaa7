"""Operations of budgets and purchases, each in one transaction."""
