"""``python -m netcompose``."""

from netcompose.cli.main import command

command()
