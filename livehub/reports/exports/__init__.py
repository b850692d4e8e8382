"""The kinds of reports, one file each: a module attribute ``REPORT`` says its tables and its evidence."""
