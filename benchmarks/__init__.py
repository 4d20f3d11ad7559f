"""How fast netcompose is, measured beside what bounds it: ``python -m benchmarks`` (see __main__.py)."""
