"""The command line. A thin layer: it reads options, calls the library and turns what goes wrong into one line."""

from __future__ import annotations

import functools
import os
import secrets
import signal
import sys
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar, cast

import typer

from grader.course import ROOT, load_course, require_solutions
from grader.errors import GraderError
from grader.hidden import SealedFiles, hidden_files

BELOW, COULD_NOT = 1, 2

Command = TypeVar("Command", bound=Callable[..., None])


def one_line_errors(command: Command) -> Command:
    """Let what can foreseeably go wrong end a command with one line on standard error and status 2."""

    @functools.wraps(command)
    def guarded(*arguments: Any, **options: Any) -> None:
        try:
            command(*arguments, **options)
            sys.stdout.flush()
        except GraderError as error:
            _fail(str(error))
        except KeyboardInterrupt:
            _fail("stopped before the end; there is no result")
        except BrokenPipeError:
            # Whoever read our output has seen enough.
            _let_go_of(sys.stdout)
            raise SystemExit(COULD_NOT) from None
        except OSError as error:
            _let_go_of(sys.stdout)
            _fail(f"{error.filename or 'writing the output'}: {error.strerror or error}")
        except ImportError as error:
            _fail(f"{_in_one_line(error)}: a package is missing or does not fit the others; `make setup` installs them")
        except Exception as error:
            if os.environ.get("GRADER_TRACEBACK"):
                raise
            kind = type(error).__name__
            _fail(
                f"the grader itself failed, there is no result ({kind}: {_in_one_line(error)}). GRADER_TRACEBACK=1 "
                "in the environment shows where"
            )

    return cast(Command, guarded)


def _fail(message: str) -> NoReturn:
    try:
        typer.secho(f"grader: {message}", fg="red", err=True)
    except OSError:
        _let_go_of(sys.stderr)  # The terminal is closed.
    raise SystemExit(COULD_NOT)


