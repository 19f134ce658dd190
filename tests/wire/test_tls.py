"""TLS by what the operating system trusts, one context a connection, handshakes within time."""

import datetime as dt
import gc
import ipaddress
import socket
import ssl
import time

import pytest

from assetflow.errors import DeadlineExceeded, Unreachable
from assetflow.wire import Limits, NoAuth, Wire, backend

pytest.importorskip("cryptography", reason="makes the certificates of this file")


def make_certificate(folder, name, *, signer=None, ca=False):
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    issuer, issuer_key = signer or (subject, key)
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if not ca:
        loopback = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        builder = builder.add_extension(x509.SubjectAlternativeName([loopback]), critical=False)
    certificate = builder.sign(issuer_key, hashes.SHA256())
    path = folder / f"{name}.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path, (subject, key)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    root, signer = make_certificate(folder, "district-filter", ca=True)
    leaf, _ = make_certificate(folder, "vendor", signer=signer)
    return root, leaf


@pytest.fixture
def tls_server(new_server, certificates):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates[1])
    return new_server(context)


@pytest.fixture
def trusted(certificates, monkeypatch):
    """The filter's root certificate is in the system's store, as far as OpenSSL can tell."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates[0]))


pytestmark = pytest.mark.skipif(
    not hasattr(ssl, "get_default_verify_paths") or ssl.OPENSSL_VERSION.startswith("LibreSSL"),
    reason="puts a root into the system's store through OpenSSL's own variable",
)


@pytest.mark.usefixtures("trusted")
def test_what_the_system_trusts_is_trusted(rig, tls_server, tools):
    tls_server.on("/x", tools.packed(b"{}"))
    wire = rig.wire(tls_server.url)
    assert rig.send(wire, tools.get()).body == b"{}"
    assert rig.send(wire, tools.get()).status == 200
    assert tls_server.connections == 1


def test_what_the_system_does_not_trust_is_refused_with_a_hint(rig, tls_server, tools):
    tls_server.on("/x", tools.answer())
    with pytest.raises(Unreachable) as caught:
        rig.send(rig.wire(tls_server.url), tools.get())
    error = caught.value
    assert "certificate" in error.message
    assert "trust store" in error.hint
    assert error.context["attempts"] == 1  # another try would find the same certificate
    assert "self" in error.context["cause"] or "issuer" in error.context["cause"]
    assert tls_server.count("/x") == 0


@pytest.mark.usefixtures("trusted")
def test_a_certificate_for_another_name_is_refused(rig, tls_server, tools):
    wire = rig.wire(f"https://localhost:{tls_server.port}")
    with pytest.raises(Unreachable, match="certificate"):
        rig.send(wire, tools.get())


@pytest.mark.usefixtures("trusted")
def test_each_connection_has_a_context_of_its_own(rig, tls_server, tools, monkeypatch):
    made = []
    original = backend._system_trust

    def count():
        made.append(original())
        return made[-1]

    monkeypatch.setattr(backend, "_system_trust", count)
    tls_server.on("/x", lambda _r: (tls_server.pause(0.1), tools.answer())[1])
    outcomes = rig.together(rig.wire(tls_server.url), [tools.get()] * 6)
    assert [o.status for o in outcomes] == [200] * 6
    assert len({id(c) for c in made}) == len(made) == tls_server.connections


def test_handshakes_that_stall_do_not_wait_for_each_other(rig, tools):
    """truststore holds a lock of the context during a handshake; here nobody shares one."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as silent:
        wire = rig.wire(f"https://127.0.0.1:{silent.getsockname()[1]}", limits=Limits(deadline=0.5))
        started = time.monotonic()
        outcomes = rig.together(wire, [tools.get()] * 4)
        took = time.monotonic() - started
    assert {type(o) for o in outcomes} == {DeadlineExceeded}
    assert took < 0.5 + 1
    gc.collect()  # a socket that a cancelled handshake left open would warn now


def test_the_pool_itself_trusts_nobody():
    context = backend.no_trust()
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.cert_store_stats()["x509_ca"] == 0


def test_the_addresses_of_a_host_share_the_time_to_connect(monkeypatch, tools):
    """A name with many dead addresses must not cost the timeout once for each."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        fillers = []
        for _ in range(8):  # the backlog is full: further connects hang
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
            fillers.append(filler)
        addresses = [(0, 0, 0, "", (f"127.0.0.{n}", port)) for n in (1, 1, 1)]
        monkeypatch.setattr(backend, "_addresses", lambda _h, _p: [a[4][0] for a in addresses])
        limits = Limits(deadline=0.5, connect_timeout=10)
        with Wire(
            f"http://127.0.0.1:{port}", connector="d", tokens=NoAuth(), limits=limits
        ) as wire:
            started = time.monotonic()
            with pytest.raises((DeadlineExceeded, Unreachable)):
                wire.send(tools.get())
            assert time.monotonic() - started < 1.5
        for filler in fillers:
            filler.close()
