"""What runs a container's command: one module per runtime. ``namespace`` needs nothing but the kernel and Python."""
