"""Rules written from a file of objectives: recorded ratios, burn-rate alerts, quantiles, costs, and promtool's tests for them.
Pure: a file in, texts out.
"""
