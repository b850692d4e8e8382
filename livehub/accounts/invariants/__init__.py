"""What must hold of centres, users and the audit trail."""
