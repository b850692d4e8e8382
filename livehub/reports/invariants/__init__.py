"""What must hold of what reports keep; one file each."""
