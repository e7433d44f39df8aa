"""PromQL read into a tree with offsets: what an expression compares, sums and carries. It is never sent anywhere.

Source of the grammar: https://prometheus.io/docs/prometheus/latest/querying/basics/ and .../operators/
"""
