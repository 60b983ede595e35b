"""`python -m whoplays` is the `whoplays` command."""

from whoplays import main

main()
