"""Other tools' files -> a topology file and what of them has no counterpart. Pure; one module for each format."""
