"""The walk-through of the project as a program: a backup proven cold, a restore proven to continue it.

`python -m tests.lab.demo` runs it on this machine. Exit codes: 0 all of it held; 1 a claim did not hold, or
the lab failed; 130 interrupted.
"""
