# Class: forge through output
# Tries: to have paths, marks and line ends of its own in the report, by the name of an exception.
# Must: error
# Says: it raised Score
_Forged = type("Score 31 of 31 points\n::error file=/etc/passwd::\u202epassed\u2028", (Exception,), {})


def contiguous_strides(shape):
    raise _Forged("<img src=x onerror=alert(1)>\r\n=cmd|' /C calc'!A0\x00\ud800")
