"""What a package ships: one module per kind of input and per kind of answer, none of which imports this project."""
