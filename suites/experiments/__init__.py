"""Experiments on the instrument itself: what it finds, what it misses, what it costs. Each is a script to run again."""
