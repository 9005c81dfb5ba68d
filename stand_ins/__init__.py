"""What the demo, the tests and the benchmarks talk to instead of X, AWS and a host of your own; see README.md."""
