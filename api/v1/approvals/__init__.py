"""Actions of operators that another operator has to approve."""
