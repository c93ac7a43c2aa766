"""A learner's day: `watch`, `list`, `progress`, `hint`, `reset`, `solution`."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

from grader.cli.guarding import fail, one_line_errors
from grader.cli.options import GpuChoice, GpuOption, IsolationChoice, IsolationOption, TopicOption
from grader.course import load_course

OwnExercise = Annotated[
    str | None,
    typer.Argument(metavar="[ID]", help="An exercise's id or the end of one; by default the one you are at."),
]


@one_line_errors
def watch(
    exercise: OwnExercise = None,
    poll: Annotated[
        bool, typer.Option("--poll", help="Look at the files again and again: for mounts without file events.")
    ] = False,
    isolation: IsolationOption = IsolationChoice.auto,
    gpu: GpuOption = GpuChoice.auto,
) -> None:
    """Show an exercise and grade it whenever you save it; keys give hints and move on. ? shows the keys.

    What you solve is kept in .grader/progress.txt, and the next start goes on from there.
    """
    from grader.watch.running import watch

    watch(exercise, isolation=isolation.value, gpu=gpu.value, poll=poll)


class StatusChoice(str, Enum):
    """Values of --status."""

    solved = "solved"
    begun = "begun"
    new = "new"


class LevelChoice(str, Enum):
    """Values of --level."""

    warm_up = "warm-up"
    core = "core"
    hard = "hard"
    capstone = "capstone"


@one_line_errors
def list_exercises(
    topic: TopicOption = None,
    level: Annotated[list[LevelChoice] | None, typer.Option("--level", help="Only this level. Repeatable.")] = None,
    status: Annotated[
        list[StatusChoice] | None,
        typer.Option("--status", help="solved, begun (tried, or a hint was taken) or new. Repeatable."),
    ] = None,
    search: Annotated[
        str, typer.Option("--search", metavar="TEXT", help="Only where all these words occur: title, hints, tests.")
    ] = "",
) -> None:
    """List the exercises: which are solved, level, points, minutes.

    For example: list -t tensors --status new, or list --search "storage view".
    """
    from grader.learner.overview import matching, show_list
    from grader.learner.record import read_record

    course, record = load_course(), read_record()
    levels = [choice.value for choice in level or LevelChoice]
    statuses = [choice.value for choice in status or StatusChoice]
    found = matching(course.select((), topic or ()), course, search)
    show_list([e for e in found if e.level in levels and record.status(e.id) in statuses], course, record)


@one_line_errors
def progress() -> None:
    """Show how far you are: a bar for each topic, and where to go on."""
    from grader.learner.overview import show_progress
    from grader.learner.record import read_record

    show_progress(load_course(), read_record())


@one_line_errors
def hint(
    exercise: OwnExercise = None,
    everything: Annotated[bool, typer.Option("--all", help="All hints at once.")] = False,
) -> None:
    """Show the next hint of an exercise: each time one more, from a nudge to nearly the answer."""
    from grader.learner.help import one_exercise, show_hint
    from grader.learner.record import read_record
    from grader.reports.terminal import console

    problem = show_hint(console(), one_exercise(load_course(), exercise, read_record()), everything)
    if problem:
        typer.secho(problem, fg="yellow", err=True)


@one_line_errors
def reset(
    exercise: Annotated[str | None, typer.Argument(metavar="[ID]", help="An exercise's id or the end of one.")] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Bring back what the last reset (of ID) took away.")] = False,
) -> None:
    """Put one exercise's stub back; the rest of its file stays as it is, and what you had is kept.

    It works in a file that Python cannot read, too: an exercise's cell goes from its `# %%` line to the next.
    """
    from grader.learner import stubs
    from grader.learner.help import one_exercise
    from grader.learner.record import change_record, read_record

    if exercise is None and not undo:
        fail("name the exercise whose stub you want back: `python -m grader reset ID`")
    course = load_course()
    chosen = one_exercise(course, exercise, read_record()) if exercise else None
    if undo:
        chosen, line = stubs.undo(chosen, course.exercises)
        name = chosen.id
        change_record(lambda record: record.begin(name))
    else:
        assert chosen is not None
        name = chosen.id
        line = stubs.reset(chosen)
        change_record(lambda record: record.forget(name))
    typer.echo(line)


@one_line_errors
def solution(
    exercise: OwnExercise = None,
    anyway: Annotated[bool, typer.Option("--anyway", help="Before you solved it.")] = False,
) -> None:
    """Show the solution of an exercise that you have solved, to compare it with yours."""
    from grader.learner.help import show_solution

    show_solution(load_course(), exercise, anyway)
