"""Framing tricks over a raw socket, and https by settings; real servers both."""

import datetime
import ipaddress
import json
import re
import socket
import ssl

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from requests.adapters import HTTPAdapter
from urllib3 import Retry

from contactapp.errors import CODES
from tests.conftest import FAST
from tests.support.server import Server

HIDDEN = b"GET /api/v1/users/me HTTP/1.1\r\nHost: x\r\n\r\n"
START = b"POST /api/v1/auth/token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
# HD-4: what a proxy in front might read otherwise than this server.
FRAMING = {
    "CL and TE": (400, START + b"Content-Length: 5\r\n" + CHUNKED + b"\r\n0\r\n\r\n" + HIDDEN),
    "TE and CL": (400, START + CHUNKED + b"Content-Length: 5\r\n\r\n0\r\n\r\n" + HIDDEN),
    "xchunked": (501, START + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    "chunked, then gzip": (400, START + CHUNKED + b"Transfer-Encoding: gzip\r\n\r\n0\r\n\r\n"),
    "chunked twice": (400, START + CHUNKED + CHUNKED + b"\r\n0\r\n\r\n"),
    "two hosts": (400, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil.test\r\n\r\n"),
    "two lengths": (400, START + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
    "a negative length": (400, START + b"Content-Length: -1\r\n\r\n"),
    "a signed length": (400, START + b"Content-Length: +2\r\n\r\n{}"),
    "a length in other digits": (400, START + "Content-Length: ٢\r\n\r\n{}".encode()),
    "a blank before the colon": (400, START + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
    "a folded header": (400, START + b"X-A: b\r\n c\r\n\r\n"),
    "a NUL in a header": (400, START + b"X-A: b\0c\r\n\r\n"),
    "a bare CR in a header": (400, START + b"X-A: b\rc\r\n\r\n"),
    "no HTTP at all": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\r\n" * 4),
}


def spoken(port, sent, context=None):
    """What the server says on one connection until it closes it."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
        link = context.wrap_socket(plain, server_hostname="localhost") if context else plain
        with link:
            link.sendall(sent)
            received = b""
            while piece := _piece(link):
                received += piece
    return received


def _piece(link):
    try:
        return link.recv(65536)
    except (ConnectionResetError, ssl.SSLError):
        return b""


# HD-4
@pytest.mark.parametrize("name", FRAMING)
def test_ambiguous_framing_is_refused_and_the_connection_closed(live_server, name):
    status, sent = FRAMING[name]
    received = spoken(live_server.port, sent)
    assert re.findall(rb"HTTP/1\.1 (\d{3})", received) == [b"%d" % status]
    assert_problem(received, status)


def assert_problem(received, status):
    """Also what gunicorn refuses by itself is a problem, has the headers and quotes nothing."""
    head, _, body = received.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().splitlines()[1:])
    problem = json.loads(body)
    assert headers["Content-Type"] == "application/problem+json"
    assert headers["Connection"] == "close"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["Cache-Control"] == "no-store"
    assert problem["status"] == CODES[problem["code"]].status == status
    assert problem["request_id"] == headers["X-Request-ID"]
    return headers


# HD-1
def test_a_refusal_quotes_nothing_of_the_request(live_server):
    for line in (b"GET /?token=ca_marker HTTP/9.9", b"ca_marker", b"GET / HTTP/1.1\r\nca_marker"):
        received = spoken(live_server.port, line + b"\r\n\r\n")
        assert_problem(received, 400)
        assert b"ca_marker" not in received
    assert "ca_marker" not in live_server.log.read_text()


# HD-4
def test_the_server_answers_after_all_that(live_server):
    assert requests.get(f"{live_server.url}/healthz", timeout=10).status_code == 200


# HD-1
def test_no_answer_names_a_version(live_server):
    for path in ("/healthz", "/nowhere"):
        answer = requests.get(f"{live_server.url}{path}", timeout=10)
        assert not re.search(r"\d", answer.headers["Server"])
        assert "Strict-Transport-Security" not in answer.headers


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A self-signed certificate for this host: (certificate file, key file)."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "cert.pem").write_bytes(made.public_bytes(pem))
    (folder / "key.pem").write_bytes(secret)
    return folder / "cert.pem", folder / "key.pem"


@pytest.fixture(scope="session")
def secure(certificate, new_database, tmp_path_factory):
    """A real server with TLS."""
    cert, key = map(str, certificate)
    settings = {**FAST, "DATABASE_URL": new_database("sqlite"), "TLS_CERT": cert, "TLS_KEY": key}
    server = Server(tmp_path_factory.mktemp("secure"), settings, scheme="https")
    server.start(wait=False)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def https(secure, certificate):
    """A client that trusts the certificate; its first request waits until the server is up."""
    patient = Retry(300, backoff_factor=0.05, backoff_max=0.1)
    with requests.Session() as session:
        session.mount("https://", HTTPAdapter(max_retries=patient))
        session.trust_env = False  # a variable that names another list of authorities wins else
        session.verify = str(certificate[0])
        session.get(f"{secure.url}/healthz", timeout=30)
        yield session


def asking_for(certificate, version):
    """A client's TLS settings with exactly this version, which it may consider too old."""
    context = ssl.create_default_context(cafile=certificate[0])
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    return context


# HD-1, HD-4
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/healthz", 200),
        ("GET", "/docs", 200),
        ("GET", "/api/v1/users/me", 401),
        ("GET", "/nowhere", 404),
        ("DELETE", "/healthz", 405),
        ("OPTIONS", "/api/v1/contacts", 200),
    ],
)
def test_every_answer_over_tls_has_hsts(secure, https, method, path, status):
    answer = https.request(method, secure.url + path, timeout=30)
    assert answer.status_code == status
    directives = answer.headers["Strict-Transport-Security"].split("; ")
    [age] = [int(d.removeprefix("max-age=")) for d in directives if d.startswith("max-age=")]
    assert age >= 365 * 86400
    assert "includeSubDomains" in directives


# HD-1
@pytest.mark.usefixtures("https")
def test_what_gunicorn_refuses_over_tls_has_hsts_too(secure, certificate):
    context = asking_for(certificate, ssl.TLSVersion.TLSv1_3)
    headers = assert_problem(spoken(secure.port, b"GET / HTTP/9.9\r\n\r\n", context), 400)
    assert headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"


# HD-4
@pytest.mark.usefixtures("https")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_1_2_and_1_3_are_accepted(secure, certificate, version):
    request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    received = spoken(secure.port, request, asking_for(certificate, version))
    assert received.startswith(b"HTTP/1.1 200")


# HD-4
@pytest.mark.usefixtures("https")
@pytest.mark.filterwarnings("ignore:.*TLSv1:DeprecationWarning")
@pytest.mark.parametrize("version", ["TLSv1", "TLSv1_1"])
def test_older_tls_is_refused_by_the_server(secure, certificate, version):
    context = asking_for(certificate, ssl.TLSVersion[version])
    with pytest.raises(ssl.SSLError, match="alert"):  # the server's word, not our own refusal
        spoken(secure.port, HIDDEN, context)


# HD-4
@pytest.mark.usefixtures("https")
def test_plain_http_to_the_tls_port_is_not_redirected(secure):
    received = spoken(secure.port, b"GET /api/v1/users/me HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert b"HTTP/1.1 3" not in received
    assert b"Location" not in received
    assert b"HTTP/1.1 2" not in received


# RL-6
def test_a_client_cannot_say_that_it_came_over_tls(live_server):
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Ssl": "on", "Forwarded": "proto=https"}
    answer = requests.get(f"{live_server.url}/healthz", headers=headers, timeout=10)
    assert "Strict-Transport-Security" not in answer.headers
