"""One file a fault: TITLE, WHAT, GOAL, COLUMNS and `measure(bench)`, which returns a value a column."""
