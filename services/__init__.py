"""Operations that take several statements and end in one transaction; the API and activities call them.

A service is a function on a session. It reads, decides by the rules in `domain`, moves money through the ledger and
writes the row, its number and the audit entry. It never commits; its caller passes the time and the keys. Exceptions
say so in their docstring: a call to a provider between two transactions, or an implementation of a provider's protocol.
"""
