"""Events told to other programs, until they have arrived."""
