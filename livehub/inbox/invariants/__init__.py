"""What must hold of deliveries and messages; one file each."""
