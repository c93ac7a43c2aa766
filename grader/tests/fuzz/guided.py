"""One target under atheris (libFuzzer): `python -m grader.tests.fuzz.guided TARGET [options of libFuzzer]`."""

import sys

import atheris

with atheris.instrument_imports(
    include=[
        "grader.worker.codec",
        "grader.observing",
        "grader.workers",
        "grader.submission",
        "grader.percent",
        "grader.course",
    ]
):
    from grader.tests.fuzz.targets import TARGETS

if __name__ == "__main__":
    target = TARGETS[sys.argv[1]]
    target(b"")  # What is read once is read now: the first input would be called slow.
    atheris.Setup([sys.argv[0], *sys.argv[2:]], target)
    atheris.Fuzz()
