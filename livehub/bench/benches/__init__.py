"""One benchmark a file: a module with ``BENCH`` is found by its name."""
