"""Draw what enters a stage's key, and which edits run which stages, as an SVG that reads in light and dark mode."""

from pipeline_picture import STYLE, escaped

ENTERS = [
    ("config", "the resolved values of this stage", "model.hidden: 128"),
    ("code", "modules it imports, classes it names", "src/stagewise/models/cnn.py: ea212fc5"),
    ("libraries", "distributions that code imports", "torch: 2.13.0"),
    ("data", "outputs of the stages before", "data/processed"),
]
STAGES = ("ingest", "preprocess", "train", "evaluate", "compress", "package")
EDITS = [
    ("a comment, a docstring, formatting", ""),
    ("an unchosen network, an unrelated group", ""),
    ("the chosen network", "train evaluate compress package"),
    ("optimizer.lr", "train evaluate compress package"),
    ("the template of the report", "evaluate package"),
    ("compress.max_drop", "compress package"),
    ("the seed", "preprocess train evaluate compress package"),
    ("a helper that all stages share", "ingest preprocess train evaluate compress package"),
]
ROW, TOP, LEFT, CELL = 30, 74, 650, 84


def draw_stage_key() -> str:
    """Return the picture: on the left what enters the key of train, on the right edits and the stages they run."""
    height = TOP + ROW * len(EDITS) + 30
    width = LEFT + CELL * len(STAGES)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="What enters the key of a stage, and which edits run which stages">\n'
        f"<style>{STYLE}\n.run{{fill:#34d399}}.none{{fill:none;stroke:#cbd5e1}}</style>\n",
        '<text class="name" x="0" y="24">What enters the key of train</text>\n',
        f'<text class="name" x="{LEFT - 276}" y="24">What an edit runs</text>\n',
    ]
    parts += [draw_part(number, *part) for number, part in enumerate(ENTERS)]
    parts += [
        f'<text class="soft" x="{LEFT + CELL * (number + 0.5)}" y="54" text-anchor="middle">{stage}</text>\n'
        for number, stage in enumerate(STAGES)
    ]
    parts += [draw_edit(number, *edit) for number, edit in enumerate(EDITS)]
    return "".join([*parts, "</svg>\n"])


def draw_part(number: int, name: str, meaning: str, example: str) -> str:
    """Return one box of what enters a key."""
    y = 42 + number * 66
    return (
        f'<rect class="{"last" if name == "data" else "first"}" x="0" y="{y}" width="330" height="56" rx="9"/>\n'
        f'<text x="14" y="{y + 22}"><tspan class="name">{name}</tspan>'
        f'<tspan class="soft" dx="8">{meaning}</tspan></text>\n'
        f'<text class="out" x="14" y="{y + 43}">{escaped(example)}</text>\n'
    )


def draw_edit(number: int, name: str, stages: str) -> str:
    """Return one row: an edit and a dot per stage, filled where the stage runs."""
    y = TOP + number * ROW
    dots = "".join(
        f'<circle class="{"run" if stage in stages.split() else "none"}" '
        f'cx="{LEFT + CELL * (column + 0.5)}" cy="{y}" r="7"/>\n'
        for column, stage in enumerate(STAGES)
    )
    return f'<text x="{LEFT - 276}" y="{y + 4}">{escaped(name)}</text>\n{dots}'
