"""A process that judges notebooks for nbgrader: torch and the sandbox are started once, for all of a class.

nbgrader may run in a server, and in a Python without torch: neither is a place for hidden tests. Requests and replies
are lines of JSON on standard input and output. It ends when its input does, or when nobody asked for a while.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
from pathlib import Path
from typing import Any, TextIO

from grader.course import ROOT, Course, load_course
from grader.errors import GraderError, GraderFailed, UnreadableSubmission
from grader.grading import require_data, worker_pool
from grader.hidden import hidden_files
from grader.result import to_json
from grader.submission import LessonSource, Submission, read_submission

IDLE_SECONDS = 120


def main() -> None:
    """Answer until the input ends."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # What anything here prints must not pass for a reply.
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    requests: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_read, args=(sys.stdin, requests), daemon=True).start()
    try:
        line = requests.get()
        if line:
            _serve(json.loads(line), requests, replies)
    except KeyboardInterrupt:
        pass


def _read(stream: TextIO, requests: queue.Queue[str]) -> None:
    for line in stream:
        requests.put(line)
    requests.put("")


def _serve(request: dict[str, Any], requests: queue.Queue[str], replies: TextIO) -> None:
    """Answer this request and those that follow; all have the same isolation and use of the GPU."""
    course = load_course()
    try:
        with worker_pool(course.exercises, course, request["isolation"], request["gpu"]) as pool:
            while True:
                reply = _answer(request, course, pool)
                _say(replies, reply)
                if reply.get("failed"):
                    return
                try:
                    line = requests.get(timeout=IDLE_SECONDS)
                except queue.Empty:
                    return
                if not line:
                    return
                request = json.loads(line)
    except GraderError as error:
        # No isolation: there is nothing that any request could get.
        _say(replies, {"wrong": str(error)})


def _answer(request: dict[str, Any], course: Course, pool: Any) -> dict[str, Any]:
    """The reply to one request: a result, or `failed` (try again), or `wrong` (something here is to be put right)."""
    from grader.judge import judge

    if hidden_files() is None:
        return {"wrong": f"the hidden tests are not in {ROOT}: nbgrader's course needs the full repository"}
    lesson = course.lesson(request["lesson"])
    path = Path(request["path"])
    try:
        submission = read_submission(path, course)
    except UnreadableSubmission as error:
        # Its file is there: an honest zero, and a sentence that says why.
        source = LessonSource(lesson.id, path.name, problem=str(error))
        submission = Submission(str(path), {lesson.id: source})
    try:
        require_data(lesson.exercises, course)
        result = judge(submission, lesson.exercises, pool, seed=request["seed"], gpu=request["gpu"])
    except GraderFailed as error:
        return {"failed": str(error)}
    except GraderError as error:
        return {"wrong": str(error)}
    return {"result": to_json(result)}


def _say(replies: TextIO, reply: dict[str, Any]) -> None:
    replies.write(json.dumps(reply) + "\n")
    replies.flush()


if __name__ == "__main__":
    main()
