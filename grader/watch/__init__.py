"""Grades an exercise whenever it is saved: `python -m grader watch`.

Two processes. One shows the screen, takes keys and notices saved files; it imports nothing heavy, so it is there at
once and always answers. The other one (`grading`) keeps torch, pytest, the suites and the submission's workers warm.
"""

from __future__ import annotations
