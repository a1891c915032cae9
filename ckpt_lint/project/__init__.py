"""What is known of a project as a whole: its root, the torch that it declares, its modules."""
