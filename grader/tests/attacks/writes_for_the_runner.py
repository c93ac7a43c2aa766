# Class: forge through output
# Tries: to set the outputs, the environment and the summary of a job of GitHub's.
# Must: failed
import os


def contiguous_strides(shape):
    names = ("GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_STEP_SUMMARY", "GITHUB_PATH", "GITHUB_STATE")
    for name in names:
        with open(os.environ.get(name, os.environ["TMPDIR"] + "/" + name), "a") as file:
            file.write("result=passed\nPATH=/tmp\n")
    return [name for name in names if name in os.environ]
