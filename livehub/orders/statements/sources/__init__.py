"""Which column of a platform's statement says what; one file each."""
