"""nbgrader's own gradebook: filled by nbgrader with our judge in it, or from the grades of a class."""
