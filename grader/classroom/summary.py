"""What a person sees in the terminal once a class is graded."""

from __future__ import annotations

import statistics
from pathlib import Path

from rich.text import Text

from grader.classroom.grades import NOTHING_HANDED_IN, ClassGrades
from grader.reports.terminal import console
from grader.reports.wording import number, plain

MOST_PROBLEMS = 10


def show_class(grades: ClassGrades, out: Path) -> None:
    """How many were graded, how they did, who needs to be looked at, and where everything is."""
    screen = console()
    graded = [student for student in grades.students if student.result]
    missing = [student for student in grades.students if student.problem == NOTHING_HANDED_IN]
    problems = [student for student in grades.students if student.problem and student not in missing]
    counts = [f"{len(graded)} graded"]
    counts += [f"{grades.not_graded_now} of them unchanged since the last run"] if grades.not_graded_now else []
    counts += [f"{len(problems)} to be looked at"] if problems else []
    counts += [f"{len(missing)} without a submission"] if missing else []
    screen.print(Text(f"{len(grades.students)} students: {', '.join(counts)}.", style="bold"))
    if grades.answers_passed_on:
        every = grades.answers_judged + grades.answers_passed_on
        screen.print(
            f"{grades.answers_judged} of {every} answers were judged now: the others are the same text as one that was."
        )
    if graded:
        percents = sorted(student.percent or 0.0 for student in graded)
        middle, mean = number(statistics.median(percents)), number(statistics.fmean(percents))
        screen.print(
            f"Score: mean {mean} %, median {middle} %, from {number(percents[0])} % to {number(percents[-1])} %."
        )
        apart = max(student.result.not_assessed_points for student in graded if student.result)
        if apart:
            screen.print(
                f"Up to {number(apart)} points could not be assessed here: out of the maximum, in a column apart."
            )
    for student in problems[:MOST_PROBLEMS]:
        screen.print(Text.assemble("\n", (plain(student.student), "bold red"), f"  {plain(student.problem or '')}"))
    if len(problems) > MOST_PROBLEMS:
        screen.print(Text(f"\nand {len(problems) - MOST_PROBLEMS} more: see the column `problem`", style="dim"))
    screen.print(Text(f"\nGrades   {plain(str(out / 'grades.csv'))}"))
    screen.print(Text(f"Page     {plain(str(out / 'index.html'))}"))
    screen.print(Text(f"Isolation {grades.isolation}, seed {grades.seed}, {grades.seconds:.0f} seconds", style="dim"))
