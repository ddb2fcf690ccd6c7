"""How a function of frames depends on each of them, read from the plan that it makes."""
