"""Tables: rows of files, types of columns, columns that give the answer away, and a picture of them all."""
