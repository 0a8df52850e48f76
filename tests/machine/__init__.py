"""The fence protocol against a simulated world, one port call at a time.

Objects live in the API simulator's store, under its rules for patches. PostgreSQL, the operator, Kasten and
people are simulated in milliseconds. What really happened is kept beside them, never read from our record.
"""
