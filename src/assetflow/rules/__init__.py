"""What is allowed and what it costs: pure decisions over values, without I/O and without a clock."""
