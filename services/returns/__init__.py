"""Operations of results, revenue, allocation and routing, each in one transaction."""
