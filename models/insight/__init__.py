"""Tables of metrics, advice, reports and exports."""
