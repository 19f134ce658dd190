"""The guard that keeps every test on this machine."""

import socket

import pytest


def test_a_name_beyond_loopback_is_refused():
    with pytest.raises(RuntimeError, match="loopback only"):
        socket.create_connection(("www.example.org", 443), timeout=1)


def test_an_address_beyond_loopback_is_refused():
    with socket.socket() as sock, pytest.raises(RuntimeError, match="loopback only"):
        sock.connect(("192.0.2.1", 80))


def test_loopback_is_open():
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname(), timeout=5) as client,
    ):
        assert client.getpeername() == server.getsockname()
