"""netcompose: bring a network topology up, and keep it as written, on plain Linux hosts."""

__version__ = "0.1.0"
