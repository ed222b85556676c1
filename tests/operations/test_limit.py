"""The last place of the limit, wanted in every way at once."""

from tests.support.wire import at_once, process_of

LIMIT, TRASHED, OPERATIONS = 100, 20, 20


def created(number):
    return {"op": "create", "contact": {"nickname": f"n{number}"}}


def bulk(visitor, operations):
    answer = visitor.post("/contacts/bulk", json={"operations": operations})
    assert answer.status_code == 200, answer.text
    return answer.json()


def full_but_one(visitor):
    """Fill a book but for one place; what would take that place: (path, body) of each."""
    ids = [
        item["contact"]["id"] for item in bulk(visitor, [created(n) for n in range(40)])["items"]
    ]
    trashed, operated = ids[:TRASHED], ids[TRASHED:]
    bulk(visitor, [{"op": "delete", "id": id_} for id_ in trashed])
    deletes = [bulk(visitor, [{"op": "delete", "id": id_}])["operation_id"] for id_ in operated]
    bulk(visitor, [created(n) for n in range(LIMIT - 1)])
    return [
        *[(f"/contacts/{id_}/restore", None) for id_ in trashed],
        *[(f"/operations/{id_}/undo", None) for id_ in deletes],
        *[("/contacts/bulk", {"operations": [created(n)]}) for n in range(20)],
        *[("/contacts", {"nickname": f"m{n}"}) for n in range(140)],
    ]


def asked(visitor, path, body):
    return visitor.post(path, json=body, headers={"Connection": "close"})


# CC-2
def test_of_two_hundred_at_once_exactly_one_gets_the_last_place(live_server):
    """Creates, bulk calls, restores and undos, over two server processes."""
    visitor = live_server.person()
    wanted = full_but_one(visitor)
    for _ in range(4):
        answers = at_once([lambda w=w: asked(visitor, *w) for w in wanted])
        won = [i for i, answer in enumerate(answers) if answer.status_code < 300]
        refusals = [answer.json() for answer in answers if answer.status_code == 403]
        assert (len(won), len(refusals)) == (1, len(wanted) - 1)
        assert {problem["code"] for problem in refusals} == {"contact_limit_reached"}
        assert {(problem["limit"], problem["used"]) for problem in refusals} == {(LIMIT, LIMIT)}
        assert visitor.get("/contacts?limit=1").json()["total"] == LIMIT
        assert visitor.get("/users/me").json()["contact_count"] == LIMIT
        if len(set(map(process_of, answers))) == 2:
            return
        del wanted[won[0]]
        newest = visitor.get("/contacts?limit=1&sort=id").json()["items"][0]["id"]
        assert visitor.request("DELETE", f"/contacts/{newest}").status_code == 204
    raise AssertionError("one process answered everything")
