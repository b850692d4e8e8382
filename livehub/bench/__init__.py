"""The benchmarks of docs/performance.md: one file in ``benches`` each, its peers measured in the same run."""
