"""Judges a class on a Dask cluster: each thread of its workers keeps one desk, warm, from submission to submission."""

from __future__ import annotations

import pickle
import threading
import uuid
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grader.classroom.fingerprint import run_fingerprint
from grader.desk import Desks, DeskSettings, OneDesk, Task
from grader.errors import GraderError, GraderFailed

if TYPE_CHECKING:
    from grader.result import Result

CONNECT_SECONDS = 20
WORKERS_SECONDS = 60
AHEAD = 2  # submissions sent ahead for each of the cluster's threads


@dataclass(frozen=True)
class _Order:
    """What all tasks of one run share. `fingerprint` is that of the course here: a worker's must be the same."""

    run: str
    settings: DeskSettings
    fingerprint: str


def judge_on_cluster(
    tasks: Iterable[Task], settings: DeskSettings, address: str
) -> Generator[tuple[int, Result | GraderFailed], None, None]:
    """As grader.desk.judge_all, on the cluster of the scheduler at `address` (or in the file that it wrote).

    Dask gives what a lost worker had, or had not yet told about, to another one.

    Raises:
        GraderError: there is no such cluster, or its workers cannot judge for this course.
    """
    try:
        from distributed import Client, as_completed
    except ImportError:
        raise GraderError("--scheduler needs Dask: pip install dask distributed") from None
    order = _Order(uuid.uuid4().hex, settings, _fingerprint(settings))
    client = _connect(Client, address)
    try:
        order_there = pickle.dumps(order)
        source = enumerate(tasks)
        places: dict[str, int] = {}
        running = as_completed(loop=client.loop)

        def send() -> None:
            while len(places) < AHEAD * max(2, sum(client.nthreads().values())):
                place, task = next(source, (0, None))
                if task is None:
                    return
                key = f"grade-{order.run}-{place}"
                running.add(client.submit(_judge_there, pickle.dumps(task), order_there, key=key, pure=False))
                places[key] = place

        send()
        for future in running:
            place = places.pop(future.key)
            came = _outcome(future)
            future.release()
            send()
            yield place, came
    except OSError as error:
        raise GraderError(
            f"the connection to {address} is lost ({error}): what is graded is kept, run it again"
        ) from None
    finally:
        try:
            client.run(_end_desks, order.run, on_error="ignore")
        except Exception:  # whatever it is: the cluster is gone, and its desks with it
            pass
        client.close()


def _connect(client_type: Any, address: str) -> Any:
    try:
        place = {"scheduler_file": address} if Path(address).is_file() else {"address": address}
        client = client_type(**place, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise GraderError(f"no Dask scheduler answers at {address}: {reason[:200]}") from None
    try:
        client.wait_for_workers(1, timeout=WORKERS_SECONDS)
    except TimeoutError:
        client.close()
        raise GraderError(
            f"the scheduler at {address} has no workers: start some with `dask worker {address}`"
        ) from None
    return client


def _outcome(future: Any) -> Result | GraderFailed:
    """What a task gave.

    Raises:
        GraderError: no task can give anything.
    """
    from distributed import KilledWorker

    try:
        return pickle.loads(future.result())
    except KilledWorker:
        return GraderFailed("every worker that had it ended")
    except GraderError:
        raise
    except ImportError as error:
        raise GraderError(
            f"the cluster's workers cannot import the grader ({error}): start them in this repository's folder, "
            "with its .venv"
        ) from None
    except Exception as error:
        text = " ".join(str(error).split())[:300]
        raise GraderError(f"the cluster cannot grade ({type(error).__name__}: {text})") from None


def _fingerprint(settings: DeskSettings) -> str:
    # Whether a worker has a GPU is its own affair.
    return run_fingerprint(settings.exercises, settings.seed, settings.isolation, settings.gpu)


# What follows runs in the cluster's workers.

_mine = threading.local()
_all: list[tuple[str, OneDesk | Desks]] = []  # by their run; desks before what they are copied from
_rooms = threading.Lock()


def _judge_there(task: bytes, order: bytes) -> bytes:
    """Judge one submission at this thread's desk; task, order and result as pickles."""
    wanted: _Order = pickle.loads(order)
    return pickle.dumps(_desk(wanted).judge(pickle.loads(task)))


def _desk(order: _Order) -> OneDesk:
    run, desk = getattr(_mine, "desk", ("", None))
    if desk is not None and run == order.run:
        return desk
    if desk is not None:
        desk.close()
    if _fingerprint(order.settings) != order.fingerprint:
        import socket

        raise GraderError(
            f"the worker on {socket.gethostname()} has another version of the course, of torch or of Python: "
            "give it the same as here, or grades would depend on where a submission was graded"
        )
    with _rooms:
        room = next((each for run, each in _all if run == order.run and isinstance(each, Desks)), None)
        if room is None:
            room = Desks(order.settings)
            _all.append((order.run, room))
        _mine.desk = (order.run, OneDesk(room))
        _all.insert(0, _mine.desk)
    return _mine.desk[1]


def _end_desks(run: str) -> None:
    """End the desks of a run, when it is over or was stopped."""
    for each in list(_all):
        if each[0] == run:
            _all.remove(each)
            each[1].close()
