"""Warehouse and one generation of the view side by side: what a rebuild and reconcile compare."""
