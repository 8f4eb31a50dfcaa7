"""Effects made durable: one class per capability, whose constructor takes what it needs.

An activity that states no effect only reads, so it may run any number of times. One that states no failure fails with
nothing that is final: whatever it raises is tried again.
"""
