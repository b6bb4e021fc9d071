"""How targets are written: one UPDATE for each table, in which all is said."""
