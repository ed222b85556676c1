"""Processes that want the same job in the same moment."""

from itertools import chain

from contactapp import clock, create_app
from contactapp.config import load
from contactapp.database import Sql, lane
from contactapp.jobs import service
from tests.jobs.conftest import add
from tests.support.processes import context

ROUNDS, PROCESSES = 30, 2
ATTEMPTS = Sql("SELECT attempts FROM job WHERE id = ?")


def claim_in_every_round(settings, begun, together, results):
    """The rounds in which this process got the job; each begins when every lease has ended."""
    won = []
    try:
        with create_app(load(settings, environ={})).app_context():
            for number in range(ROUNDS):
                clock.now_ms = lambda n=number: begun + n * (service.LEASE_MS + 1)
                together.wait(60)
                if service.claim() is not None:
                    won.append(number)
        results.put(won)
    except BaseException as error:  # else the others would wait for this one
        together.abort()
        results.put(error)


# CC-6
def test_one_job_is_held_by_one_process_per_lease(queue):
    given = queue.extensions["contactapp.settings"]
    settings = {"DATABASE_URL": given.database_url, "INSTANCE_PATH": str(given.instance_path)}
    job_id = add()
    together, results = context.Barrier(PROCESSES), context.Queue()
    arguments = (settings, clock.now_ms(), together, results)
    processes = [
        context.Process(target=claim_in_every_round, args=arguments) for _ in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    won = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert not [error for error in won if isinstance(error, BaseException)]
    assert sorted(chain(*won)) == list(range(ROUNDS))
    assert lane().one(ATTEMPTS, (job_id,)) == (ROUNDS,)
    assert len([rounds for rounds in won if rounds]) > 1
