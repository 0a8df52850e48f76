"""`python -m kanfunc`."""

from kanfunc.cli import main

main()
