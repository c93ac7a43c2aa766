"""The grading process of `watch`: everything that takes long to start is kept, and orders come as lines of JSON.

- in: ``{"order": number, "exercises": [id, ...]}``, ``{"cancel": number}``; the end of input ends the process
- out: ``{"ready": isolation, "note": why it is no stronger, or null}`` once; for each exercise ``{"order": number,
  "exercise": id}`` when it begins and ``{"order": number, "result": grader/result/v1, "output": text}`` or
  ``{"order": number, "problem": text}`` at its end, and once more with ``"closer": true`` if a known mistake was
  found in it; ``{"done": number}``; ``{"failed": text}`` when it cannot go on
"""

from __future__ import annotations

import json
import os
import queue
import secrets
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from grader.course import Course
    from grader.suites import RunSuites
    from grader.workers import WorkerPool

Grade = Callable[[str, bool], dict[str, Any] | None]

SETTLED = ("passed", "not_attempted", "not_assessed")
CANCEL_STEP_SECONDS = 0.02
END_SECONDS = 1.0


class _Orders:
    """Takes in orders beside the grading, so that one can be called off while it runs."""

    def __init__(self, source: IO[str]) -> None:
        self.source = source
        self.waiting: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self.cancelled: set[int] = set()
        self.running: int | None = None
        self.pool: WorkerPool | None = None
        self.ended = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.source:
            order = json.loads(line)
            if "cancel" in order:
                self.cancelled.add(order["cancel"])
                threading.Thread(target=self._end_workers, args=(order["cancel"],), daemon=True).start()
            else:
                self.waiting.put(order)
        # Nobody is there any more.
        self.ended.set()
        self.waiting.put(None)
        if self.running is not None:
            self.cancelled.add(self.running)
            self._end_workers(self.running)
        time.sleep(END_SECONDS)
        os._exit(0)  # Still importing, or in a test that nothing can stop. The workers end with us.

    def _end_workers(self, number: int) -> None:
        """While this order is still running, end each worker that runs a lesson: its tests have no answers then."""
        while self.running == number and self.pool:
            for worker in list(self.pool.alive.values()):
                if worker.loaded and worker.exit is None:
                    end_worker(self.pool, worker.number)
            time.sleep(CANCEL_STEP_SECONDS)

    def is_off(self, number: int) -> bool:
        return number in self.cancelled or self.ended.is_set()


def end_worker(pool: WorkerPool, number: int) -> None:
    """Kill a worker from another thread than the one that waits for it."""
    worker = pool.alive.get(number)
    try:
        if pool.zygote:
            pool.zygote.control.send(json.dumps({"kill": number}).encode())
        elif worker and worker.process:
            worker.process.kill()
    except OSError:
        pass  # It has ended by itself.


def main() -> None:
    """Serve the orders on standard input until it ends."""
    # Ctrl-C is for the screen, which ends us by closing our input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    out = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)  # Whatever else is printed here is no message.

    def say(**message: Any) -> None:
        try:
            out.write(json.dumps(message) + "\n")
        except (BrokenPipeError, ValueError):
            os._exit(0)

    orders = _Orders(sys.stdin)
    isolation, gpu, folder = sys.argv[1:4]
    from grader.errors import GraderError

    try:
        _serve(orders, say, isolation, gpu, Path(folder))
    except GraderError as error:
        say(failed=str(error))
    except Exception as error:
        import traceback

        traceback.print_exc()
        say(failed=f"the grading process stopped ({type(error).__name__}: {error})")


def _serve(orders: _Orders, say: Any, isolation: str, gpu: str, folder: Path) -> None:
    from grader.course import load_course
    from grader.grading import worker_pool

    course = load_course()
    with worker_pool(course.exercises, course, isolation, gpu) as pool:
        orders.pool = pool
        pool.prepare()

        def work(run_suites: RunSuites) -> None:
            grade = _Grader(course, pool, run_suites, gpu, folder)
            say(ready=pool.isolation.level, note=pool.isolation.why)
            while (order := orders.waiting.get()) is not None:
                orders.running = order["order"]
                _grade_all(order, grade, orders, say)
                orders.running = None
                say(done=order["order"])

        from grader.suites import keep_suites

        keep_suites([lesson.id for lesson in course.lessons], work)


def _grade_all(order: dict[str, Any], grade: Grade, orders: _Orders, say: Any) -> None:
    from grader.errors import CourseError, GraderError, GraderFailed

    number = order["order"]
    for exercise_id in order["exercises"]:
        # The verdict first; what mistake it is like takes longer to find out.
        for closer in (False, True):
            if orders.is_off(number):
                return
            if not closer:
                say(order=number, exercise=exercise_id)
            try:
                told = grade(exercise_id, closer)
            except (GraderFailed, CourseError):
                if orders.is_off(number):
                    return
                raise
            except GraderError as error:
                told = {"problem": str(error)}
            if told and not orders.is_off(number):
                say(order=number, **told, **({"closer": True} if closer else {}))
            if not told or "problem" in told or told["result"]["exercises"][0]["status"] in SETTLED:
                break


class _Grader:
    """Grades one exercise as it is in the learner's folder, with everything kept that can be."""

    def __init__(self, course: Course, pool: WorkerPool, run_suites: RunSuites, gpu: str, folder: Path) -> None:
        from grader.diagnosis import Diagnostician

        self.course = course
        self.pool = pool
        self.run_suites = run_suites
        self.gpu = gpu
        self.folder = folder
        self.diagnostician = Diagnostician(course, pool)
        # One for as long as we run: from one save to the next it is the answer that changes, and not the inputs too.
        self.seed = secrets.randbelow(2**31)

    def __call__(self, exercise_id: str, closer: bool) -> dict[str, Any] | None:
        """The result as JSON and what the code printed; if `closer`, only where it shows a known mistake."""
        from grader.course import Course
        from grader.grading import require_data
        from grader.judge import judge
        from grader.result import to_json
        from grader.submission import read_submission

        exercise = self.course.exercise(exercise_id)
        require_data([exercise], self.course)
        submission = read_submission(self.folder, Course((self.course.lesson(exercise.lesson_id),)))
        result = judge(
            submission,
            [exercise],
            self.pool,
            seed=self.seed,
            gpu=self.gpu,
            run_suites=self.run_suites,
            diagnostician=self.diagnostician if closer else None,
        )
        graded = result.exercises[0]
        if closer and not graded.misconception:
            return None
        return {"result": to_json(result), "output": graded.output}


if __name__ == "__main__":
    main()
