"""Runs the examples of a docstring where the learner's code is, as in a notebook; needs Python alone.

A copy of this file goes along with notebooks that are handed out: these are the public checks. The hidden tests run
elsewhere, when the work is graded.
"""

from __future__ import annotations

import doctest
from typing import Any


def run_examples(name: str, namespace: dict[str, Any]) -> None:
    """Run the docstring's examples of what `namespace` calls `name`, and print one line if all of them come out.

    Raises:
        AssertionError: one of them does not; the text shows the first, what was expected and what came.
    """
    if name not in namespace:
        raise AssertionError(f"`{name}` does not exist: run the cell above that defines it")
    target = namespace[name]
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = [test for test in finder.find(target, name, module=False, globs=namespace) if test.examples]
    # Whether two spaces stand where one was written says nothing about an answer.
    options = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS | doctest.REPORT_ONLY_FIRST_FAILURE
    runner = doctest.DocTestRunner(verbose=False, optionflags=options)
    for test in found:
        told: list[str] = []
        if runner.run(test, out=told.append).failed:
            # Without the ruler, and the place in a file that does not exist.
            text = "".join(told).split("\n", 2)[-1].strip()
            raise AssertionError(f"an example of `{name}` does not give what its docstring says\n{text}")
    count = sum(len(test.examples) for test in found)
    right = f"the docstring's {count} examples come out as they should" if count else "the docstring holds no examples"
    print(f"{name}: {right}. The hidden tests run when this notebook is graded.")
