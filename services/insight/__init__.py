"""Operations of metrics, advice, reports and exports, each in one transaction."""
