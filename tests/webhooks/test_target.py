"""No call reaches an address that only this machine, its network or its cloud can reach."""

import ipaddress
import socket
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assetflow.errors import AuthError, InvalidValue, RemoteRejected, TargetRefused, Unreachable
from assetflow.testing.receiver import FakeReceiver
from assetflow.wire import Call, NoAuth, TargetRules, Wire, backend, new_webhook_secret

PUBLIC_ONLY = TargetRules()

# Address, why. Sources: IANA IPv4 and IPv6 special-purpose address registries; clouds' pages on
# their metadata services; OWASP's "Server-Side Request Forgery Prevention" cheat sheet.
HOSTILE = [
    ("0.0.0.0", "RFC 791: this host; connects to loopback on Linux"),
    ("0.1.2.3", "RFC 791"),
    ("10.0.0.1", "RFC 1918"),
    ("100.64.0.1", "RFC 6598, carrier-grade NAT"),
    ("100.100.100.200", "Alibaba Cloud's metadata"),
    ("127.0.0.1", "RFC 1122"),
    ("127.255.255.254", "RFC 1122"),
    ("168.63.129.16", "Azure's wire server"),
    ("169.254.169.254", "metadata of AWS, Azure, Google Cloud, OpenStack, DigitalOcean"),
    ("169.254.170.2", "credentials of AWS ECS tasks"),
    ("172.16.0.1", "RFC 1918"),
    ("172.31.255.255", "RFC 1918"),
    ("192.0.0.192", "Oracle Cloud's metadata"),
    ("192.0.2.1", "RFC 5737"),
    ("192.31.196.1", "RFC 7535"),
    ("192.52.193.1", "RFC 7450"),
    ("192.88.99.1", "RFC 7526, 6to4 relay"),
    ("192.168.1.1", "RFC 1918"),
    ("192.175.48.1", "RFC 7534"),
    ("198.18.0.1", "RFC 2544"),
    ("198.51.100.1", "RFC 5737"),
    ("203.0.113.1", "RFC 5737"),
    ("224.0.0.1", "RFC 5771"),
    ("239.255.255.250", "RFC 2365, SSDP"),
    ("240.0.0.1", "RFC 1112"),
    ("255.255.255.255", "RFC 8190, broadcast"),
    ("::", "RFC 4291; connects to loopback on Linux"),
    ("::1", "RFC 4291"),
    ("::7f00:1", "RFC 4291, IPv4-compatible 127.0.0.1"),
    ("::ffff:127.0.0.1", "RFC 4291, IPv4-mapped"),
    ("::ffff:169.254.169.254", "RFC 4291, IPv4-mapped"),
    ("::ffff:8.8.8.8", "RFC 4291, IPv4-mapped: ask for the IPv4 address itself"),
    ("::ffff:0:7f00:1", "RFC 7915, IPv4-translated"),
    ("64:ff9b::7f00:1", "RFC 6052, NAT64 of 127.0.0.1"),
    ("64:ff9b::a9fe:a9fe", "RFC 6052, NAT64 of 169.254.169.254"),
    ("64:ff9b:1::a00:1", "RFC 8215, local NAT64"),
    ("100::1", "RFC 6666"),
    ("100:0:0:1::1", "RFC 9780"),
    ("2001::1", "RFC 4380, Teredo"),
    ("2001:0:7f00:1::", "RFC 4380, Teredo"),
    ("2001:2::1", "RFC 5180"),
    ("2001:10::1", "RFC 4843, ORCHID"),
    ("2001:20::1", "RFC 7343, ORCHIDv2"),
    ("2001:db8::1", "RFC 3849"),
    ("2002:7f00:1::", "RFC 3056, 6to4 of 127.0.0.1"),
    ("2002:a9fe:a9fe::", "RFC 3056, 6to4 of 169.254.169.254"),
    ("2600::5efe:7f00:1", "RFC 5214, ISATAP of 127.0.0.1"),
    ("2600::200:5efe:a00:1", "RFC 5214, ISATAP"),
    ("2620:4f:8000::1", "RFC 7534"),
    ("3fff::1", "RFC 9637"),
    ("5f00::1", "RFC 9602, segment routing"),
    ("4000::1", "not allocated"),
    ("fc00::1", "RFC 4193"),
    ("fd00:ec2::254", "AWS's metadata"),
    ("fd20:ce::254", "Google Cloud's metadata"),
    ("fe80::1", "RFC 4291"),
    ("fe80::1%eth0", "RFC 4007"),
    ("fec0::1", "RFC 3879"),
    ("ff02::1", "RFC 4291"),
    ("not-an-address", "no address at all"),
]
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "223.255.255.255",
    "2001:4860:4860::8888",
    "2606:4700:4700::1111",
    "2a00:1450:4001::200e",
]
v4 = st.ip_addresses(v=4)


