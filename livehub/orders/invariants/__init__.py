"""What must hold between orders, entries and buckets; one file each."""
