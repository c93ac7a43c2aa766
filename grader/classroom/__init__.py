"""Grades a whole class: finds its submissions, judges them on all cores, and keeps the grades where instructors do."""
