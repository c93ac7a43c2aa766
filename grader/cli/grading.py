"""`grade`: one submission."""

from __future__ import annotations

import secrets
from enum import Enum
from typing import Annotated

import typer

from grader.cli.guarding import BELOW, fail, one_line_errors, told_to_platforms
from grader.cli.options import (
    DiagnosisOption,
    ExerciseOption,
    GpuChoice,
    GpuOption,
    IsolationChoice,
    IsolationOption,
    SeedOption,
    TopicOption,
    VisibilityChoice,
)
from grader.course import load_course


class FeedbackChoice(str, Enum):
    """Values of --feedback."""

    full = "full"
    brief = "brief"


@one_line_errors
@told_to_platforms
def grade(
    submission: Annotated[
        str, typer.Argument(help="A folder like exercises/, one lesson's .py, or one notebook.")
    ] = "exercises",
    exercise: ExerciseOption = None,
    topic: TopicOption = None,
    seed: SeedOption = None,
    fail_under: Annotated[
        float | None, typer.Option("--fail-under", metavar="PERCENT", help="Exit with status 1 below this score.")
    ] = None,
    isolation: IsolationOption = IsolationChoice.auto,
    gpu: GpuOption = GpuChoice.auto,
    diagnosis: DiagnosisOption = True,
    feedback: Annotated[
        FeedbackChoice,
        typer.Option("--feedback", help="brief leaves out of every report what the hidden tests call, get and expect."),
    ] = FeedbackChoice.full,
    json_file: Annotated[
        str | None, typer.Option("--json", metavar="FILE", help="Write the result as JSON; - is standard output.")
    ] = None,
    junit: Annotated[str | None, typer.Option("--junit", metavar="FILE", help="Write the result as JUnit XML.")] = None,
    markdown: Annotated[
        str | None, typer.Option("--markdown", metavar="FILE", help="Write the result as Markdown.")
    ] = None,
    html: Annotated[
        str | None, typer.Option("--html", metavar="FILE", help="Write the result as a page for the browser.")
    ] = None,
    github_classroom: Annotated[
        bool,
        typer.Option("--github-classroom", help="In a GitHub workflow: write step output, summary and annotations."),
    ] = False,
    classroom50: Annotated[
        str | None, typer.Option("--classroom50", metavar="FILE", help="Write Classroom 50's result.json.")
    ] = None,
    gradescope: Annotated[
        str | None, typer.Option("--gradescope", metavar="FILE", help="Write Gradescope's results.json.")
    ] = None,
    visibility: Annotated[
        VisibilityChoice, typer.Option("--visibility", help="When Gradescope shows the tests to students.")
    ] = VisibilityChoice.visible,
) -> None:
    """Grade a submission and show what to do next.

    Exit status: 0 graded, 1 graded but below --fail-under, 2 could not grade.
    """
    outputs = {"json": json_file, "junit": junit, "markdown": markdown, "html": html}
    if list(outputs.values()).count("-") > 1:
        fail("only one report can go to standard output")
    from grader.grading import grade_submission
    from grader.learner import own
    from grader.learner.record import note_grades
    from grader.platforms import Handover, hand_over
    from grader.reports import require_place, terminal, write_report
    from grader.result import for_learners

    course = load_course()
    path = own.submission_path(submission, course)
    chosen = course.select(exercise or (), topic or ())
    if not exercise and not topic:
        chosen = own.part_of(path, chosen)
    for place in filter(None, outputs.values()):
        require_place(place)
    quiet = "-" in outputs.values()
    result = grade_submission(
        path,
        course,
        chosen,
        seed=secrets.randbelow(2**31) if seed is None else seed,
        isolation=isolation.value,
        gpu=gpu.value,
        progress=not quiet,
        diagnosis=diagnosis,
    )
    record = note_grades(result, path)
    if feedback is FeedbackChoice.brief:
        result = for_learners(result)
    for kind, target in outputs.items():
        if target:
            write_report(kind, target, result, course, record.hints if record else None)
    hand_over(result, path, Handover(github_classroom, classroom50, gradescope, visibility.value))
    if not quiet:
        terminal.show(result, course, details=bool(exercise))
        for line in own.missing_lessons(path, chosen):
            typer.secho(f"\n{line}", fg="red")
    if fail_under is not None and result.percent < fail_under:
        raise SystemExit(BELOW)
