"""Public keys and an address to receive at, for machines where none are configured, and what its chains are known by.

The keys are those of the mnemonic that BIP-84 publishes its test vectors for ("abandon" eleven times and "about"), so
money that is sent to them on a real chain is lost. For the sandbox only.
"""

BTC_XPUB = (
    "zpub6rFR7y4Q2AijBEqTUquhVz398htDFrtymD9xYYfG1m4wAcvPhXNfE3EfH1r1ADqtfSdVCToUG868RvUUkgDKf31mGDtKsAYz2oz2AGutZYs"
)
ETH_XPUB = (
    "xpub6DCoCpSuQZB2jawqnGMEPS63ePKWkwWPH4TU45Q7LPXWuNd8TMtVxRrgjtEshuqpK3mdhaWHPFsBngh5GFZaM6si3yZdUsT8ddYM3PwnATt"
)
TON_ADDRESS = "UQCs3V1hMljpAT6f_EzCqDWc8EkKxisO3yDtfrTTnov42zzk"

#: The id of the EVM chain, and where the first contract of its first account comes to lie, which is the token.
CHAIN_ID = 1337
USDC_CONTRACT = "0xF2E246BB76DF876Cef8b38ae84130F4F55De395b"
