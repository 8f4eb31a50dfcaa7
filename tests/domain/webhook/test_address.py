"""Which addresses webhooks are sent to."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import pytest
from hypothesis import given, strategies as st

from domain.messages.webhook.address import UrlRefused, check_addresses, is_public, target_of
from tests.support.cases import for_each

PRIVATE = [
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"),
    *("192.0.0.0/24", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32"),
]


@st.composite
def private_v4(draw: st.DrawFn) -> IPv4Address:
    network = IPv4Network(draw(st.sampled_from(PRIVATE)))
    return network[draw(st.integers(0, network.num_addresses - 1))]


@given(private_v4())
def test_no_form_of_a_private_address_is_public(address: IPv4Address):
    bits = int(address)
    forms = [
        *(IPv6Address(0xFFFF << 32 | bits), IPv6Address(bits)),
        IPv6Address((0x64FF9B << 96) | bits),
        IPv6Address((0x2002 << 112) | bits << 80),
        IPv6Address((0x64FF9B0001 << 80) | bits),
        IPv6Address((0x20010000 << 96) | (bits ^ 0xFFFFFFFF)),
    ]
    assert not is_public(address)
    assert [form for form in forms if is_public(form)] == []


@pytest.mark.parametrize(
    "network", ["::/127", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8", "100::/64", "2001:db8::/32", "5f00::/16"]
)
@given(place=st.integers(0, 2**128 - 1))
def test_no_address_of_a_special_ipv6_network_is_public(network: str, place: int):
    found = IPv6Network(network)
    assert not is_public(found[place % found.num_addresses])


@pytest.mark.parametrize(
    "address",
    ["93.184.215.14", "2606:4700:4700::1111", "::ffff:93.184.215.14", "64:ff9b::5db8:d70e", "2002:5db8:d70e::"],
)
def test_an_address_of_the_internet_is_public(address: str):
    assert is_public(ip_address(address))


@for_each(
    "url",
    [
        *("", "example.com", "/webhooks", "ftp://example.com", "http://example.com", "http://127.0.0.1:9000"),
        *("https://", "https:///path", "https://[::1", "https://[fe80::1%25eth0]/", "https://ex ample.com"),
        *(
            "https://me@example.com",
            "https://me:secret@example.com",
            "https://@example.com",
            "https://example.com/#part",
        ),
        *("https://example.com/#", "https://example.com:22", "https://example.com:80", "https://example.com:99999"),
        *(
            "https://exämple.com",
            "https://example.com\\@inside",
            "https://example.com/a\\b",
            "https://example.com/\n",
            "https://-example.com",
        ),
        "https://example.com/" + "a" * 2_000,
    ],
)
def test_an_address_that_is_malformed_or_of_another_kind_is_refused(url: str):
    with pytest.raises(UrlRefused) as refused:
        target_of(url, local=False)
    assert (refused.value.error_code, refused.value.extra) == ("webhook.url_refused", {"field": "url"})


def test_an_address_is_read_with_its_port_and_query():
    target = target_of("https://example.com:8443/in;v=1/?token=a%2Fb", local=False)
    assert (target.host, target.port, target.path) == ("example.com", 8443, "/in;v=1/?token=a%2Fb")
    assert target_of("https://[2606:4700::1]", local=False).authority == "[2606:4700::1]:443"


def test_plain_http_goes_to_this_machine_and_nowhere_else():
    target = target_of("http://localhost:9000/in", local=True)
    check_addresses(target, (ip_address("127.0.0.1"), ip_address("127.8.8.8"), ip_address("::1")))
    for address in ("93.184.215.14", "10.0.0.1", "169.254.169.254", "::ffff:127.0.0.1", "0.0.0.0", "fe80::1"):
        with pytest.raises(UrlRefused):
            check_addresses(target, (ip_address("127.0.0.1"), ip_address(address)))


def test_a_name_with_one_inner_address_among_public_ones_is_refused():
    target = target_of("https://example.com", local=True)
    check_addresses(target, (ip_address("93.184.215.14"),))
    for inner in ("127.0.0.1", "10.0.0.1", "::1"):
        with pytest.raises(UrlRefused):
            check_addresses(target, (ip_address("93.184.215.14"), ip_address(inner)))
    with pytest.raises(UrlRefused):
        check_addresses(target, ())
