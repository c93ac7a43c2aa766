"""`build`: what is made from the solutions, for learners and for platforms."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from grader.cli.guarding import fail, one_line_errors
from grader.cli.options import ExerciseOption, IsolationChoice, TopicOption, VisibilityChoice
from grader.course import ROOT, load_course, require_solutions

build = typer.Typer(help="Make what is generated from solutions/.", no_args_is_help=True)


@build.command("exercises")
@one_line_errors
def build_exercises(
    force: Annotated[
        bool, typer.Option("--force", help="Replace files that were edited too, after copying them to .grader/backup/.")
    ] = False,
) -> None:
    """Make exercises/ (stubs) and exercises/catalogue.json from solutions/. Never overwrites what a learner wrote."""
    from grader.build.exercises import write_exercises

    require_solutions(load_course(), "build exercises")
    for line in write_exercises(load_course(), ROOT, force=force):
        typer.echo(line)


@build.command("notebooks")
@one_line_errors
def build_notebooks(
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where to; exercises/notebooks if left out.")
    ] = None,
    solutions: Annotated[bool, typer.Option("--solutions", help="Make them from solutions/ instead.")] = False,
    force: Annotated[
        bool,
        typer.Option("--force", help="Replace edited notebooks too, after copying them to .grader/backup/."),
    ] = False,
) -> None:
    """Make a notebook of each lesson in exercises/, as it is there. Never overwrites one that was edited.

    Open one in Jupyter (`.venv/bin/jupyter lab`) or VS Code. After each exercise a cell calls `check`, which shows
    what the tests say. `make grade SUBMISSION=exercises/notebooks` grades all of them.
    """
    from grader.build.notebooks import write_notebooks

    for line in write_notebooks(load_course(), ROOT, out and out.resolve(), solutions=solutions, force=force):
        typer.echo(line)


@build.command("nbgrader")
@one_line_errors
def build_nbgrader(
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="The course folder, outside of this repository.")
    ] = ROOT.parent / f"{ROOT.name}-nbgrader",
    topic: TopicOption = None,
    lesson: Annotated[
        list[str] | None, typer.Option("-l", "--lesson", metavar="NAME", help="Only this lesson. Repeatable.")
    ] = None,
    release: Annotated[
        bool, typer.Option("--release/--no-release", help="Have nbgrader make the version for students too.")
    ] = True,
    force: Annotated[
        bool, typer.Option("--force", help="Replace files that were edited too, after copying them to DIR/backup/.")
    ] = False,
) -> None:
    """Make a course folder for nbgrader: an assignment for each lesson, graded by this grader.

    In the folder, `nbgrader autograde`, `generate_feedback`, `export` and formgrader work as ever; submissions are
    judged in the sandbox in place of being run. A second build brings the folder up to date.
    """
    from grader.build.nbgrader import build_course
    from grader.progress import progress_bar

    course = load_course()
    chosen = dict.fromkeys(exercise.lesson_id for exercise in course.select(lesson or (), topic or ()))
    with progress_bar(sys.stderr.isatty()) as progress:
        built = build_course(
            course, [course.lesson(name) for name in chosen], out, progress, force=force, release=release
        )
    for line in built.lines:
        typer.echo(line)
    typer.echo(
        f"\nNext: cd {built.folder}\n"
        f"      hand out release/ASSIGNMENT/, collect into submitted/STUDENT/ASSIGNMENT/, then\n"
        f"      nbgrader autograde {built.assignments[0]}"
    )


@build.command("student")
@one_line_errors
def build_student(
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where to; .grader/student if left out.")
    ] = None,
    key: Annotated[
        str | None, typer.Option("--key", help="Seal with this key; better --key-file: others see a command line.")
    ] = None,
    key_file: Annotated[
        Path | None, typer.Option("--key-file", metavar="FILE", help="Seal with the key in FILE; made if not there.")
    ] = None,
) -> None:
    """Make the student version: a template repository with exercises, data and grader, without solutions and tests.

    The hidden tests go along sealed: encrypted with a key. Without --key and --key-file a new one is made and shown
    once. Where GRADER_KEY holds the key, `make grade` judges by the hidden tests, else by the docstrings' examples.
    """
    require_solutions(load_course(), "build student")
    from grader.build.keys import how_to_use, kept_key
    from grader.build.student import build_student as build_it

    if key and key_file:
        fail("give --key or --key-file, not both")
    given = kept_key(key_file) if key_file else key
    built = build_it(load_course(), ROOT, (out or ROOT / ".grader" / "student").resolve(), given)
    typer.echo(f"{built.folder}: {built.files} files, searched: no solution and no hidden test in it")
    typer.echo(how_to_use(built.key, key_file) if not key else "Sealed with the key that you gave.")


@build.command("gradescope")
@one_line_errors
def build_gradescope(
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE.zip", help="Where to; .grader/gradescope.zip if left out.")
    ] = None,
    visibility: Annotated[
        VisibilityChoice, typer.Option("--visibility", help="When students see the tests and what went wrong.")
    ] = VisibilityChoice.visible,
    isolation: Annotated[
        IsolationChoice, typer.Option("--isolation", help="What the container has to offer; auto takes what there is.")
    ] = IsolationChoice.auto,
    topic: TopicOption = None,
    exercise: ExerciseOption = None,
) -> None:
    """Make the zip that Gradescope takes as an autograder, with the hidden tests, for all exercises or some.

    Upload it under Configure Autograder. Students hand in their files of exercises/, loose or in their folders.
    """
    require_solutions(load_course(), "build gradescope")
    from grader.build.gradescope import write_bundle

    chosen = load_course().select(exercise or (), topic or ())
    path = (out or ROOT / ".grader" / "gradescope.zip").resolve()
    written = write_bundle(load_course(), ROOT, path, chosen, visibility=visibility.value, isolation=isolation.value)
    typer.echo(
        f"{path}: {written.files} files, {written.points:g} points; it holds the hidden tests, keep it to yourself"
    )
