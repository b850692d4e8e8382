"""What must hold of the rooms' tables, one statement a file."""
