"""``python -m stagewise`` is the ``stagewise`` command."""

from stagewise.cli import main

main()
