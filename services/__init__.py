"""What ends in one transaction and is more than a statement: functions on a session, called by the API and activities.

A service reads, decides by the rules in `domain`, moves money through the ledger and writes what goes with it: the row,
its number, the audit entry. It never commits, and time and keys come from its caller. What a session cannot hold is the
exception and says so: a call to a provider between two transactions, or a protocol of a provider that has state.
"""
