"""What a change of the sources makes of a result, reckoned from the rows that changed alone."""
