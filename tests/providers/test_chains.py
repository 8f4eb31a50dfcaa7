"""The watchers on the sandbox: what arrives is seen once, with its height, and a replaced block takes it away."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from dev.sandbox.chains.accounts import BTC_XPUB, ETH_XPUB, TON_ADDRESS
from dev.sandbox.chains.ethereum import CHAIN_ID, USDC_CONTRACT
from providers.chains.addresses import BitcoinAccount, EthereumAccount
from providers.chains.base import ChainDeposit, ChainView, Watcher
from providers.chains.evm import EvmWatcher
from providers.payments.base import ProviderUnavailable
from tests.support.chains import CHAIN_OF, ChainsInTest

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
PLACES = {
    "BTC": BitcoinAccount(BTC_XPUB).address_at(0).address,
    "ETH": EthereumAccount(ETH_XPUB, usdc_contract=USDC_CONTRACT).address_at(0).address,
    "USDC": EthereumAccount(ETH_XPUB, usdc_contract=USDC_CONTRACT).address_at(0).address,
    "TON": TON_ADDRESS,
}


async def look(chains: ChainsInTest, asset: str, *, since_height: int = 0, at: datetime = LONG_AGO) -> ChainView:
    watchers: dict[str, Watcher] = {"btc": chains.bitcoin, "evm": chains.ethereum, "ton": chains.ton}
    watcher = watchers[CHAIN_OF[asset]]
    return await watcher.deposits(asset, PLACES[asset], since_height=since_height, since_at=at)


async def send(chains: ChainsInTest, asset: str, amount_minor: int, **more: object) -> None:
    await chains.control(
        f"{CHAIN_OF[asset]}/deposit", asset=asset, address=PLACES[asset], amount_minor=amount_minor, **more
    )


@pytest.mark.parametrize("asset", ["BTC", "ETH", "USDC", "TON"])
async def test_a_deposit_is_counted_by_the_blocks_on_top_of_it(chains: ChainsInTest, asset: str):
    assert (await look(chains, asset)).deposits == ()
    await send(chains, asset, 1_234_567, mine=1)
    for confirmations in (1, 2, 3):
        view = await look(chains, asset)
        (deposit,) = view.deposits
        assert deposit.amount_minor == 1_234_567
        assert deposit.confirmations(view.tip) == confirmations
        await chains.control(f"{CHAIN_OF[asset]}/mine", blocks=1)


@pytest.mark.parametrize("asset", ["BTC", "ETH", "USDC", "TON"])
async def test_two_deposits_of_one_amount_are_two(chains: ChainsInTest, asset: str):
    await send(chains, asset, 5_000)
    await send(chains, asset, 5_000, mine=1)
    deposits = (await look(chains, asset)).deposits
    assert len({(deposit.tx, deposit.index) for deposit in deposits}) == 2
    assert [deposit.amount_minor for deposit in deposits] == [5_000, 5_000]


async def test_an_unconfirmed_transaction_of_bitcoin_has_no_height(chains: ChainsInTest):
    await send(chains, "BTC", 7_000)
    (deposit,) = (await look(chains, "BTC")).deposits
    assert (deposit.height, deposit.block_hash) == (None, None)
    assert deposit.confirmations(10**6) == 0


async def test_a_history_of_many_pages_is_read_to_its_end(chains: ChainsInTest):
    for amount in range(1, 91):
        await send(chains, "BTC", amount, mine=amount % 2)
    await send(chains, "BTC", 91)
    deposits = (await look(chains, "BTC")).deposits
    assert sorted(deposit.amount_minor for deposit in deposits) == list(range(1, 92))


@pytest.mark.parametrize("asset", ["BTC", "ETH", "USDC"])
async def test_a_replaced_block_takes_its_deposit_along_and_another_block_brings_it_back(
    chains: ChainsInTest, asset: str
):
    chain = CHAIN_OF[asset]
    await chains.control(f"{chain}/mine", blocks=5)
    await send(chains, asset, 9_000, mine=3)
    before = await look(chains, asset)
    (deposit,) = before.deposits
    await chains.control(f"{chain}/reorg", depth=3)
    replaced = await look(chains, asset)
    assert [each for each in replaced.deposits if each.height is not None] == []
    watcher = chains.bitcoin if chain == "btc" else chains.ethereum
    assert (await watcher.header(deposit.height or 0)).hash != deposit.block_hash
    await chains.control(f"{chain}/mine", blocks=1)
    (again,) = (await look(chains, asset)).deposits
    assert (again.tx, again.amount_minor) == (deposit.tx, deposit.amount_minor)
    assert again.block_hash != deposit.block_hash


async def test_transfers_below_a_gwei_are_ignored_and_fractions_dropped(chains: ChainsInTest):
    for wei in (10**9 - 1, 10**9, 2 * 10**9 + 999_999_999):
        await chains.control("evm/deposit", asset="ETH", address=PLACES["ETH"], wei=wei)
    await chains.control("evm/mine", blocks=1)
    assert sorted(deposit.amount_minor for deposit in (await look(chains, "ETH")).deposits) == [1, 2]


async def test_token_and_ether_are_distinguished(chains: ChainsInTest):
    await send(chains, "USDC", 1_000)
    await send(chains, "ETH", 2_000, mine=1)
    assert [deposit.amount_minor for deposit in (await look(chains, "USDC")).deposits] == [1_000]
    assert [deposit.amount_minor for deposit in (await look(chains, "ETH")).deposits] == [2_000]


async def test_blocks_are_fetched_once_for_all_addresses(chains: ChainsInTest):
    await chains.control("evm/mine", blocks=30)
    accounts = EthereumAccount(ETH_XPUB, usdc_contract=USDC_CONTRACT)
    await look(chains, "ETH")
    chains.wire.requests.clear()
    others = [accounts.address_at(index).address for index in range(1, 6)]
    await asyncio.gather(
        *[chains.ethereum.deposits("ETH", other, since_height=0, since_at=LONG_AGO) for other in others]
    )
    assert sum(b"eth_getBlockByNumber" in request.content for request in chains.wire.requests) == len(others)
    assert all(request.content.count(b"eth_getBlockByNumber") == 1 for request in chains.wire.requests[1:2])


@pytest.mark.parametrize("asset", ["ETH", "USDC"])
async def test_long_scan_to_the_tip_is_made_in_steps(chains: ChainsInTest, asset: str):
    watcher = EvmWatcher(
        chains.http,
        "http://chains/evm",
        usdc_contract=USDC_CONTRACT,
        chain_id=CHAIN_ID,
        confirmations=2,
        reorg_depth=5,
        blocks_per_call=10,
        blocks_per_request=4,
        log_blocks_per_request=1,
    )
    for _ in range(5):
        await send(chains, asset, 1_000, mine=9)
    seen: dict[tuple[str, int], ChainDeposit] = {}
    since, steps = 0, 0
    while True:
        view = await watcher.deposits(asset, PLACES[asset], since_height=since, since_at=LONG_AGO)
        seen |= {(deposit.tx, deposit.index): deposit for deposit in view.deposits}
        steps += 1
        assert view.complete == (view.scanned == view.tip)
        if view.complete:
            break
        assert view.scanned > since
        since = view.scanned + 1
    assert len(seen) == 5
    assert steps == {"ETH": 5, "USDC": 3}[asset]


async def test_a_node_of_another_chain_is_not_believed(chains: ChainsInTest):
    watcher = EvmWatcher(chains.http, "http://chains/evm", usdc_contract=USDC_CONTRACT, chain_id=1)
    with pytest.raises(ProviderUnavailable) as refused:
        await watcher.tip()
    assert refused.value.code == "chain.wrong_chain"


async def test_comments_of_ton_arrive_as_they_were_sent_and_bounced_messages_do_not(chains: ChainsInTest):
    await send(chains, "TON", 1, memo="abc")
    await send(chains, "TON", 2, memo="abc ")
    await send(chains, "TON", 3)
    await send(chains, "TON", 4, memo="abc", bounced=True, mine=1)
    deposits = (await look(chains, "TON")).deposits
    assert [(deposit.memo, deposit.amount_minor) for deposit in deposits] == [("abc", 1), ("abc ", 2), (None, 3)]
    assert all(deposit.at is not None and deposit.block_hash is None for deposit in deposits)


async def test_transfers_before_the_time_are_not_requested(chains: ChainsInTest):
    await send(chains, "TON", 1, mine=1)
    assert len((await look(chains, "TON", at=datetime.now(UTC))).deposits) == 1
    assert (await look(chains, "TON", at=datetime.now(UTC) + timedelta(hours=1))).deposits == ()


@pytest.mark.parametrize("kind", ["500", "garbage"])
@pytest.mark.parametrize("asset", ["BTC", "ETH", "USDC", "TON"])
async def test_a_failing_service_is_unavailable_and_works_again(chains: ChainsInTest, asset: str, kind: str):
    await send(chains, asset, 1_000, mine=1)
    await chains.control("faults", service=CHAIN_OF[asset], kind=kind)
    with pytest.raises(ProviderUnavailable):
        await look(chains, asset)
    assert len((await look(chains, asset)).deposits) == 1
