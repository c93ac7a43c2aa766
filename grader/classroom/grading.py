"""Grades a class: reads what was handed in, judges what is new on all cores, and writes the outputs as results come."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from grader.classroom.answers import Answer, JudgedAnswers, answers_in
from grader.classroom.arrival import Arrival, LatePolicy
from grader.classroom.fingerprint import run_fingerprint, submission_fingerprint
from grader.classroom.grades import COULD_NOT, NOTHING_HANDED_IN, ClassGrades, StudentGrade
from grader.classroom.outputs import have_reports, reports_fingerprint, write_outputs, write_reports
from grader.classroom.records import MARK, SCHEMA, Records, file_name, write_whole
from grader.classroom.roster import Member, member_of
from grader.classroom.submissions import Entry, find_entries, read_entry
from grader.course import Course, Exercise
from grader.desk import DeskSettings, Task, cores, judge_all
from grader.errors import GraderFailed
from grader.grading import require_data
from grader.progress import Show
from grader.result import ExerciseResult, Result

REFRESH_SECONDS = 10.0
NOT_YET = "not graded yet: the run was stopped; the same command goes on"
Judging = Callable[[Iterable[Task], DeskSettings, int], Generator[tuple[int, Result | GraderFailed], None, None]]

DIAGNOSIS_SECONDS = 10.0  # for an exercise: what is found out for one student serves the others


@dataclass(frozen=True)
class ClassOptions:
    """How a class is graded.

    `out` is the folder for what comes of it, `seed` that of the random inputs (None: the one of the run before),
    `isolation` "sandbox" or "process", `jobs` the number of submissions judged at a time (None: one for each core),
    `again` grades also what has not changed, and each answer by itself, `feedback` ("instructor" or "learner") is for
    whom the reports are, `diagnosis` finds out which known mistakes failing answers are like.
    """

    out: Path
    seed: int | None = None
    isolation: str = "sandbox"
    gpu: str = "auto"
    jobs: int | None = None
    again: bool = False
    feedback: str = "instructor"
    diagnosis: bool = True
    late: LatePolicy | None = None
    roster: Mapping[str, Member] = field(default_factory=dict)
    scheduler: str | None = None


@dataclass
class _Row:
    """One student while the class is being graded."""

    student: str
    entry: Entry | None
    name: str = ""
    email: str = ""
    extension_days: float = 0.0
    arrived: Arrival | None = None
    key: str = ""
    problem: str | None = None
    result: Result | None = None


@dataclass(frozen=True)
class _Asked:
    """A submission that is being judged: its key, its answers, and what is known of them already."""

    key: str
    answers: Mapping[str, Answer]
    known: Mapping[str, ExerciseResult]


def grade_class(
    folder: Path, course: Course, exercises: Sequence[Exercise], options: ClassOptions, show: Show
) -> ClassGrades:
    """Grade every submission below `folder`, except those that have not changed since the last run.

    Results are on disk as soon as they are there. If Ctrl-C ends this early, the outputs hold what was graded until
    then, and the next run goes on.

    Args:
        show: called with what is being done, and how many of how many submissions are done.

    Raises:
        GraderError: nothing can be graded; the text says why and what to do.
    """
    return _Run(folder, course, exercises, options, show).grade()


class _Run:
    def __init__(
        self, folder: Path, course: Course, exercises: Sequence[Exercise], options: ClassOptions, show: Show
    ) -> None:
        self.folder, self.course, self.exercises = folder, course, tuple(exercises)
        self.options, self.show = options, show
        self.started = time.monotonic()
        self.written = self.started
        self.records = Records(options.out / ".graded")
        before = _before(options.out)
        self.seed = _seed(options, before)
        self.made = {each["student"]: each.get("report_fingerprint", "") for each in before.get("students", [])}
        with_gpu = "off" if options.gpu == "off" else f"{options.gpu} {Path('/dev/nvidia0').exists()}"
        self.ids = tuple(exercise.id for exercise in exercises)
        self.lessons = tuple(dict.fromkeys(exercise.lesson_id for exercise in exercises))
        self.fingerprint = run_fingerprint(self.ids, self.seed, options.isolation, f"{with_gpu} {options.diagnosis}")
        self.rows: list[_Row] = []
        self.judged = JudgedAnswers()
        self.kept = self.answers_judged = self.answers_passed_on = 0

    def grade(self) -> ClassGrades:
        require_data(self.exercises, self.course)
        entries = find_entries(self.folder, leave_out=self.options.out)
        self.rows = _rows(entries, self.options.roster)
        write_whole(self.options.out / MARK, json.dumps({"schema": SCHEMA, "seed": self.seed}) + "\n")
        try:
            self._read()
            todo = self._look_up()
            self._judge(todo)
        except BaseException:
            if any(row.result for row in self.rows):
                self._write(complete=False)
            raise
        grades = self._write(complete=True)
        self.records.keep_only({row.key for row in self.rows})
        return grades

    def _read(self) -> None:
        """Find each submission's key, its arrival, or what is wrong with it."""
        for number, row in enumerate(self.rows):
            self.show("reading submissions", number, len(self.rows))
            if row.entry:
                handed_in = read_entry(row.entry, self.course, with_arrival=self.options.late is not None)
                row.problem, row.arrived = handed_in.problem, handed_in.arrived
                if handed_in.submission:
                    row.key = submission_fingerprint(handed_in.submission, self.lessons, self.fingerprint)

    def _look_up(self) -> list[str]:
        """Take the results that there are, and give the keys of those that are still to be graded, each once."""
        todo: dict[str, None] = {}
        for row in self.rows:
            if row.key in todo or not row.key:
                continue
            result = None if self.options.again else self.records.get(row.key)
            if result:
                self._note(row.key, result)
            else:
                todo[row.key] = None
        self.kept = sum(row.result is not None for row in self.rows)
        return list(todo)

    def _judge(self, todo: Sequence[str]) -> None:
        if not todo:
            return
        if not self.options.again:
            for number, (result, answers) in enumerate(self.records.every()):
                self.show("reading earlier results", number, len(self.rows))
                self.judged.learn(result, answers)
        asked: dict[int, _Asked] = {}
        settings = DeskSettings(
            self.ids,
            self.seed,
            self.options.isolation,
            self.options.gpu,
            diagnosis_seconds=DIAGNOSIS_SECONDS if self.options.diagnosis else 0.0,
        )
        jobs = min(self.options.jobs or cores(), len(todo))
        self.show("starting: importing torch", 0, len(todo))
        # Closed, so that whatever ends this early also ends what is being judged, at once.
        with closing(self._judging()(self._tasks(todo, asked), settings, jobs)) as outcomes:
            for done, (place, came) in enumerate(outcomes, start=1):
                mine = asked.pop(place)
                if isinstance(came, GraderFailed):
                    for row in self._with(mine.key):
                        row.problem = f"{COULD_NOT}: {came}"
                else:
                    self._keep(mine, came)
                self.show("grading", done, len(todo))
                if time.monotonic() - self.written > REFRESH_SECONDS:
                    self._write(complete=False)

    def _keep(self, mine: _Asked, came: Result) -> None:
        self.judged.learn(came, mine.answers)
        self.records.put(mine.key, came, mine.answers)
        passed_on = sum(exercise == mine.known.get(exercise.id) for exercise in came.exercises)
        self.answers_passed_on += passed_on
        self.answers_judged += len(came.exercises) - passed_on
        self._note(mine.key, came)

    def _judging(self) -> Judging:
        if self.options.scheduler is None:
            return judge_all
        from grader.classroom.cluster import judge_on_cluster

        scheduler = self.options.scheduler
        return lambda tasks, settings, _: judge_on_cluster(tasks, settings, scheduler)

    def _tasks(self, todo: Sequence[str], asked: dict[int, _Asked]) -> Iterator[Task]:
        """The submissions, read when their turn comes: a large class does not fit into memory."""
        first = {row.key: row for row in reversed(self.rows)}
        place = 0
        for key in todo:
            entry = first[key].entry
            assert entry is not None
            handed_in = read_entry(entry, self.course)
            if handed_in.submission is None:
                for row in self._with(key):
                    row.problem = handed_in.problem
                continue
            # It may have changed since it was read first.
            now = submission_fingerprint(handed_in.submission, self.lessons, self.fingerprint)
            for row in self._with(key):
                row.key = now
            answers: dict[str, Answer] = {}
            if not self.options.again:
                answers = answers_in(handed_in.submission, self.course, self.exercises, self.fingerprint)
            known = self.judged.known(answers)
            asked[place] = _Asked(now, answers, known)
            place += 1
            yield Task(handed_in.submission, self.ids, known=known)

    def _with(self, key: str) -> list[_Row]:
        return [row for row in self.rows if row.key == key]

    def _note(self, key: str, result: Result) -> None:
        for row in self._with(key):
            row.result = replace(result, submission=row.entry.label if row.entry else "")
            grade = self._grade(row, "")
            made = reports_fingerprint(grade, key, self.options.feedback)
            if self.options.again or self.made.get(row.student) != made or not have_reports(grade, self.options.out):
                write_reports(grade, self.course, self.options.out, self.options.feedback)
            self.made[row.student] = made
            row.result = _without_what_reports_have(row.result)

    def _grade(self, row: _Row, otherwise: str) -> StudentGrade:
        late, penalty = 0.0, 0.0
        if self.options.late and row.arrived:
            late = self.options.late.seconds_late(row.arrived.time, row.extension_days)
            penalty = self.options.late.penalty(late)
        return StudentGrade(
            student=row.student,
            submission=row.entry.label if row.entry else "",
            result=row.result,
            problem=None if row.result else row.problem or otherwise,
            name=row.name,
            email=row.email,
            late_seconds=late,
            penalty=penalty,
            arrived=row.arrived,
            file=file_name(row.student),
        )

    def _write(self, complete: bool) -> ClassGrades:
        grades = ClassGrades(
            folder=str(self.folder),
            exercises=self.exercises,
            students=tuple(self._grade(row, NOT_YET) for row in self.rows),
            isolation=self.options.isolation,
            seed=self.seed,
            seconds=round(time.monotonic() - self.started, 3),
            not_graded_now=self.kept,
            answers_judged=self.answers_judged,
            answers_passed_on=self.answers_passed_on,
            complete=complete,
        )
        write_outputs(grades, self.made, self.options.out)
        self.written = time.monotonic()
        return grades


