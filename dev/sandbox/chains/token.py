"""A token like USDC, written in EVM instructions: `transfer`, `balanceOf`, `decimals` and `totalSupply` of ERC-20.

The balance of an address is stored under the address itself; the whole supply begins with its creator.
A transfer of more than there is reverts. There are no allowances: no account spends for another one here.
"""

from collections.abc import Sequence

SUPPLY = 10**9 * 10**6
TRANSFER = 0xDDF252AD1BE2C89B69C2B068FC378DAA952BA7F163C4A11628F55A4DF523B3EF

_OPCODES = {
    "ADD": 0x01, "SUB": 0x03, "LT": 0x10, "EQ": 0x14, "SHR": 0x1C, "CALLER": 0x33, "CALLDATALOAD": 0x35,
    "CODECOPY": 0x39, "MSTORE": 0x52, "SLOAD": 0x54, "SSTORE": 0x55, "JUMPI": 0x57, "JUMPDEST": 0x5B,
    "DUP1": 0x80, "DUP2": 0x81, "DUP3": 0x82, "SWAP1": 0x90, "LOG3": 0xA3, "RETURN": 0xF3, "REVERT": 0xFD,
}  # fmt: skip
_PUSH1 = 0x60

_ANSWER = ["0", "MSTORE", "32", "0", "RETURN"]

_RUNTIME = [
    # The first four bytes of the call say which function is meant.
    *["0", "CALLDATALOAD", "224", "SHR"],
    *["DUP1", str(0xA9059CBB), "EQ", "@transfer", "JUMPI"],
    *["DUP1", str(0x70A08231), "EQ", "@balance", "JUMPI"],
    *["DUP1", str(0x313CE567), "EQ", "@decimals", "JUMPI"],
    *["DUP1", str(0x18160DDD), "EQ", "@supply", "JUMPI"],
    *[":refused", "0", "0", "REVERT"],
    *[":balance", "4", "CALLDATALOAD", "SLOAD", *_ANSWER],
    *[":decimals", "6", *_ANSWER],
    *[":supply", str(SUPPLY), *_ANSWER],
    # transfer(to, amount): the stack holds amount, then the sender's balance.
    *[":transfer", "36", "CALLDATALOAD", "CALLER", "SLOAD"],
    *["DUP2", "DUP2", "LT", "@refused", "JUMPI"],
    *["DUP2", "SWAP1", "SUB", "CALLER", "SSTORE"],
    *["4", "CALLDATALOAD", "DUP1", "SLOAD", "DUP3", "ADD", "DUP2", "SSTORE"],
    # The stack holds amount, then receiver: the third topic. The amount is the data of the log.
    *["DUP2", "0", "MSTORE", "CALLER", str(TRANSFER), "32", "0", "LOG3"],
    *["1", *_ANSWER],
]


def assemble(program: Sequence[str]) -> bytes:
    """Turn instructions into code: a number is pushed, `:name` is a place to jump to, `@name` pushes that place."""
    places: dict[str, int] = {}
    code = b""
    for final in (False, True):
        code = b""
        for word in program:
            if word.startswith(":"):
                places[word[1:]] = len(code)
                code += bytes([_OPCODES["JUMPDEST"]])
            elif word.startswith("@"):
                code += bytes([_PUSH1 + 1]) + (places[word[1:]] if final else 0).to_bytes(2, "big")
            elif word.isdigit():
                raw = int(word).to_bytes(max(1, (int(word).bit_length() + 7) // 8), "big")
                code += bytes([_PUSH1 + len(raw) - 1]) + raw
            else:
                code += bytes([_OPCODES[word]])
    return code


def creation_code() -> bytes:
    """Return what a transaction carries to create the token; its sender gets the whole supply."""
    runtime = assemble(_RUNTIME)
    length = str(len(runtime))
    give = [str(SUPPLY), "CALLER", "SSTORE"]
    # How long the prologue is decides where the runtime begins, and the number of that place has one byte.
    prologue = assemble([*give, length, "255", "0", "CODECOPY", length, "0", "RETURN"])
    start = str(len(prologue))
    return assemble([*give, length, start, "0", "CODECOPY", length, "0", "RETURN"]) + runtime


def transfer_call(receiver: bytes, amount: int) -> bytes:
    """Return the data of a call of `transfer`."""
    return bytes.fromhex("a9059cbb") + receiver.rjust(32, b"\0") + amount.to_bytes(32, "big")
