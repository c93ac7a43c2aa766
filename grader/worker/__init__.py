"""What is loaded on both sides: in the judge, and in the process that runs the submission.

Nothing here knows a test, an expected value or a solution.
"""
