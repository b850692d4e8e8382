"""The pack of a report: its forms and all they are the sums of, in one ZIP that a stranger can recompute."""