def _in_one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def _let_go_of(stream: Any) -> None:
    """Have Python not try to write what is left for a stream that takes nothing any more."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    except (OSError, ValueError, AttributeError):
        pass


app = typer.Typer(
    help="Grades PyTorch exercises: runs hidden tests against a submission that it never trusts.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
build = typer.Typer(help="Make what is generated from solutions/.", no_args_is_help=True)
app.add_typer(build, name="build")


class IsolationChoice(str, Enum):
    """Values of --isolation."""

    auto = "auto"
    sandbox = "sandbox"
    process = "process"


class AudienceChoice(str, Enum):
    """Values of --feedback of class."""

    instructor = "instructor"
    learner = "learner"


class GpuChoice(str, Enum):
    """Values of --gpu."""

    auto = "auto"
    require = "require"
    off = "off"


class FeedbackChoice(str, Enum):
    """Values of --feedback."""

    full = "full"
    brief = "brief"


class BenchChoice(str, Enum):
    """What `bench` measures."""

    time = "time"
    attacks = "attacks"


ExerciseOption = Annotated[
    list[str] | None,
    typer.Option(
        "-e", "--exercise", metavar="ID", help="Only this exercise: an id, the end of one, or a glob. Repeatable."
    ),
]
TopicOption = Annotated[
    list[str] | None, typer.Option("-t", "--topic", metavar="NAME", help="Only this topic. Repeatable.")
]
SeedOption = Annotated[
    int | None, typer.Option("--seed", help="Seed of the random inputs; the report names the one used.")
]
IsolationOption = Annotated[
    IsolationChoice,
    typer.Option("--isolation", help="How the submission is kept apart; auto takes the strongest there is."),
]
DiagnosisOption = Annotated[
    bool, typer.Option("--diagnosis/--no-diagnosis", help="Say which known mistake a failing answer behaves like.")
]
GpuOption = Annotated[
    GpuChoice,
    typer.Option("--gpu", help="auto: GPU tests run where there is CUDA; require: fail without it; off: never."),
]


class VisibilityChoice(str, Enum):
    """Values of --visibility."""

    visible = "visible"
    after_due_date = "after_due_date"
    after_published = "after_published"
    hidden = "hidden"


def told_to_platforms(command: Command) -> Command:
    """Let a platform that waits for a result hear of it when there is none."""

    @functools.wraps(command)
    def guarded(**options: Any) -> None:
        try:
            command(**options)
        except GraderError as error:
            from grader.platforms import tell_failure

            tell_failure(error, options)
            raise

    return cast(Command, guarded)


@app.command()
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
        _fail("only one report can go to standard output")
    from grader.grading import grade_submission
    from grader.learner import own
    from grader.learner.record import note_grades
    from grader.platforms import Handover, hand_over
    from grader.result import for_learners

    course = load_course()
    path = own.submission_path(submission, course)
    chosen = course.select(exercise or (), topic or ())
    if not exercise and not topic:
        chosen = own.part_of(path, chosen)
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
    from grader.reports import terminal, write_report

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


OwnExercise = Annotated[
    str | None,
    typer.Argument(metavar="[ID]", help="An exercise's id or the end of one; by default the one you are at."),
]


@app.command()
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


@app.command("list")
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


@app.command()
@one_line_errors
def progress() -> None:
    """Show how far you are: a bar for each topic, and where to go on."""
    from grader.learner.overview import show_progress
    from grader.learner.record import read_record

    show_progress(load_course(), read_record())


@app.command()
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


@app.command()
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
        _fail("name the exercise whose stub you want back: `python -m grader reset ID`")
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


@app.command()
@one_line_errors
def solution(
    exercise: OwnExercise = None,
    anyway: Annotated[bool, typer.Option("--anyway", help="Before you solved it.")] = False,
) -> None:
    """Show the solution of an exercise that you have solved, to compare it with yours."""
    from grader.learner.help import show_solution

    show_solution(load_course(), exercise, anyway)


@app.command()
@one_line_errors
def check(
    exercise: ExerciseOption = None,
    topic: TopicOption = None,
    seed: SeedOption = 1,
    isolation: IsolationOption = IsolationChoice.auto,
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="Name the tests that caught each wrong answer.")
    ] = False,
    mutants: Annotated[
        bool, typer.Option("--mutants", help="Change the solutions a little, in every way: does a test notice?")
    ] = False,
) -> None:
    """For authors: are the tests good, and does everything fit together?

    Every stub scores 0, the solution everything, every known wrong answer fails, every right alternative passes,
    generated files are up to date, docstring examples run. Exit status 1 if there is a finding.

    With --mutants, in place of all that: each solution with one operator, constant, argument or statement changed
    must fail, unless tests/TOPIC/equivalent.toml says why it does the same as the solution. Takes some minutes;
    -e and -t limit it.
    """
    course = load_course()
    require_solutions(course, "check")
    from grader.checking import check_course
    from grader.progress import progress_bar
    from grader.reports import terminal

    chosen = course.select(exercise or (), topic or ())
    if mutants:
        from grader.mutants import check_mutants

        with progress_bar(sys.stderr.isatty()) as progress:
            found = check_mutants(course, chosen, seed=seed or 0, isolation=isolation.value, progress=progress)
        terminal.show_mutants(found)
        raise SystemExit(BELOW if found.unexplained or found.outdated else 0)
    with progress_bar(sys.stderr.isatty()) as progress:
        report = check_course(course, chosen, seed=seed or 0, isolation=isolation.value, progress=progress)
    terminal.show_check(report, verbose)
    if report.findings:
        raise SystemExit(BELOW)


@app.command("class")
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
        bool, typer.Option("--again", help="Grade all anew, also what has not changed since the last run.")
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

    Writes grades.csv, a page about the class, and a report for each student. A second run grades only what has
    changed: a submission, the tests, or a version. Ctrl-C loses nothing: the same command goes on.

    Submissions are strangers' code, so the sandbox is required; `--isolation process` says that you trust them.
    Exit status: 0 graded, 1 the grader failed on some (the same command tries them again), 2 could not grade.
    """
    from grader.classroom.arrival import read_policy
    from grader.classroom.grading import ClassOptions, grade_class
    from grader.classroom.roster import read_roster
    from grader.classroom.summary import show_class
    from grader.progress import progress_bar

    if due is None and (late_penalty, late_most) != ("0%", "100%"):
        _fail("--late-penalty and --late-most need --due: when was the deadline?")
    if gradebook:
        from grader.gradebook.opening import open_gradebook

        with open_gradebook(gradebook):
            pass  # An address that is wrong should not come to light after the grading.
    folder = folder.expanduser()  # make does not, everywhere
    course = load_course()
    require_solutions(course, "class")
    if isinstance(hidden_files(), SealedFiles):
        _fail("class needs solutions/ and tests/ themselves, not sealed ones: grade a class where you keep them")
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
        _fail(f"stopped; what is graded so far is in {options.out}, and the same command goes on")
    show_class(grades, options.out)
    if gradebook:
        from grader.gradebook.writing import write_grades

        try:
            with progress_bar(sys.stderr.isatty(), remaining=True) as show:
                written = write_grades(
                    grades, course, gradebook, due=options.late.due if options.late else None, show=show
                )
        except KeyboardInterrupt:
            _fail("stopped while writing the gradebook; the grades are kept, and the same command goes on")
        typer.echo(f"\n{written}")
    if any(student.failed for student in grades.students):
        raise SystemExit(BELOW)


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
        _fail("give --key or --key-file, not both")
    given = kept_key(key_file) if key_file else key
    built = build_it(load_course(), ROOT, (out or ROOT / ".grader" / "student").resolve(), given)
    typer.echo(f"{built.folder}: {built.files} files, searched: no solution and no hidden test in it")
    typer.echo(how_to_use(built.key, key_file) if not key else "Sealed with the key that you gave.")


