# Class: end the run early
# Tries: to end the process with exit status 0 while the file is imported, before a test can fail.
# Must: crashed
# Says: while the file was read, the code ended Python itself (exit status 0)
# Others: crashed
# Naive: passed
import os

os._exit(0)
