"""The kernel as the agent speaks to it: netlink in batches, namespaces, sysctls, system calls."""
