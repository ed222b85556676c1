"""Receivers: real servers on loopback that keep what they are sent, and people with webhooks."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from contactapp.database import Sql, lane
from contactapp.jobs import service as jobs
from contactapp.webhooks import connecting, turns
from contactapp.worker import HANDLERS
from tests.support.cast import Cast

INSIDE = {"WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8"}


class Got:
    """A message as it arrived."""

    def __init__(self, path, headers, body):
        self.path, self.headers, self.body = path, headers, body

    @property
    def id(self):
        return self.headers["Webhook-Id"]

    @property
    def event(self):
        return json.loads(self.body)

    @property
    def seq(self):
        return self.event["data"]["seq"]


class Receiver:
    """A server on a free loopback port. `answers` is called with each message's number, from 1, and
    the handler, and answers; unless told otherwise everything is taken."""

    def __init__(self):
        self.got, self.connections = [], 0
        self.answers = lambda _number, handler: handler.say(204)
        self._arrived = threading.Condition()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self):
                outer.connections += 1
                super().setup()

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with outer._arrived:
                    outer.got.append(Got(self.path, self.headers, body))
                    number = len(outer.got)
                    outer._arrived.notify_all()
                try:
                    outer.answers(number, self)
                except OSError:
                    self.close_connection = True

            def say(self, status, headers=(), body=b""):
                self.send_response_only(status)
                for name, value in dict(headers).items():
                    self.send_header(name, value)
                if "Content-Length" not in dict(headers) and status != 204:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                """Nothing: the tests look at what arrived."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, *_):
                """A receiver's own troubles are none of the tests'."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}/hook?k=v"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def wait(self, count, seconds=20):
        """The messages, when there are so many."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.got) >= count, seconds), len(self.got)
            return list(self.got)

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def other():
    made = Receiver()
    yield made
    made.close()


@pytest.fixture(scope="session")
def inside(engine, new_app):
    """An application whose webhooks may lead to this machine; nobody works for it but the tests."""
    return new_app(engine, **INSIDE)


@pytest.fixture
def people(inside):
    return Cast(inside)


@pytest.fixture
def owner(people):
    return people.alice


def hook(person, receiver, book=None, **fields):
    """Make a webhook; what was answered."""
    query = f"?book={book}" if book else ""
    url = receiver if isinstance(receiver, str) else receiver.url
    answer = person.post(f"/webhooks{query}", json={"url": url, **fields})
    assert answer.status_code == 201, answer.text
    assert answer.headers["Location"] == f"/api/v1/webhooks/{answer.json['id']}"
    return answer.json


def send(person, made):
    """Send what is due to a webhook, as a worker's thread would; the turn."""
    with person.app.app_context():
        return turns.take_turn(made["id"])


def deliveries(person, made, query=""):
    answer = person.get(f"/webhooks/{made['id']}/deliveries{query}")
    assert answer.status_code == 200, answer.text
    return answer.json["items"]


def work(app, but=("webhook.send",)):
    """Do the jobs that are due but those that would begin to send."""
    with app.app_context():
        while job := jobs.claim():
            jobs.finish(job, None if job.kind in but else HANDLERS[job.kind](job))


@pytest.fixture
def resolver(monkeypatch):
    """What names lead to: {name: [addresses, the next time the next ones]}."""
    names = {}

    def lookup(host, _port):
        found = names.get(host)
        if not found:
            raise OSError("no such name")
        return found.pop(0) if len(found) > 1 else found[0]

    monkeypatch.setattr(connecting, "lookup", lookup)
    return names


def rows(app, sql, *parameters):
    with app.app_context():
        return lane().all(Sql(sql), parameters)
