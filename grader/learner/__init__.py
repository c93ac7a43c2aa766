"""What a learner asks for between two verdicts: where they are, a hint, a stub back, the solution."""
