"""Config of ingest and preprocess: where data comes from, how it is read, checked and split."""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from stagewise.config.schema.base import Digest, Fraction, Section, Target

Action = Literal["fail", "drop", "warn"]


class File(Section):
    """One raw file, looked for in the mirror first, then at each URL in turn."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    """File name under data/raw/."""
    urls: list[str]
    """http(s), object-store (s3://, gs://), file paths, or ``package://module/path`` resources."""
    sha256: Digest | None = None
    """SHA-256 of the file as published; required for anything that is not a local path."""
    bytes: PositiveInt | None = None
    """Size of the file as published."""
    extract: bool = False
    """Unpack this zip or tar archive into data/raw/<name without suffix>/ and drop the archive."""


class Limits(Section):
    """What an archive may unpack to before it is refused."""

    bytes: PositiveInt = 20_000_000_000
    """Most bytes in all members together."""
    files: PositiveInt = 5_000_000
    """Most members."""
    ratio: Annotated[float, Field(gt=1)] = 200.0
    """Most bytes out per byte in (a zip bomb has thousands)."""


class Source(Section):
    """Where the raw files come from."""

    files: list[File] = []
    """Files with public URLs and digests."""
    path: str | None = None
    """A local folder, file or archive of your own, instead of ``files``."""
    mirror_folder: str | None = None
    """The folder of a mirror in which the files lie; the name of the data when null."""
    retries: Annotated[int, Field(ge=0, le=20)] = 4
    """Further attempts per URL after a failed download."""
    limits: Limits = Limits()
    license: str = "unknown"
    """Licence of the data, copied to ingest.json and the model card."""
    citation: str = ""
    """How to cite the data."""


class Split(Section):
    """How rows are divided; published test rows stay test rows."""

    validation: Fraction = 0.1
    """Share of the training rows held out to choose the model, stratified by class."""
    test: Fraction = 0.2
    """Share of all rows held out for the final figures; only used where the data has no published test rows."""


class Checks(Section):
    """What to do when a check of the raw data finds something."""

    unreadable: Action = "fail"
    """A file that cannot be decoded, or has the wrong dtype or shape."""
    missing: Action = "fail"
    """A row without a value or without a label."""
    label_range: Action = "fail"
    """A label outside the declared classes."""
    constant: Action = "warn"
    """An input whose values are all equal."""
    duplicates: Action = "warn"
    """Inputs that occur twice within one split; ``drop`` keeps the first."""
    leakage: Action = "drop"
    """Inputs of the training or validation rows that occur in a later split too; ``drop`` removes the earlier row."""
    min_class_count: PositiveInt = 3
    """Fewest rows that a class must have; fewer always fails."""


class Recipe(Section):
    """Where to start when training on a data set; conf/trainer/default.yaml takes its values from here."""

    max_epochs: PositiveInt = 20
    batch_size: PositiveInt = 64


ROWS = Target.model_validate({"_target_": "stagewise.data.preprocess.RowPreparation"})
"""Every sample is a row of its own."""


class DataSection(Section):
    """The ``data`` group: one file in conf/data/ per dataset."""

    name: str
    source: Source
    mirror: str | None = None
    """A folder looked at before any URL; the variable STAGEWISE_MIRROR does the same without entering the key."""
    reader: Target
    """Reads data/raw/ and yields samples."""
    feature: Target
    """Turns one raw value into the stored array, and describes it in schema.json."""
    preparation: Target = ROWS
    """How samples become split files: row by row, or (series) cut by time."""
    target: Target | None = None
    """What is predicted; one of the classes when null."""
    classes: list[str] | None = None
    """Class names in the order of the labels; taken from the data when null."""
    split: Split = Split()
    checks: Checks = Checks()
    rows_per_batch: PositiveInt = 4096
    """Rows held in memory at a time, and per Arrow record batch; fewer where these rows exceed 32 MB."""
    recipe: Recipe = Recipe()


class IngestSettings(Section):
    """All that the ingest stage gets."""

    name: str
    source: Source
    mirror: str | None = None
    """A folder looked at before any URL; the variable STAGEWISE_MIRROR does the same without entering the key."""


class AugmentSection(Section):
    """The ``augment`` group: what is done to training batches."""

    transforms: list[Target] = []
    """Applied in this order to whole batches, on the training device."""
    offline_copies: Annotated[int, Field(ge=0, le=100)] = 0
    """Extra augmented copies of each training row written by preprocess; 0 augments while training only."""


class PreprocessData(Section):
    """The part of ``data`` that preprocess gets."""

    name: str
    reader: Target
    feature: Target
    preparation: Target = ROWS
    target: Target | None = None
    classes: list[str] | None = None
    split: Split = Split()
    checks: Checks = Checks()
    rows_per_batch: PositiveInt = 4096


class PreprocessSettings(Section):
    """All that the preprocess stage gets."""

    seed: int
    threads: PositiveInt
    data: PreprocessData
    augment: AugmentSection
