"""What the rules read: loads, saves, checkpoints, restores and their surroundings, across the files of a project."""
