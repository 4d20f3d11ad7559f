"""Hosts to work on over SSH, made of nothing: what the tests and the benchmark stand on."""
