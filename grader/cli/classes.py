"""`class`: everyone's submissions."""

from __future__ import annotations

import sys
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from grader.cli.guarding import BELOW, fail, one_line_errors
from grader.cli.options import (
    DiagnosisOption,
    ExerciseOption,
    GpuChoice,
    GpuOption,
    IsolationChoice,
    IsolationOption,
    SeedOption,
    TopicOption,
)
from grader.course import load_course, require_solutions
from grader.hidden import SealedFiles, hidden_files


class AudienceChoice(str, Enum):
    """Values of --feedback of class."""

    instructor = "instructor"
    learner = "learner"


@one_line_errors
def grade_a_class(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", help="Holds one folder, .py, .ipynb or .zip for each student, as platforms export them."
        ),
    ],
    exercise: ExerciseOption = None,
    topic: TopicOption = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where grades and reports go; default DIR/grades.")
    ] = None,
    roster: Annotated[
        Path | None,
        typer.Option(
            "--roster", metavar="FILE", help="CSV with columns id, name, email, extension_days (id suffices)."
        ),
    ] = None,
    due: Annotated[
        str | None, typer.Option("--due", metavar="TIME", help="The deadline, like 2026-11-24T23:59+01:00.")
    ] = None,
    late_penalty: Annotated[
        str, typer.Option("--late-penalty", metavar="PERCENT", help="What each day begun after it costs, like 10%.")
    ] = "0%",
    late_most: Annotated[
        str, typer.Option("--late-most", metavar="PERCENT", help="What lateness costs at most, like 50%.")
    ] = "100%",
    feedback: Annotated[
        AudienceChoice,
        typer.Option(
            "--feedback", help="Whom the students' reports are for; learner leaves out what hidden tests hold."
        ),
    ] = AudienceChoice.instructor,
    again: Annotated[
        bool,
        typer.Option(
            "--again", help="Judge all anew, also what has not changed since the last run, and each answer by itself."
        ),
    ] = False,
    diagnosis: DiagnosisOption = True,
    seed: SeedOption = None,
    isolation: IsolationOption = IsolationChoice.auto,
    gpu: GpuOption = GpuChoice.auto,
    scheduler: Annotated[
        str | None,
        typer.Option(
            "--scheduler", metavar="ADDRESS", help="Grade on a Dask cluster: its scheduler's address or file."
        ),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, help="Submissions judged at a time; default: one for each core.")
    ] = None,
    gradebook: Annotated[
        str | None,
        typer.Option(
            "--gradebook",
            metavar="URL",
            help="Write the scores into nbgrader's gradebook too: sqlite:///gradebook.db or "
            "postgresql://USER:PASSWORD@HOST/DATABASE.",
        ),
    ] = None,
) -> None:
    """Grade every submission below DIR, on all cores.

    Writes grades.csv, a page about the class, and a report for each student. A second run judges only what has
    changed: an answer, the tests, or a version. Answers that are the same text in several submissions are judged once.
    Ctrl-C loses nothing: the same command goes on.

    Submissions are strangers' code, so the sandbox is required; `--isolation process` says that you trust them.
    Exit status: 0 graded, 1 the grader failed on some (the same command tries them again), 2 could not grade.
    """
    from grader.classroom.arrival import read_policy
    from grader.classroom.grading import ClassOptions, grade_class
    from grader.classroom.roster import read_roster
    from grader.classroom.summary import show_class
    from grader.progress import progress_bar

    if due is None and (late_penalty, late_most) != ("0%", "100%"):
        fail("--late-penalty and --late-most need --due: when was the deadline?")
    if gradebook:
        from grader.gradebook.opening import open_gradebook

        with open_gradebook(gradebook):
            pass  # An address that is wrong should not come to light after the grading.
    folder = folder.expanduser()  # make does not, everywhere
    course = load_course()
    require_solutions(course, "class")
    if isinstance(hidden_files(), SealedFiles):
        fail("class needs solutions/ and tests/ themselves, not sealed ones: grade a class where you keep them")
    chosen = course.select(exercise or (), topic or ())
    options = ClassOptions(
        out=out or folder / "grades",
        seed=seed,
        isolation="process" if isolation is IsolationChoice.process else "sandbox",
        gpu=gpu.value,
        jobs=jobs,
        scheduler=scheduler,
        again=again,
        feedback=feedback.value,
        diagnosis=diagnosis,
        late=read_policy(due, late_penalty, late_most) if due else None,
        roster=read_roster(roster) if roster else {},
    )
    try:
        with progress_bar(sys.stderr.isatty(), remaining=True) as show:
            grades = grade_class(folder, course, chosen, options, show)
    except KeyboardInterrupt:
        fail(f"stopped; what is graded so far is in {options.out}, and the same command goes on")
    show_class(grades, options.out)
    if gradebook:
        from grader.gradebook.writing import write_grades

        try:
            with progress_bar(sys.stderr.isatty(), remaining=True) as show:
                written = write_grades(
                    grades, course, gradebook, due=options.late.due if options.late else None, show=show
                )
        except KeyboardInterrupt:
            fail("stopped while writing the gradebook; the grades are kept, and the same command goes on")
        typer.echo(f"\n{written}")
    if any(student.failed for student in grades.students):
        raise SystemExit(BELOW)
