"""Organizations, their consumers, audiences, generations of memberships and jobs, in a database."""
