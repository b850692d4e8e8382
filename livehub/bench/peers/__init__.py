"""What we are measured against: each a program of its own, ``python -m livehub.bench.peers NAME``."""
