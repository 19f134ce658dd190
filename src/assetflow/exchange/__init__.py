"""Moving data between other systems, files and the store."""
