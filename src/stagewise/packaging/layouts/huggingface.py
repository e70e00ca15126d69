"""A repository of the Hugging Face hub: the package as it is, which has the card and config.json that the hub reads."""

from pathlib import Path

from stagewise.packaging.layouts.contents import Contents, write_text

_LARGE_FILES = "*.onnx filter=lfs diff=lfs merge=lfs -text\n"


def write(contents: Contents, out: Path) -> None:
    """Write the repository into the empty folder ``out``.

    What is downloaded from the hub is the package again: ``python predict.py --self-test`` verifies it.
    """
    contents.copy_to(out)
    write_text(out / ".gitattributes", _LARGE_FILES)
