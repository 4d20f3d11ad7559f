"""Desired x live -> Plan. Pure: the same input gives the same bytes. Python 3.9."""
