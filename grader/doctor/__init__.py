"""Which protections hold on this machine, each proven by trying to get past it: `python -m grader doctor`.

Imports nothing heavy at once: what is wrong with a package is to be told, not to end the command.
"""
