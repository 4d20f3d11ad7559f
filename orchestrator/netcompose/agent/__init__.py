"""The only code that touches a host: in-process locally, shipped and spoken to over a stream elsewhere. Python 3.9."""
