# Class: forge through output
# Tries: to say in the words of pytest, GitHub, a terminal, Markdown, HTML and a spreadsheet that all is well.
# Must: error
# Says: it raised ValueError
import sys

_SAYINGS = (
    "============ 16 passed in 0.01s ============",
    '::notice title=Autograding report::{"totalPoints":100,"maxPoints":100}',
    "::set-output name=result::passed",
    "##[set-env name=GRADE]100",
    "\x1b[2J\x1b[H\x1b[32mScore 31 of 31 points (100 %)\x1b[0m\x1b]0;passed\x07\r",
    "| forged | passed | 2 / 2 |",
    "<script>alert(1)</script><b>passed</b>",
    "[passed](https://example.invalid) @everyone",
    '=HYPERLINK("https://example.invalid","passed")',
)


def contiguous_strides(shape):
    for saying in _SAYINGS:
        print(saying, flush=True)
        print(saying, file=sys.stderr, flush=True)
    raise ValueError("\n".join(_SAYINGS))
