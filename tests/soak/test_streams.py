"""Many streams of changes, and one whose client is cut off again and again."""

import random
import threading
import time

import psutil
import pytest

from tests.support.deployment import connections, until, web_workers
from tests.support.events import Listening
from tests.support.sockets import Flock
from tests.support.tables import show
from tests.support.wire import process_of

STREAMS, PEOPLE, WRITES = 500, 20, 60
LISTS = 600
CHANGES, WRITERS = 10_000, 4


def lists(visitor):
    """Seconds that each of many lists took."""
    found = []
    for _ in range(LISTS):
        began = time.perf_counter()
        assert visitor.get("/contacts?limit=20").status_code == 200
        found.append(time.perf_counter() - began)
    return found


def quantile(values, part):
    return sorted(values)[int(len(values) * part)] if values else 0.0


def resident(server):
    return sum(psutil.Process(pid).memory_info().rss for pid in web_workers(server)) / 2**20


def milliseconds(values):
    return {
        f"p{round(100 * part)} ms": round(1000 * quantile(values, part), 1) for part in (0.5, 0.99)
    } | {"max ms": round(1000 * max(values, default=0), 1)}


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_five_hundred_streams_are_told_in_time_and_leave_lists_quick(
    engine, new_server, new_app, capsys
):
    server = new_server(engine, WORKERS="2", THREADS="400", CONTACT_LIMIT="0")
    people = [server.person(f"p{number}") for number in range(PEOPLE)]
    reader = server.person("reader")
    for _ in range(20):
        reader.post("/contacts", json={"first_name": "Grace", "email": "grace@example.com"})
    lists(reader)
    idle, memory = lists(reader), resident(server)
    flock = Flock(server.port)
    while len(flock.processes) < STREAMS:
        flock.open(people[len(flock.processes) % PEOPLE].tokens["access_token"])
    flock.start()
    open_ = lists(reader)
    memory_open = resident(server)
    written = {}
    for number in range(WRITES):
        person, name = people[number % PEOPLE], f"n{number}"
        answer = person.post("/contacts", json={"nickname": name})
        written[name] = process_of(answer), time.perf_counter()
        time.sleep(0.05)
    until(lambda: len(flock.seen) >= WRITES * STREAMS // PEOPLE)
    latencies = {True: [], False: []}
    for process, name, seen in flock.seen:
        by, answered = written[name]
        latencies[process == by].append(max(0.0, seen - answered))
    flock.close()
    # Every thread has served a stream; each would open a connection of its own now.
    after = lists(reader)
    app = new_app(engine, database=server.database, INSTANCE_PATH=str(server.instance))
    held = connections(server, app)
    places = [list(flock.processes.values()).count(p) for p in set(flock.processes.values())]
    rows = [
        {"engine": engine, "what": "list, idle", **milliseconds(idle)},
        {"engine": engine, "what": f"list, {STREAMS} streams", **milliseconds(open_)},
        {"engine": engine, "what": "list, afterwards", **milliseconds(after)},
        {"engine": engine, "what": "told, same process", **milliseconds(latencies[True])},
        {"engine": engine, "what": "told, other process", **milliseconds(latencies[False])},
    ]
    title = f"streams in each process: {places}, refused meanwhile: {flock.refused}, "
    title += f"memory of both: {memory:.0f} MiB, then {memory_open:.0f} MiB"
    title += f", connections afterwards: {held}"
    show(capsys, title, rows)
    assert max(held.values()) < 40
    assert len(flock.seen) == WRITES * STREAMS // PEOPLE
    assert quantile(open_, 0.99) < 3 * quantile(idle, 0.99)
    assert quantile(latencies[True], 0.95) < 0.2
    assert quantile(latencies[False], 0.95) < 0.5


class Follower:
    """A client that keeps what it is told, {contact id: nickname}, and is cut off at random."""

    def __init__(self, visitor, seed):
        self._visitor = visitor
        self._random = random.Random(seed)
        self.contacts, self.cut, self.told = {}, 0, 0
        self._client = None

    def follow(self, since, done):
        """From a cursor, until everything was told that was written when `done` is set."""
        while True:
            self._client = Listening(self._visitor, since=since)
            if self._client.answer.status_code != 200:
                time.sleep(0.05)
                continue
            left = self._random.randrange(1, 400)
            while left and (event := self._client.next()) is not None:
                left -= 1
                since = event.id
                if event.name == "change":
                    self._keep(event.data)
                if event.name == "ready" and done.is_set():
                    return self._client.close()
            self.cut += 1
            self._client.close()

    def _keep(self, item):
        self.told += 1
        if item["op"] in {"deleted", "purged"}:
            assert self.contacts.pop(item["id"])
        else:
            assert (item["op"] == "created") is (item["id"] not in self.contacts)
            self.contacts[item["id"]] = item["data"]["nickname"]


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_a_client_that_is_cut_off_at_random_ends_equal_to_the_server(engine, new_server, capsys):
    server = new_server(engine, WORKERS="2", THREADS="24", CONTACT_LIMIT="0", TRASH_LIMIT="0")
    alice, done = server.person(), threading.Event()
    follower = Follower(alice, 1)
    first = Listening(alice)
    assert first.next().name == "ready"
    first.close()
    following = threading.Thread(target=follower.follow, args=(first.last, done))
    following.start()
    writers = [threading.Thread(target=write, args=(alice, seed)) for seed in range(WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    done.set()
    until(lambda: cut(follower, following), 60)
    stored, path = {}, "/contacts?limit=500&fields=id,nickname"
    query = path
    while query:
        page = alice.get(query).json()
        stored |= {item["id"]: item["nickname"] for item in page["items"]}
        query = page["next_cursor"] and f"{path}&cursor={page['next_cursor']}"
    show(
        capsys,
        "a client that was cut off",
        [{"engine": engine, "told": follower.told, "cut": follower.cut, "contacts": len(stored)}],
    )
    assert follower.told == CHANGES
    assert follower.contacts == stored


def cut(follower, following):
    """Have who waits for more look once again, until it has seen the end."""
    follower._client.close()
    following.join(2)
    return not following.is_alive()


def write(visitor, seed):
    """Add, change and delete contacts of its own."""
    chance, mine = random.Random(seed), []
    for number in range(CHANGES // WRITERS):
        deed = chance.random()
        if deed < 0.5 or not mine:
            answer = visitor.post("/contacts", json={"nickname": f"{seed}-{number}"})
            mine.append(answer.json()["id"])
        elif deed < 0.85:
            path = f"/contacts/{chance.choice(mine)}"
            answer = visitor.http.patch(
                visitor.url + path, json={"nickname": f"{seed}-{number}"}, timeout=60
            )
        else:
            id_ = mine.pop(chance.randrange(len(mine)))
            answer = visitor.http.delete(f"{visitor.url}/contacts/{id_}", timeout=60)
        assert answer.ok, answer.text
