"""People who are to be known: their pictures, the face crop cut out of each, and the record of what became of it."""
