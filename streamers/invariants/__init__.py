"""What must hold of people and training."""