@app.command()
@one_line_errors
def doctor() -> None:
    """Which protections hold on this machine? Proves each by trying to get past it, and says what to do.

    Exit status: 0 if all hold, 1 if one does not.
    """
    from grader.doctor.examination import examine
    from grader.doctor.table import show
    from grader.progress import progress_bar

    with progress_bar(sys.stderr.isatty()) as progress:
        found = examine(progress)
    show(found)
    if not found.all_hold:
        raise SystemExit(BELOW)


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


@app.command()
@one_line_errors
def bench(
    what: Annotated[
        BenchChoice, typer.Argument(help="time: how long people wait; attacks: who gives points for an attack.")
    ] = BenchChoice.time,
    submissions: Annotated[int, typer.Option("--submissions", help="How many submissions to grade.")] = 12,
    nbgrader: Annotated[
        bool, typer.Option("--nbgrader/--no-nbgrader", help="Compare with nbgrader autograde too.")
    ] = True,
    sample: Annotated[
        int, typer.Option("--class", min=0, metavar="N", help="Only grading a class: all ways grade these N.")
    ] = 0,
    size: Annotated[
        list[int] | None,
        typer.Option("--size", min=2, help="With --class: a class of this size too, graded by us alone. Repeatable."),
    ] = None,
    saves: Annotated[
        bool, typer.Option("--saves", help="Only from a saved file to its verdict in watch: a minute or two.")
    ] = False,
) -> None:
    """Measure how long people wait, next to what they would use instead, in one run.

    With --class, grading a class: `bench --class 4 --size 10 --size 200` compares on 4 submissions and looks at
    classes of 10 and of 200, which takes most of an hour.

    `bench attacks` hands the attacks of grader/tests/attacks/ in to this grader, to pytest, nbgrader and otter-grader.
    """
    require_solutions(load_course(), "bench")
    from grader.bench import run_bench, run_class, run_saves

    if what is BenchChoice.attacks:
        from grader.bench.attacks import run_attacks

        run_attacks()
        return
    if saves:
        run_saves()
        return
    if sample:
        run_class(sample, size or [], nbgrader)
        return
    run_bench(submissions, nbgrader)


def _open_standard_streams() -> None:
    """Give closed standard streams a place that takes everything: else a socket would get the number of one."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8", closefd=False)


def main() -> None:
    """Run the command line."""
    _open_standard_streams()
    # As Ctrl-C: what was started is ended, and nothing is left behind. Another exception would pass for a test's own.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as under nohup
        signal.signal(signal.SIGHUP, signal.default_int_handler)
    try:
        app()
    finally:
        # Python remembers an interrupt that came while a text was executed, as where a data class is made, and would
        # end by that signal although it was dealt with. The next text makes it forget.
        eval("None")