@pytest.mark.parametrize(("address", "source"), HOSTILE, ids=[a for a, _ in HOSTILE])
def test_a_hostile_address_is_refused(address, source):
    assert PUBLIC_ONLY.refused_because(address), source


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_admitted(address):
    assert PUBLIC_ONLY.refused_because(address) is None


@given(v4)
def test_no_ipv4_address_hides_in_an_ipv6_one(address):
    number = int(address)
    wrapped = [
        f"::ffff:{address}",
        str(ipaddress.IPv6Address(number)),
        str(ipaddress.IPv6Address(0xFFFF_0000_0000 + number | (0xFFFF << 48))),
        str(ipaddress.IPv6Address((0x64_FF9B << 96) + number)),
        str(ipaddress.IPv6Address((0x64_FF9B_0001 << 80) + number)),
        str(ipaddress.IPv6Address((0x2002 << 112) + (number << 80))),
        str(ipaddress.IPv6Address((0x2001 << 112) + (number << 64) + (number ^ 0xFFFF_FFFF))),
        str(ipaddress.IPv6Address((0x2600 << 112) + (0x5EFE << 32) + number)),
    ]
    assert all(PUBLIC_ONLY.refused_because(text) for text in wrapped)


@given(st.one_of(v4, st.ip_addresses(v=6)))
def test_what_is_admitted_is_global_as_python_has_it_too(address):
    """Python's tables are the second opinion: they may refuse less, and never more."""
    if PUBLIC_ONLY.refused_because(str(address)) is None:
        assert address.is_global
        assert not address.is_multicast


@given(v4)
def test_a_network_that_is_allowed_is_admitted_and_no_other(address):
    rules = TargetRules(networks=("10.20.0.0/16",))
    inside = address in ipaddress.ip_network("10.20.0.0/16")
    assert rules.refused_because("10.20.30.40") is None
    assert inside or rules.refused_because(str(address)) == PUBLIC_ONLY.refused_because(
        str(address)
    )


@pytest.mark.parametrize("text", ["10.0.0.1/8", "ten", "10.0.0.0/33", ""])
def test_a_network_that_is_none_is_refused(text):
    with pytest.raises(InvalidValue):
        TargetRules(networks=(text,))


@pytest.mark.parametrize(
    "url",
    [
        "http://portal.example/",
        "ftp://portal.example/",
        "file:///etc/passwd",
        "gopher://portal.example/",
        "//portal.example/",
        "portal.example/hook",
        "https://user:password@portal.example/",
        "https://token@portal.example/",
        "https://portal.example\\@127.0.0.1/",
        "https://portal.example#@127.0.0.1/",
        "https://portal.example/#part",
        "https://portal.example:99999999/",
        "https://portal.example/\r\nHost: other",
        "https://portal.example/ x",
        "https://",
        "https:///hook",
        "https://[::1/",
        "https://portal.example/" + "x" * 2_000,
        "https://münchen.example/",
        "",
    ],
)
def test_an_address_that_is_not_plainly_https_is_refused_and_not_shown(url):
    with pytest.raises(InvalidValue) as caught:
        PUBLIC_ONLY.origin_of(url)
    assert "password" not in url or "password@" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://portal.example/hooks/T0KEN?key=abc&x=1", "https://portal.example"),
        ("https://portal.example:8443/hook", "https://portal.example:8443"),
        ("https://portal.example", "https://portal.example"),
        ("https://portal.example?x=1?y", "https://portal.example"),
    ],
)
def test_only_scheme_and_host_of_an_address_are_shown(url, origin):
    assert PUBLIC_ONLY.origin_of(url) == origin


# --- the connection itself -------------------------------------------------------------------


