"""Measurements that people run, one module each; the figures come as one JSON object.

`python -m tools.bench` lists them, `python -m tools.bench startup --references 1000` runs one.
"""
