"""What is generated from the course: exercises/, and versions of it for students and for other graders."""
