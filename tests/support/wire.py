"""Requests to a real server, many at once; every answer is held against the OpenAPI document."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import requests

from tests.support.contract import check


class Wire:
    """Asks servers of one build, each request on a connection of its own."""

    def __init__(self, server):
        self.url = server.url
        self._document = requests.get(f"{server.url}/openapi.json", timeout=30).content

    def ask(self, method, path, token=None, **kwargs):
        """A request below /api/v1, with a bearer token where one is given."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        path = f"/api/v1{path}"
        answer = requests.request(method, self.url + path, headers=headers, timeout=60, **kwargs)
        answer.get_data = lambda: answer.content
        check(self._document, method, path.partition("?")[0], answer)
        return answer

    def from_every_worker(self, method, path, token=None, workers=2):
        """Ask until each worker process has answered: {process: its statuses}."""
        found = {}
        for _ in range(50):
            for answer in at_once([lambda: self.ask(method, path, token)] * 8):
                found.setdefault(process_of(answer), set()).add(answer.status_code)
            if len(found) == workers:
                return found
        raise AssertionError(f"only {len(found)} of {workers} workers ever answered")


def at_once(calls):
    """Run the calls in a thread each, all let go at the same moment; their results in order."""
    barrier = Barrier(len(calls))

    def run(call):
        barrier.wait(30)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def process_of(answer):
    """Which worker process answered: request ids begin with a value that is its own."""
    return answer.headers["X-Request-ID"].partition("-")[0]
