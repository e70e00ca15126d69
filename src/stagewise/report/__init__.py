"""How results are shown: tables, charts, pictures, and the page that holds them."""
