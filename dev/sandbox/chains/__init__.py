"""Stand-ins for what payments in coins ask: Esplora, an Ethereum node, TON Center, and a price service.

The Ethereum node runs a real EVM (py-evm under eth-tester) with a token on it; Bitcoin and TON are ledgers that answer
in the shapes of their APIs. One process, its state in SQLite, and a control surface under `/_control` that sends coins,
mines, replaces blocks, sets prices and makes services fail.
"""
