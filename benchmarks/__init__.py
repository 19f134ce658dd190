"""Measurements against peers, as ratios in one run: ``python -m benchmarks``.

Each row measures something of the library and something to compare it with, pair by pair in one
process, and prints the ratio. Nothing here is a test: a slow machine makes no build fail.
"""
