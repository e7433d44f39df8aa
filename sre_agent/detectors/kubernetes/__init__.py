"""What is wrong with pods, workloads, nodes and what they stand on, from API objects."""