def names(monkeypatch, answers):
    """Answer look-ups from a table; how often each name was asked for."""
    asked = []
    real = socket.getaddrinfo

    def look_up(host, port, *args, **kwargs):
        if host not in answers:
            return real(host, port, *args, **kwargs)
        asked.append(host)
        found = answers[host]
        found = found.pop(0) if isinstance(found[0], list) else found
        family = {4: socket.AF_INET, 6: socket.AF_INET6}
        return [
            (family[ipaddress.ip_address(a).version], socket.SOCK_STREAM, 6, "", (a, port))
            for a in found
        ]

    monkeypatch.setattr("assetflow.wire.backend.socket.getaddrinfo", look_up)
    return asked


@pytest.fixture
def connections(monkeypatch):
    """Every address that a connection was tried to."""
    made = []
    real = socket.create_connection

    def connect(address, *args, **kwargs):
        made.append(address[0])
        return real(address, *args, **kwargs)

    monkeypatch.setattr(socket, "create_connection", connect)
    return made


def post(url, rules):
    call = Call(method="POST", path=url, operation="test", body=b"{}", idempotent=False)
    origin = rules.origin_of(url)
    with Wire(origin, connector="test", tokens=NoAuth(), target=rules) as wire:
        return wire.send(call)


@pytest.mark.parametrize(
    "address", [a for a, _ in HOSTILE if a[0].isdigit() or (":" in a and "%" not in a)]
)
def test_a_name_that_leads_to_a_hostile_address_gets_no_connection(
    address, monkeypatch, connections
):
    asked = names(monkeypatch, {"portal.example": [address]})
    with pytest.raises(TargetRefused) as caught:
        post("https://portal.example/hook?key=abc", PUBLIC_ONLY)
    assert connections == []
    assert asked == ["portal.example"]
    assert "abc" not in repr(caught.value.as_dict())


@pytest.mark.parametrize(
    "host", ["127.1", "2130706433", "0x7f000001", "0177.0.0.1", "localhost", "[::1]"]
)
def test_an_odd_way_to_write_loopback_gets_no_connection(host, monkeypatch, connections):
    monkeypatch.setattr(  # as the C library reads it; the guard of the tests would refuse it
        "assetflow.wire.backend.socket.getaddrinfo",
        lambda *_args, **_kwargs: [(2, 1, 6, "", ("127.0.0.1", 443))],
    )
    with pytest.raises((TargetRefused, RemoteRejected)):  # httpx itself refuses one spelling
        post(f"https://{host}/hook", PUBLIC_ONLY)
    assert connections == []


def test_a_name_is_looked_up_once_and_the_checked_address_is_used(monkeypatch, connections):
    """The second look-up of a name that is rebound would give another answer."""
    with FakeReceiver(new_webhook_secret()) as receiver:
        port = receiver.url.rpartition(":")[2].partition("/")[0]
        answers = [["10.0.0.1", "127.0.0.1"], ["169.254.169.254"]]
        asked = names(monkeypatch, {"portal.example": answers})
        url = f"http://portal.example:{port}/hooks/assetflow"
        with pytest.raises(AuthError) as caught:  # 401: it was not signed
            post(url, TargetRules.loopback())
    assert asked == ["portal.example"]
    assert connections == ["127.0.0.1"], "the private address before it was passed over"
    assert caught.value.status == 401


def test_the_name_stays_in_host_and_tls(monkeypatch):
    seen = SimpleNamespace(tls=None)

    class Stream:
        def start_tls(self, _context, server_hostname=None, timeout=None):
            seen.tls = server_hostname
            raise backend.httpcore.ConnectError("that is enough")

        def close(self):
            """Nothing to close."""

    names(monkeypatch, {"portal.example": ["1.1.1.1"]})
    monkeypatch.setattr(
        backend.httpcore.SyncBackend,
        "connect_tcp",
        lambda _self, host, *_args: setattr(seen, "host", host) or Stream(),
    )
    with pytest.raises(Unreachable):
        post("https://portal.example/hook", PUBLIC_ONLY)
    assert (seen.host, seen.tls) == ("1.1.1.1", "portal.example")


def test_rules_and_a_proxy_or_a_client_of_ones_own_exclude_one_another():
    import httpx

    for settings in ({"trust_env": True}, {"http_client": httpx.Client()}):
        with pytest.raises(InvalidValue):
            Wire(
                "https://portal.example",
                connector="test",
                tokens=NoAuth(),
                target=PUBLIC_ONLY,
                **settings,
            )
