"""Topology -> desired resources per host. Pure: the same topology and the same live state give the same bytes.

One room per question: which address (``addresses``), which name (``names``), what a network is made of
(``networks/``), what a container is made of (``containers``), which cable (``links``), which route (``routes``), who
finds whom by name (``resolution``). ``compile`` puts them together; ``reachability`` says what the result promises.
"""
