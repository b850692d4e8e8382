"""What cities ask of training: a file each, with a ``PRESET``."""