def _without_what_reports_have(result: Result) -> Result:
    """A result without what was printed and compared: megabytes of each student, which are on disk by now."""
    return replace(
        result,
        exercises=tuple(
            replace(each, output="", tests=tuple(replace(test, comparison=None) for test in each.tests))
            for each in result.exercises
        ),
    )


def _before(out: Path) -> dict[str, Any]:
    """What the run before wrote about itself; nothing if there was none, or an older grader wrote it."""
    try:
        found = json.loads((out / MARK).read_text(encoding="utf-8"))
        return found if found["schema"] == SCHEMA else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _seed(options: ClassOptions, before: dict[str, Any]) -> int:
    """The seed that is asked for, else the one of the run before, else a new one."""
    if options.seed is not None:
        return options.seed
    if isinstance(before.get("seed"), int) and not options.again:
        return int(before["seed"])
    return secrets.randbelow(2**31)


def _rows(entries: Sequence[Entry], roster: Mapping[str, Member]) -> list[_Row]:
    """One row for each submission and for each student on the roster who has none, by the students' ids."""
    rows: dict[str, _Row] = {}
    # Whose id is on the roster comes first: a name or an address can be anyone's.
    for entry in sorted(entries, key=lambda entry: entry.student not in roster):
        member = member_of(roster, entry.student, entry.name, entry.email)
        if member is None or member.student in rows:
            member = Member(entry.student)
        rows[member.student] = _Row(
            member.student, entry, member.name or entry.name, member.email or entry.email, member.extension_days
        )
    for member in roster.values():
        if member.student not in rows:
            rows[member.student] = _Row(member.student, None, member.name, member.email, problem=NOTHING_HANDED_IN)
    return [rows[student] for student in sorted(rows)]
